//! Embeddings as clip-retrieval keeps them → an index.
//!
//! A folder with `img_emb/img_emb_K.npy` (f16 or f32, `[N, D]`) and `metadata/metadata_K.parquet`
//! (`N` rows, whose column `image_path` names the picture; in any of Parquet's compressions but
//! LZO), `K` counting the parts. Source: clip-retrieval's `clip_inference/writer.py`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use diptych::guarded;
use diptych::image::Decode;
use diptych_files::npy::NpyReader;
use diptych_index::{Payload, Store};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Row;
use parquet::record::reader::RowIter;
use serde_json::Value;

use super::{footer, pages};
use crate::index::{Decoding, Embedding, adopt};
use crate::{Error, Result};

/// The column that names a picture.
const PATH: &str = "image_path";

/// Prefix of the columns that pandas makes of an index.
const PANDAS: &str = "__index_level_";

/// Rows that are added at a time.
const BATCH: usize = 1024;

/// A folder of embeddings that clip-retrieval wrote.
#[derive(Clone, Debug)]
pub struct ClipRetrieval {
    /// Its files of embeddings, in their order.
    parts: Vec<PathBuf>,
}

impl ClipRetrieval {
    /// Looks into a folder.
    ///
    /// # Errors
    /// [`Error::Import`] if it holds no such files.
    pub fn open(folder: &Path) -> Result<Self> {
        let inside = folder.join("img_emb");
        if !inside.is_dir() {
            return Err(Error::import(
                folder,
                "it has no folder img_emb; wanted embeddings as clip-retrieval writes them, img_emb/*.npy and metadata/*.parquet",
            ));
        }
        let entries = fs_err::read_dir(&inside)?;
        let paths: std::io::Result<Vec<PathBuf>> =
            entries.map(|entry| entry.map(|e| e.path())).collect();
        let mut parts = paths?;
        parts.retain(|path| path.extension().is_some_and(|e| e == "npy"));
        parts.sort_unstable();
        if parts.is_empty() {
            return Err(Error::import(&inside, "there is no .npy"));
        }
        Ok(Self { parts })
    }

    /// The number of embeddings, if all have the width `D` of a model, as far as their headers
    /// tell.
    ///
    /// # Errors
    /// [`Error::Import`] if one has another, or can't be read.
    pub fn count(&self, dim: usize) -> Result<usize> {
        let parts = self.parts.iter();
        parts.map(|part| Ok(Part::open(part, dim)?.rows)).sum()
    }

    /// Adds all embeddings to an index of the model that made them; `watch` is told how many came,
    /// and may stop it. Returns their number.
    ///
    /// # Errors
    /// [`Error::Import`] for damaged files; what was added before stays. As [`adopt`].
    pub fn import(
        &self,
        store: &dyn Store,
        watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<usize> {
        // It decodes by Pillow, all pixels.
        Decoding::add(store, Some(Decode::Exact))?;
        let mut n = 0;
        'parts: for embeddings in &self.parts {
            let mut part = Part::open(embeddings, store.model().dim)?;
            while part.row < part.rows {
                let batch = part.next()?;
                n += batch.len();
                adopt(store, batch)?;
                if watch(n).is_break() {
                    break 'parts;
                }
            }
        }
        store.settle()?;
        Ok(n)
    }
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
        let refuse = |reason: String| Error::import(embeddings, reason);
        let metadata = metadata_of(embeddings)
            .ok_or_else(|| refuse("wanted a name like img_emb_0.npy".into()))?;
        let vectors = NpyReader::open(embeddings)?;
        let rows = match vectors.shape()[..] {
            [rows, width] if width == dim => rows,
            _ => {
                let shape = vectors.shape();
                return Err(refuse(format!("its shape is {shape:?}, wanted [N, {dim}]")));
            }
        };
        let of_metadata = |reason: String| Error::import(&metadata, reason);
        let mut file = fs_err::File::open(&metadata)?.into_file();
        footer::check(&mut file).map_err(of_metadata)?;
        let mut again = file.try_clone()?;
        let open = || SerializedFileReader::new(file).map_err(|e| e.to_string());
        let told = caught(open).map_err(of_metadata)?;
        caught(|| pages::check(&mut again, told.metadata())).map_err(of_metadata)?;
        let has = told.metadata().file_metadata().num_rows();
        if usize::try_from(has) != Ok(rows) {
            let at = embeddings.display();
            return Err(of_metadata(format!(
                "it has {has} rows, wanted {rows} as {at} has"
            )));
        }
        let told = caught(|| Ok(told.into_iter())).map_err(of_metadata)?;
        Ok(Self {
            embeddings: embeddings.to_owned(),
            vectors,
            told,
            metadata,
            rows,
            dim,
            row: 0,
        })
    }

    /// The next embeddings, at most [`BATCH`].
    fn next(&mut self) -> Result<Vec<Embedding>> {
        let n = BATCH.min(self.rows - self.row);
        let values = self.vectors.next(n * self.dim)?;
        let mut batch = Vec::with_capacity(n);
        for vector in values.chunks_exact(self.dim) {
            let row = self.row;
            let of_row = |path: &Path, reason| Error::import(path, format!("row {row}: {reason}"));
            let vector = unit(vector).map_err(|reason| of_row(&self.embeddings, reason))?;
            let told = caught(|| match self.told.next() {
                None => Err("it is cut".into()),
                Some(row) => split(&row.map_err(|e| e.to_string())?),
            });
            let (path, payload) = told.map_err(|reason| of_row(&self.metadata, reason))?;
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

/// Calls the crate `parquet`, which panics at some damaged files (60.1, `util/bit_util.rs`).
fn caught<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    guarded(read).unwrap_or_else(|_| Err("the file is damaged".into()))
}

/// A picture's name, and what else a row tells.
fn split(row: &Row) -> Result<(String, Payload), String> {
    let Value::Object(mut told) = row.to_json_value() else {
        return Err("it is no object".into());
    };
    let Some(Value::String(path)) = told.remove(PATH) else {
        return Err(format!("it has no `{PATH}`"));
    };
    told.retain(|name, value| !value.is_null() && !name.starts_with(PANDAS));
    Ok((path, told))
}

/// The same direction in length 1; half precision is off by more than an index takes.
fn unit(vector: &[f32]) -> Result<Vec<f32>, String> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length.is_finite() && length > 0.0 {
        Ok(vector.iter().map(|v| v / length).collect())
    } else {
        Err(format!("its length is {length}, wanted a number above 0"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

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
        let made = ClipRetrieval::open(folder.path())?;
        Part::open(&made.parts[0], 192)?.next()
    }

    #[test]
    fn damaged_metadata_is_refused_or_read_otherwise() {
        let whole = read(|_| ()).unwrap();
        assert_eq!(whole.len(), 3);
        let len = diptych_files::metadata(Path::new(GOLDEN).join("metadata/metadata_0.parquet"));
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

    /// A table of three rows, as a program writes it that compresses so.
    fn table(compression: Compression) -> Vec<u8> {
        let schema =
            "message table { REQUIRED BYTE_ARRAY image_path (UTF8); REQUIRED INT32 width; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(compression);
        let properties = Arc::new(properties.build());
        let mut file = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
        let mut rows = file.next_row_group().unwrap();
        let names = ["set/0", "set/1", "set/2"].map(ByteArray::from);
        let mut column = rows.next_column().unwrap().unwrap();
        let written = column.typed::<ByteArrayType>();
        written.write_batch(&names, None, None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let written = column.typed::<Int32Type>();
        written.write_batch(&[100, 101, 102], None, None).unwrap();
        column.close().unwrap();
        rows.close().unwrap();
        file.into_inner().unwrap()
    }

    #[test]
    fn metadata_is_read_however_it_is_compressed() {
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::BROTLI(Default::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
            Compression::ZSTD(Default::default()),
        ] {
            let read = read(|bytes| *bytes = table(compression)).unwrap();
            let told = read
                .iter()
                .map(|row| (row.path.as_str(), &row.payload["width"]));
            let wanted = [100, 101, 102].map(Value::from);
            let wanted = ["set/0", "set/1", "set/2"].into_iter().zip(&wanted);
            assert!(told.eq(wanted), "{compression}");
        }
    }
}
