//! Reads a stranger's bytes: a function for each kind of file, for `cargo fuzz` and for the gate
//! alike (`crates/cli/tests/mutations`).
//!
//! Whatever the bytes are, none may panic but within `diptych::guarded`, take much memory, or say
//! something that can't be. Each tells whether there was something to be read in them.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use diptych::image::{
    Animation, Decode, DecodeOptions, Facts, Format, ImageError, PerceptualHash, Preprocess,
};
use diptych::text::{Overflow, SiglipTokenizer, TextError, Tokenizer};
use diptych::weights::{Checkpoint, Description, Tensors};
use diptych_index::{
    Cells, Change, File, Filter, Id, Item, Local, Method, Model, Moment, Part, Query, Store, Taken,
    TakenFrom,
};
use diptych_search::import::ClipRetrieval;
use diptych_train::samples::{Damage, Labels, Set, Table};
use fs_err as fs;

/// A place of this thread's for files, kept until it ends.
fn scratch() -> PathBuf {
    thread_local! {
        static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
    }
    // In memory, where there is such a place: disks wait for files that are written anew.
    let memory = Path::new("/dev/shm");
    let new = || {
        if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        }
    };
    FOLDER.with(|folder| folder.get_or_init(new).path().to_owned())
}

/// Writes a file there.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// A picture of any format, RAW among them.
pub fn picture(bytes: &[u8]) -> bool {
    let _ = Format::of(bytes);
    let preprocess = Preprocess::openai(32);
    let mut is_read = false;
    for decode in [Decode::Exact, Decode::Fast] {
        let options = DecodeOptions {
            decode,
            max_megapixels: 2,
            ..DecodeOptions::default()
        };
        let loaded = preprocess.load_and(bytes, &options, |decoded| {
            let (width, height) = decoded.full;
            assert!(width * height <= 2_000_000);
            let _ = PerceptualHash::of(&decoded.picture).to_bytes();
        });
        match loaded {
            Ok((pixels, ())) => {
                assert!(pixels.as_slice().iter().all(|v| v.is_finite()));
                is_read = true;
            }
            Err(ImageError::Length { .. }) => panic!("a decoder made a picture of another size"),
            Err(_) => {}
        }
    }
    animation(bytes);
    is_read
}

/// The first frames of an animated picture, if it is one.
fn animation(bytes: &[u8]) {
    let options = DecodeOptions {
        max_megapixels: 2,
        ..DecodeOptions::default()
    };
    let frames = Animation::open(bytes.to_vec(), &options).ok().flatten();
    for frame in frames.into_iter().flatten().take(4).flatten() {
        let picture = frame.picture;
        assert!(picture.width() * picture.height() <= 2_000_000);
    }
}

/// Metadata of a picture.
pub fn metadata(bytes: &[u8]) -> bool {
    let facts = Facts::of(bytes);
    let is_place = |(north, east): (f64, f64)| north.abs() <= 90.0 && east.abs() <= 180.0;
    assert!(facts.place.is_none_or(is_place));
    facts != Facts::default()
}

fn encode(tokenizer: Result<SiglipTokenizer, TextError>) -> bool {
    let Ok(tokenizer) = tokenizer else {
        return false;
    };
    let tokenizer = Tokenizer::Siglip(tokenizer);
    for text in [
        "A photo of a café, don't",
        "e\u{301}\u{323} 000 ｆｉ 日本",
        "",
    ] {
        if let Ok(ids) = tokenizer.encode(text, 16, Overflow::Truncate) {
            assert_eq!(ids.len(), 16);
            let _ = tokenizer.decode(&ids);
        }
    }
    true
}

/// SigLIP's `spiece.model`.
pub fn sentencepiece(bytes: &[u8]) -> bool {
    encode(SiglipTokenizer::from_sentencepiece(bytes, None))
}

/// SigLIP 2's `tokenizer.json`.
pub fn tokenizer_json(bytes: &[u8]) -> bool {
    encode(SiglipTokenizer::from_json(bytes, None))
}

/// A file of weights by itself: zip with a pickle.
pub fn weights(bytes: &[u8]) -> bool {
    Checkpoint::open(file("model.pt", bytes)).is_ok()
}

/// A file of named tensors: pickles, and PyTorch's files of several. All of it is read.
pub fn tensors(bytes: &[u8]) -> bool {
    let Ok(tensors) = Tensors::open(file("network.pkl", bytes)) else {
        return false;
    };
    let mut is_read = true;
    for name in tensors.names().take(100) {
        let shape = tensors.shape(name).unwrap_or_default();
        match tensors.read(name) {
            Ok(data) => assert_eq!(data.shape(), shape),
            Err(_) => is_read = false,
        }
    }
    let _ = tensors.value("");
    is_read
}

/// A file of a checkpoint's golden directory.
macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../crates/diptych/tests/golden/layouts/", $name))
    };
}

/// The weights of a directory, in safetensors.
pub fn safetensors(bytes: &[u8]) -> bool {
    file("weights/config.json", golden!("hf/safetensors/config.json"));
    file(
        "weights/tokenizer.json",
        golden!("hf/safetensors/tokenizer.json"),
    );
    let path = file("weights/model.safetensors", bytes);
    Checkpoint::open(path).is_ok()
}

/// A file's name and content.
type Named = (&'static str, &'static [u8]);

/// Configuration files, each with what has to lie beside it to be a description.
const CONFIGURATIONS: [(&str, &[Named]); 5] = [
    (
        "open_clip_config.json",
        &[("tokenizer.json", golden!("open-clip/bin/tokenizer.json"))],
    ),
    (
        "config.json",
        &[("tokenizer.json", golden!("hf/bin/tokenizer.json"))],
    ),
    (
        "preprocessor_config.json",
        &[
            ("config.json", golden!("hf/bin/config.json")),
            ("tokenizer.json", golden!("hf/bin/tokenizer.json")),
        ],
    ),
    (
        "tokenizer.json",
        &[("config.json", golden!("hf/bin/config.json"))],
    ),
    (
        "tokenizer_config.json",
        &[
            ("config.json", golden!("siglip/safetensors/config.json")),
            ("spiece.model", golden!("siglip/safetensors/spiece.model")),
        ],
    ),
];

/// The configuration files of a directory, whose first byte says which.
pub fn directory(bytes: &[u8]) -> bool {
    let Some((&number, bytes)) = bytes.split_first() else {
        return false;
    };
    let (name, beside) = CONFIGURATIONS[usize::from(number) % CONFIGURATIONS.len()];
    let dir = scratch().join("checkpoint");
    let _ = fs::remove_dir_all(&dir);
    for (name, bytes) in beside {
        file(&format!("checkpoint/{name}"), bytes);
    }
    file(&format!("checkpoint/{name}"), bytes);
    Description::open(dir).is_ok()
}

fn samples(set: &Set) -> bool {
    let Ok(found) = set.read() else { return false };
    for sample in found.samples.iter().take(4) {
        let _ = sample.bytes();
    }
    true
}

/// A shard, as it is read and as it is read past its damage.
pub fn shard(bytes: &[u8]) -> bool {
    let path = file("shard.tar", bytes);
    let read = |damage, labels| {
        samples(&Set::Shards {
            paths: vec![path.clone()],
            damage,
            labels,
        })
    };
    read(Damage::Skip, Labels::Boxes);
    let all = read(Damage::Refuse, Labels::Texts);
    let some = read(Damage::Skip, Labels::Texts);
    assert!(some || !all, "a whole shard is not read past its damage");
    all
}

/// A table, with commas and with tabs.
pub fn table(bytes: &[u8]) -> bool {
    let read = |name| {
        samples(&Set::Table(Table {
            path: file(name, bytes),
            base: scratch(),
            image_column: None,
            text_column: None,
        }))
    };
    let read = ["table.csv", "table.tsv"].map(read);
    read[0] || read[1]
}

/// Width of the vectors in the golden folder of clip-retrieval's.
const GOLDEN_DIM: usize = 192;

fn model(dim: usize) -> Model {
    Model {
        name: "m".into(),
        fingerprint: "f".into(),
        dim,
    }
}

/// A table in Parquet that tells of embeddings.
pub fn parquet(bytes: &[u8]) -> bool {
    const EMBEDDINGS: &[u8] =
        include_bytes!("../../crates/search/tests/golden/clip-retrieval/img_emb/img_emb_0.npy");
    thread_local! {
        static STORE: Local = Local::create(scratch().join("import.diptych"), &model(GOLDEN_DIM)).unwrap();
    }
    file("retrieved/img_emb/img_emb_0.npy", EMBEDDINGS);
    file("retrieved/metadata/metadata_0.parquet", bytes);
    let made = ClipRetrieval::open(&scratch().join("retrieved")).unwrap();
    let go_on = &mut |_| std::ops::ControlFlow::Continue(());
    made.count(GOLDEN_DIM).is_ok() && STORE.with(|store| made.import(store, go_on).is_ok())
}

/// A small index: its database, and the file of columns beside it.
pub fn small_index() -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.diptych");
    let store = Local::create(&path, &model(4)).unwrap();
    let mut changes = Vec::new();
    for i in 0..40u8 {
        let id = Id([i; 16]);
        let angle = f32::from(i) / 7.0;
        changes.push(Change::Put(Item {
            id,
            taken: (i % 3 == 0).then_some(Taken {
                at: i64::from(i) * 86_400,
                from: TakenFrom::Exif,
            }),
            phash: (i % 2 == 0).then(|| vec![i; 8]),
            payload: Default::default(),
            moments: vec![Moment {
                part: Part::default(),
                vector: vec![angle.cos(), angle.sin(), 0.0, 0.0],
            }],
        }));
        changes.push(Change::Link(
            File {
                path: format!("/p/{}/{i}.jpg", i % 4),
                size: 7,
                modified: 1,
            },
            id,
        ));
    }
    store.apply(&changes).unwrap();
    store.set_cells(Cells::Always).unwrap();
    store.settle().unwrap();
    drop(store);
    let scan = fs::read(Path::new(&format!("{}.scan", path.display()))).unwrap();
    (fs::read(path).unwrap(), scan)
}

/// An index. The last four bytes are how many of those before them are the file of columns; the
/// rest is the database.
pub fn index(bytes: &[u8]) -> bool {
    let Some((bytes, length)) = bytes.split_last_chunk() else {
        return false;
    };
    let length = u32::from_le_bytes(*length) as usize;
    let Some(at) = bytes.len().checked_sub(length) else {
        return false;
    };
    let (database, columns) = bytes.split_at(at);
    let path = file("index/a.diptych", database);
    for beside in ["-wal", "-shm", "-journal", ".lock"] {
        let _ = fs::remove_file(format!("{}{beside}", path.display()));
    }
    file("index/a.diptych.scan", columns);
    let Ok(store) = Local::open(&path) else {
        return false;
    };
    let _ = store.status();
    let _ = store.files(&[], &mut |_, _| ());
    let _ = store.refused();
    let vector = vec![0.5; store.model().dim.min(1 << 16)];
    let filters = [
        Filter::default(),
        Filter {
            within: vec!["/p/1".into()],
            after: Some(1),
            ..Filter::default()
        },
    ];
    for filter in &filters {
        for method in [Method::Auto, Method::Scan, Method::Cells] {
            let _ = store.search(&Query {
                vector: &vector,
                k: 5,
                filter,
                method,
            });
        }
    }
    true
}
