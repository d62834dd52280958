//! Embeddings as clip-retrieval keeps them → an index.
//!
//! A folder with `img_emb/img_emb_K.npy` (f16 or f32, `[N, D]`) and `metadata/metadata_K.parquet` (`N` rows, whose column
//! `image_path` names the picture), `K` counting the parts. Source: clip-retrieval's `clip_inference/writer.py`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use diptych::guarded;
use diptych_index::Store;
use diptych_search::index::{Embedding, adopt};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Row;
use parquet::record::reader::RowIter;
use serde_json::Value;

use super::footer;
use crate::{interrupt, progress};
use diptych_files::npy::NpyReader;

/// The column that names a picture.
const PATH: &str = "image_path";

/// How columns begin that pandas makes of an index.
const PANDAS: &str = "__index_level_";

/// Rows that are added at a time.
const BATCH: usize = 1024;

/// Adds the embeddings in files; returns how many came. Ctrl-C ends it early.
pub(super) fn import(parts: &[PathBuf], store: &mut dyn Store) -> Result<usize> {
    let mut n = 0;
    for embeddings in parts {
        if interrupt::asked() {
            break;
        }
        let mut part = Part::open(embeddings, store.model().dim)?;
        let bar = progress::files(part.rows);
        while part.row < part.rows && !interrupt::asked() {
            adopt(store, part.next()?)?;
            bar.set_position(part.row as u64);
        }
        bar.finish_and_clear();
        n += part.row;
    }
    store.settle()?;
    Ok(n)
}

/// Whether all have what a model of this width makes, as far as their headers tell.
pub(super) fn check(parts: &[PathBuf], dim: usize) -> Result<()> {
    parts
        .iter()
        .try_for_each(|part| Part::open(part, dim).map(|_| ()))
}

/// The files of embeddings in a folder, in their order.
pub(super) fn parts(folder: &Path) -> Result<Vec<PathBuf>> {
    let inside = folder.join("img_emb");
    ensure!(
        inside.is_dir(),
        "{}: it has no folder img_emb; wanted embeddings as clip-retrieval writes them, img_emb/*.npy and metadata/*.parquet",
        folder.display()
    );
    let entries = fs_err::read_dir(&inside)?;
    let paths: std::io::Result<Vec<PathBuf>> =
        entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "npy"));
    paths.sort_unstable();
    ensure!(!paths.is_empty(), "{}: there is no .npy", inside.display());
    Ok(paths)
}

/// `metadata/metadata_K.parquet`, which belongs to `img_emb/img_emb_K.npy`.
fn metadata_of(embeddings: &Path) -> Option<PathBuf> {
    let number = embeddings.file_stem()?.to_str()?.strip_prefix("img_emb_")?;
    let folder = embeddings.parent()?.parent()?;
    Some(folder.join(format!("metadata/metadata_{number}.parquet")))
}

/// A file of embeddings, and the rows that tell of them.
struct Part {
    embeddings: PathBuf,
    vectors: NpyReader,
    metadata: PathBuf,
    told: RowIter<'static>,
    rows: usize,
    dim: usize,
    /// The next one.
    row: usize,
}

impl Part {
    fn open(embeddings: &Path, dim: usize) -> Result<Self> {
        let at = embeddings.display();
        let metadata = metadata_of(embeddings)
            .ok_or_else(|| anyhow!("{at}: wanted a name like img_emb_0.npy"))?;
        let vectors = NpyReader::open(embeddings)?;
        let rows = match vectors.shape()[..] {
            [rows, width] if width == dim => rows,
            _ => bail!(
                "{at}: its shape is {:?}, wanted [N, {dim}]",
                vectors.shape()
            ),
        };
        let of_metadata = || metadata.display().to_string();
        let mut file = fs_err::File::open(&metadata)?.into_file();
        footer::check(&mut file).with_context(of_metadata)?;
        let told = caught(|| Ok(SerializedFileReader::new(file)?)).with_context(of_metadata)?;
        let has = told.metadata().file_metadata().num_rows();
        ensure!(
            usize::try_from(has) == Ok(rows),
            "{}: it has {has} rows, wanted {rows} as {at} has",
            of_metadata()
        );
        Ok(Self {
            embeddings: embeddings.to_owned(),
            vectors,
            told: caught(|| Ok(told.into_iter())).with_context(of_metadata)?,
            metadata,
            rows,
            dim,
            row: 0,
        })
    }

    fn next(&mut self) -> Result<Vec<Embedding>> {
        let n = BATCH.min(self.rows - self.row);
        let values = self.vectors.next(n * self.dim)?;
        let mut batch = Vec::with_capacity(n);
        for vector in values.chunks_exact(self.dim) {
            let row = self.row;
            let vector = unit(vector)
                .with_context(|| format!("{}: row {row}", self.embeddings.display()))?;
            let at = || format!("{}: row {row}", self.metadata.display());
            let next = || split(&self.told.next().context("it is cut")??);
            let (path, payload) = caught(next).with_context(at)?;
            batch.push(Embedding {
                path,
                vector,
                payload,
            });
            self.row += 1;
        }
        Ok(batch)
    }
}

/// What the crate `parquet` returns, which panics at some damaged files (60.1, `util/bit_util.rs`).
fn caught<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    guarded(read).unwrap_or_else(|_| Err(anyhow!("the file is damaged")))
}

/// A picture's name, and what else a row tells.
fn split(row: &Row) -> Result<(String, diptych_index::Payload)> {
    let Value::Object(mut told) = row.to_json_value() else {
        bail!("it is no object");
    };
    let Some(Value::String(path)) = told.remove(PATH) else {
        bail!("it has no `{PATH}`");
    };
    told.retain(|name, value| !value.is_null() && !name.starts_with(PANDAS));
    Ok((path, told))
}

/// The same direction in length 1; half precision is off by more than an index takes.
fn unit(vector: &[f32]) -> Result<Vec<f32>> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    ensure!(
        length.is_finite() && length > 0.0,
        "its length is {length}, wanted a number above 0"
    );
    Ok(vector.iter().map(|v| v / length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/clip-retrieval");

    /// All of a part; `damage` is done to its metadata first.
    fn read(damage: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<Embedding>> {
        let folder = tempfile::tempdir()?;
        for name in ["img_emb/img_emb_0.npy", "metadata/metadata_0.parquet"] {
            let to = folder.path().join(name);
            fs_err::create_dir_all(to.parent().unwrap())?;
            fs_err::copy(Path::new(GOLDEN).join(name), to)?;
        }
        let metadata = folder.path().join("metadata/metadata_0.parquet");
        let mut bytes = fs_err::read(&metadata)?;
        damage(&mut bytes);
        fs_err::write(&metadata, bytes)?;
        let parts = parts(folder.path())?;
        Part::open(&parts[0], 192)?.next()
    }

    #[test]
    fn damaged_metadata_is_refused_or_read_otherwise() {
        let whole = read(|_| ()).unwrap();
        assert_eq!(whole.len(), 3);
        let len = fs_err::metadata(Path::new(GOLDEN).join("metadata/metadata_0.parquet"));
        let len = len.unwrap().len() as usize;
        for at in 0..len {
            assert!(read(|bytes| bytes.truncate(at)).is_err(), "cut at {at}");
            for bit in [0x01, 0x80] {
                if let Ok(read) = read(|bytes| bytes[at] ^= bit) {
                    assert!(read.len() == 3, "byte {at}");
                }
            }
        }
    }
}
