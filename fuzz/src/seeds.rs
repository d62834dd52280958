//! Writes what each target begins with into `corpus/TARGET/`: golden files, and an index that is
//! made here.

use std::path::Path;

use diptych_fuzz::targets::small_index;
use diptych_testing::folder;
use fs_err as fs;

/// Golden folders, and the target that their files of an extension are for.
const SEEDS: &[(&str, &str, &str)] = &[
    ("pixels", "jpg", "jpeg"),
    ("pixels", "png", "png"),
    ("pixels", "webp", "webp"),
    ("pixels", "gif", "gif"),
    ("pixels", "tif", "tiff"),
    ("pixels", "bmp", "bmp"),
    ("pixels", "tif", "raw"),
    ("pixels", "jpg", "metadata"),
    ("pixels", "png", "metadata"),
    ("pixels", "webp", "metadata"),
    ("pixels", "tif", "metadata"),
    ("pixels-lenient", "jpg", "jpeg"),
    ("pixels-lenient", "tif", "tiff"),
    ("pixels-lenient", "png", "png"),
    ("pixels-lenient", "gif", "gif"),
    ("pixels-lenient", "dib", "bmp"),
    ("pixels-foreign", "webp", "webp"),
    ("pixels-foreign", "gif", "gif"),
    ("pixels-foreign", "tif", "tiff"),
    ("pixels-foreign", "bmp", "bmp"),
    ("layouts/siglip/safetensors", "model", "sentencepiece"),
    ("layouts/siglip2/safetensors", "json", "tokenizer_json"),
    ("layouts/openai-vit", "pt", "pickle"),
    ("layouts/openai-rn", "pt", "pickle"),
    ("layouts/hf/safetensors", "safetensors", "safetensors"),
    ("tensors", "pkl", "tensors"),
    ("tensors", "pt", "tensors"),
    ("clip-retrieval/metadata", "parquet", "parquet"),
];

/// Configuration files, by their number in `targets::directory`.
const CONFIGURATIONS: [(u8, &str); 5] = [
    (0, "layouts/open-clip/bin/open_clip_config.json"),
    (1, "layouts/hf/bin/config.json"),
    (2, "layouts/hf/bin/preprocessor_config.json"),
    (3, "layouts/hf/bin/tokenizer.json"),
    (4, "layouts/siglip/safetensors/tokenizer_config.json"),
];

/// The largest file that is worth mutating.
const MAX_BYTES: u64 = 1 << 19;

fn write(target: &str, name: &str, bytes: &[u8]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&corpus).unwrap();
    fs::write(corpus.join(name), bytes).unwrap();
}

fn main() {
    for (golden, extension, target) in SEEDS {
        for entry in fs::read_dir(folder(golden)).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let is_one = path.extension().is_some_and(|e| e == *extension);
            if is_one && entry.metadata().unwrap().len() <= MAX_BYTES {
                let name = entry.file_name().into_string().unwrap();
                write(target, &name, &fs::read(path).unwrap());
            }
        }
    }
    for (number, name) in CONFIGURATIONS {
        let bytes = fs::read(folder(name)).unwrap();
        write(
            "directory",
            &number.to_string(),
            &[&[number], &bytes[..]].concat(),
        );
    }
    write(
        "table",
        "commas",
        b"filepath,caption\na.jpg,\"a, \"\"b\"\"\"\nc/d.png,two\n",
    );
    write(
        "table",
        "tabs",
        b"image\ttext\na.jpg\ta cat\nb.webp\t\"quoted\n",
    );
    let header = |name: &str, len: usize| {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..136].copy_from_slice(format!("{len:011o}\0").as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    };
    let mut shard = Vec::new();
    for (name, content) in [
        ("a.jpg", &b"\xff\xd8\xff\xd9"[..]),
        ("a.txt", b"a cat"),
        ("b.png", b"x"),
    ] {
        shard.extend(header(name, content.len()));
        shard.extend(content);
        shard.resize(shard.len().next_multiple_of(512), 0);
    }
    shard.resize(shard.len() + 1024, 0);
    write("shard", "shard", &shard);
    let (database, columns) = small_index();
    let length = (columns.len() as u32).to_le_bytes();
    write(
        "index",
        "index",
        &[&database[..], &columns, &length].concat(),
    );
}
