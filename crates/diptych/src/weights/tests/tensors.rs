//! Named tensors of every file that is read, beside what PyTorch and NumPy read
//! (`parity/tensors.py`).

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::*;
use crate::model::{Init, Table};
use diptych_testing::{Golden, max_difference};

fn open(name: &str) -> Tensors {
    Tensors::open(folder("tensors").join(name)).unwrap()
}

const FILES: [&str; 10] = [
    "archive.pt",
    "legacy.pt",
    "numpy-2.pkl",
    "numpy-3.pkl",
    "numpy-4.pkl",
    "numpy-5.pkl",
    "stylegan.pkl",
    "tensorflow.pkl",
    "torch-2.pkl",
    "torch-4.pkl",
];

#[test]
fn tensors_have_the_names_shapes_and_numbers_that_their_writers_read() {
    let golden = Golden::open("tensors", "expected.safetensors");
    let expected = golden.names();
    for file in FILES {
        let tensors = open(file);
        let names = expected.iter().filter_map(|name| name.strip_prefix(file));
        let names: BTreeSet<&str> = names.filter_map(|name| name.strip_prefix(':')).collect();
        assert_eq!(tensors.names().collect::<BTreeSet<_>>(), names);
        for name in names {
            let (shape, values) = golden.tensor(&format!("{file}:{name}"));
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            let read = tensors.read(name).unwrap();
            assert_eq!(read.shape(), shape, "{file} {name}");
            assert_eq!(tensors.shape(name), Some(&shape[..]));
            assert!(
                max_difference(read.values(), &values) == 0.0,
                "{file} {name}"
            );
        }
        assert!(tensors.refused().next().is_none(), "{file}");
    }
}

/// A value as JSON has it.
fn json(value: &Value) -> Json {
    let entries = |entries: &[(String, Value)]| {
        let entries = entries.iter();
        Json::Object(entries.map(|(k, v)| (k.clone(), json(v))).collect())
    };
    match value {
        Value::None => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(text) | Value::Tensor(text) | Value::Other(text) => text.clone().into(),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Dict(items)
        | Value::Object {
            attributes: items, ..
        } => entries(items),
    }
}

#[test]
fn what_stands_beside_tensors_is_a_plain_value() {
    let text = fs_err::read_to_string(folder("tensors").join("values.json")).unwrap();
    let golden: Json = serde_json::from_str(&text).unwrap();
    let golden = golden.as_object().unwrap();
    assert!(golden.len() > 15);
    for (name, want) in golden {
        let (file, path) = name.split_once(':').unwrap();
        assert_eq!(&json(&open(file).value(path).unwrap()), want, "{name}");
    }
    // A part's paths begin where it does; parameters are named, and arguments are numbers.
    let generator = open("stylegan.pkl").part("G_ema").unwrap();
    let value = generator.value("").unwrap();
    let Value::Object { class, .. } = &value else {
        panic!("{value:?}")
    };
    assert_eq!(class, "Generator");
    let base = value.get("_init_kwargs.synthesis_kwargs.channel_base");
    assert_eq!(base.and_then(Value::as_int), Some(16384));
    let weight = value.get("b4.conv1.weight").unwrap();
    assert_eq!(weight, &Value::Tensor("G_ema.b4.conv1.weight".into()));
    let missing = generator
        .value("_init_kwargs.w_dim")
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("no value `G_ema._init_kwargs.w_dim`"),
        "{missing}"
    );
    // A header's texts are values, too.
    let safetensors = Tensors::open(folder("layouts/hf/safetensors").join("model.safetensors"));
    let value = safetensors.unwrap().value("format").unwrap();
    assert_eq!(value.as_text(), Some("pt"));
}

#[test]
fn formats_are_told_and_integers_are_exact_or_refused() {
    let tensors = open("legacy.pt").part("model.net").unwrap();
    for (name, dtype) in [
        ("f64", StoredDtype::F64),
        ("f16", StoredDtype::F16),
        ("bf16", StoredDtype::Bf16),
        ("i64", StoredDtype::I64),
        ("i8", StoredDtype::I8),
        ("u8", StoredDtype::U8),
        ("bool", StoredDtype::Bool),
        ("parameter", StoredDtype::F32),
    ] {
        assert_eq!(tensors.dtype(name), Some(dtype), "{name}");
        assert_eq!(dtype.name(), name.replace("parameter", "f32"));
    }
    assert_eq!(tensors.container(), "PyTorch");
    let arrays = open("numpy-4.pkl");
    assert_eq!(arrays.container(), "pickle");
    let message = arrays.read("f128").unwrap_err().to_string();
    assert!(message.contains("`f128` is not in it"), "{message}");
    // 2²⁴ + 1 lies between two numbers of f32.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("count.safetensors");
    let header = br#"{"a":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}"#;
    for (count, holds) in [
        (1i64 << 24, true),
        ((1 << 24) + 1, false),
        (i64::MIN, true),
        (i64::MAX, false),
    ] {
        let numbers = [1, count].map(i64::to_le_bytes).concat();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &numbers].concat();
        fs_err::write(&path, bytes).unwrap();
        match Tensors::open(&path).unwrap().read("a") {
            Ok(data) => assert!(holds && data.values() == [1.0, count as f32]),
            Err(error) => {
                let wanted = format!("`a` holds {count}, which f32 can't hold");
                assert!(!holds && error.to_string().contains(&wanted), "{error}");
            }
        }
    }
}

#[test]
fn a_table_names_all_that_is_missing_misshapen_or_unexpected() {
    let zero = Init::Constant(0.0);
    let layer = Table::new()
        .tensor("weight", &[2, 3, 3, 3], zero)
        .tensor("noise_strength", &[], zero)
        .tensor("noise_const", &[4, 4], zero)
        .part(
            "affine",
            Table::new()
                .tensor("weight", &[3, 5], zero)
                .tensor("bias", &[3], zero),
        );
    let good = Table::new()
        .tensor("w_avg", &[5], zero)
        .part("b4", Table::new().part("conv1", layer));
    let generator = open("stylegan.pkl").part("G_ema").unwrap();
    generator.check(&good).unwrap();

    let other = Table::new()
        .tensor("w_avg", &[512], zero)
        .tensor("mapping.fc0.weight", &[5, 5], zero)
        .and(good.clone());
    let message = generator.check(&other).unwrap_err().to_string();
    assert!(message.contains("stylegan.pkl"), "{message}");
    assert!(
        message.contains("`w_avg` is [5], wanted [512]"),
        "{message}"
    );
    assert!(
        message.contains("`mapping.fc0.weight` is missing"),
        "{message}"
    );
    let few = Table::new().tensor("w_avg", &[5], zero);
    let problems = generator.compare(&few);
    let unexpected = |problem: &Problem| matches!(problem, Problem::Unexpected { .. });
    assert!(problems.len() == 5 && problems.iter().all(unexpected));
    assert_eq!(problems[0].name(), "b4.conv1.affine.bias");
    // Who wants all networks has a prefix for each.
    let both = Table::new().part("G", good.clone()).part("G_ema", good);
    open("stylegan.pkl").check(&both).unwrap();
    let message = generator.part("b8").err().unwrap().to_string();
    assert!(
        message.contains("no tensor in it, below `b8`: its 6 tensors are `b4.conv1.affine.bias`"),
        "{message}"
    );
}

/// A pickle by itself, opened.
fn opened(pickle: &[u8]) -> crate::Result<Tensors> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("network.pkl");
    fs_err::write(&path, pickle).unwrap();
    Tensors::open(&path)
}

fn refusal(pickle: &[u8]) -> String {
    opened(pickle).err().unwrap().to_string()
}

/// `numpy.array` of f32, as protocol 2 and later pickle it, with these bytes.
fn array(sides: &[u8], numbers: &[u8]) -> Vec<u8> {
    let mut bytes =
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\x01btR(K\x01(".to_vec();
    for &side in sides {
        bytes.extend([b'K', side]);
    }
    bytes.extend(b"tcnumpy\ndtype\nX\x02\0\0\0f4K\0K\x01\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89B");
    bytes.extend((numbers.len() as u32).to_le_bytes());
    bytes.extend(numbers);
    bytes.extend(b"tb");
    bytes
}

/// A key of a dictionary.
fn key(name: &str) -> Vec<u8> {
    [
        b"X",
        &(name.len() as u32).to_le_bytes()[..],
        name.as_bytes(),
    ]
    .concat()
}

#[test]
fn nothing_is_called_and_what_would_be_is_named() {
    let system = b"cposix\nsystem\nX\x02\0\0\0ls\x85R";
    let pickle = [
        b"\x80\x03}(",
        &key("a")[..],
        &array(&[2], &[0; 8]),
        &key("evil"),
        system,
        b"u.",
    ]
    .concat();
    let tensors = opened(&pickle).unwrap();
    assert_eq!(tensors.names().collect::<Vec<_>>(), ["a"]);
    let refused: Vec<_> = tensors.refused().collect();
    assert_eq!(
        refused,
        [("evil", "is made by `posix.system`, which is not run")]
    );
    let message = tensors.read("evil").unwrap_err().to_string();
    assert!(
        message.contains("`evil` is made by `posix.system`"),
        "{message}"
    );
    assert_eq!(
        tensors.value("evil").unwrap(),
        Value::Other("is made by `posix.system`, which is not run".into())
    );
    // An allowed call of a refused one; a class that is not NumPy's; objects instead of numbers.
    let inner = [
        b"\x80\x03}",
        &key("a")[..],
        b"ctorch._utils\n_rebuild_parameter\n(",
        system,
        b"\x88NtRs.",
    ];
    assert!(refusal(&inner.concat()).contains("`a` is made by `torch._utils._rebuild_parameter`"));
    let whole = [b"\x80\x03}", &key("a")[..], &array(&[2], &[0; 8]), b"s."].concat();
    let changed = |from: &str, to: &str| {
        let mut windows = whole.windows(from.len());
        let at = windows.position(|w| w == from.as_bytes()).unwrap();
        let end = at + from.len();
        refusal(&[&whole[..at], to.as_bytes(), &whole[end..]].concat())
    };
    assert!(
        changed("numpy\nndarray", "numpy\nmatrix_").contains("_reconstruct`, which is not run")
    );
    assert!(changed("\0\0\0f4", "\0\0\0O8").contains("holds Python's objects"));
    assert!(changed("\0\0\0f4", "\0\0\0S9").contains("numbers of the kind `S9`"));
}

#[test]
fn arrays_that_say_more_than_they_hold_are_refused() {
    for (sides, len, wanted) in [
        (
            &[3][..],
            8,
            "is [3] from value 0 on, and its storage has 2 values",
        ),
        (&[255; 8][..], 8, "its storage has 2 values"),
        (&[1; 9][..], 8, "more than eight"),
    ] {
        let pickle = [
            b"\x80\x03}",
            &key("a")[..],
            &array(sides, &vec![0; len]),
            b"s.",
        ]
        .concat();
        let message = refusal(&pickle);
        assert!(message.contains(wanted), "{message}");
    }
    // The bytes are said to be four gigabytes.
    let mut pickle = [b"\x80\x03}", &key("a")[..], &array(&[2], &[0; 8]), b"s."].concat();
    let at = pickle.windows(2).rposition(|w| w == b"\x89B").unwrap() + 2;
    pickle[at..at + 4].fill(0xff);
    assert!(refusal(&pickle).contains("4294967295 bytes are wanted"));
}

#[test]
fn values_that_name_each_other_are_bounded() {
    // Thirty lists, each of which holds the one before twice: a thousand million arrays.
    let mut bomb = [b"\x80\x03}", &key("a")[..], &array(&[2], &[0; 8])].concat();
    for _ in 0..30 {
        bomb.extend(b"2\x86");
    }
    bomb.extend(b"s.");
    let message = refusal(&bomb);
    assert!(
        message.contains("it has more than 65536 entries"),
        "{message}"
    );
    // The same of lists without any array, beside one.
    let mut bomb = [
        b"\x80\x03}(",
        &key("a")[..],
        &array(&[2], &[0; 8]),
        &key("b"),
        b"]",
    ]
    .concat();
    for _ in 0..30 {
        bomb.extend(b"2\x86");
    }
    bomb.extend(b"u.");
    let message = refusal(&bomb);
    assert!(
        message.contains("name each other more than 2097152 times"),
        "{message}"
    );
    // A thousand lists of the same thousand numbers: a tree would have a million.
    let numbers = [b"(K\x01", &[b'2'; 999][..], b"t"].concat();
    let lists = [b"(", &numbers[..], &[b'2'; 999], b"t"].concat();
    let array = array(&[2], &[0; 8]);
    let pickle = [
        b"\x80\x03}(",
        &key("a")[..],
        &array,
        &key("b"),
        &lists,
        b"u.",
    ]
    .concat();
    let tensors = opened(&pickle).unwrap();
    let message = tensors.value("").unwrap_err().to_string();
    assert!(message.contains("more than 262144 parts"), "{message}");
    assert_eq!(tensors.value("b.999.999").unwrap(), Value::Int(1));
    // A list that holds itself, and a dictionary far down.
    let mut pickle = [b"\x80\x03}(", &key("a")[..], &array, &key("b"), b"]q\0h\0a"].concat();
    pickle.extend(key("deep"));
    for _ in 0..40 {
        pickle.extend([b"}", &key("d")[..]].concat());
    }
    pickle.extend(b"N");
    pickle.extend([b's'; 40]);
    pickle.extend(b"u.");
    let tensors = opened(&pickle).unwrap();
    assert_eq!(tensors.names().collect::<Vec<_>>(), ["a"]);
    let (name, reason) = tensors.refused().next().unwrap();
    assert!(
        name.starts_with("deep.d.d") && reason.contains("32 deep"),
        "{name} {reason}"
    );
    let message = tensors.value("b").unwrap_err().to_string();
    assert!(message.contains("more than 64 deep"), "{message}");
    assert!(tensors.value("deep.d.d").unwrap().get("d.d").is_some());
    // Places in the memo are kept by name, so a high one takes no room.
    let memo = [b"\x80\x03}", &key("a")[..], &array, b"r\xff\xff\xff\xffs."].concat();
    assert!(opened(&memo).is_ok());
    // Opcodes and texts are few beside the numbers.
    let mut many = b"\x80\x03N".to_vec();
    many.extend(b"20".repeat(3 << 20));
    assert!(refusal(&many).contains("more than 4194304 bytes beside its numbers"));
}

#[test]
fn names_that_are_too_long_or_taken_twice_are_told() {
    let long = "x".repeat(300);
    let pickle = [
        b"\x80\x03}(",
        &key("a")[..],
        &array(&[2], &[0; 8]),
        &key(&long),
        &array(&[2], &[0; 8]),
        b"K\x07",
        &array(&[2], &[0; 8]),
        &key("7"),
        &array(&[1], &[0; 4]),
        b"u.",
    ]
    .concat();
    let tensors = opened(&pickle).unwrap();
    assert_eq!(tensors.names().collect::<Vec<_>>(), ["a"]);
    let refused: Vec<_> = tensors
        .refused()
        .map(|(name, why)| (name.len(), why))
        .collect();
    let wanted = [
        (1, "is the name of two entries"),
        (259, "has a longer name than is read"),
    ];
    assert_eq!(refused, wanted);
}

#[test]
fn legacy_files_that_are_not_whole_say_what_is_missing() {
    let good = fs_err::read(folder("tensors").join("legacy.pt")).unwrap();
    let message = refusal(&good[..good.len() - 1]);
    assert!(message.contains("cut off in storage `"), "{message}");
    let version = good.windows(3).position(|w| w == b"M\xe9\x03").unwrap();
    let mut other = good.clone();
    other[version + 1] = 0xea;
    assert!(refusal(&other).contains("not of PyTorch's version 1001"));
    let kind = good.windows(12).position(|w| w == b"FloatStorage").unwrap();
    let mut unknown = good;
    unknown[kind..kind + 5].copy_from_slice(b"Gloat");
    let message = refusal(&unknown);
    assert!(
        message.contains("unknown kind `torch.GloatStorage`"),
        "{message}"
    );
}

#[test]
fn a_model_in_a_legacy_file_opens_as_one_in_an_archive() {
    // The golden archive's tensors, in a file as `torch.save` wrote it before 1.6.
    let golden = folder("layouts/openai-vit/state_dict.pt");
    let tensors = Tensors::open(&golden).unwrap();
    let mut object = b"\x80\x02}(".to_vec();
    let (mut keys, mut numbers) = (b"\x80\x02](".to_vec(), Vec::new());
    for (i, name) in tensors.names().enumerate() {
        let data = tensors.read(name).unwrap();
        let values = data.values();
        let storage = format!("{i:04}");
        object.extend(key(name));
        object.extend(
            b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n",
        );
        object.extend([&key(&storage)[..], &key("cpu"), b"J"].concat());
        object.extend((values.len() as u32).to_le_bytes());
        object.extend(b"NtQK\0(");
        let strides = (0..data.shape().len()).map(|i| data.shape()[i + 1..].iter().product());
        for list in [data.shape().to_vec(), strides.collect()] {
            for n in list {
                object.extend([b"J", &(n as u32).to_le_bytes()[..]].concat());
            }
            object.extend(b"t(");
        }
        object.pop();
        object.extend(b"\x89}tR");
        keys.extend(key(&storage));
        numbers.extend((values.len() as u64).to_le_bytes());
        numbers.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    let bytes = [&magic[..], &object, b"u.", &keys, b"e.", &numbers].concat();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    fs_err::write(&path, &bytes).unwrap();
    let [mut old, mut new] = [&path, &golden].map(|path| Checkpoint::open(path).unwrap());
    for parameter in parameters(&new.description().config) {
        let name = &parameter.name;
        assert_eq!(old.read(name).unwrap(), new.read(name).unwrap(), "{name}");
    }
    assert_eq!(old.fingerprint(), new.fingerprint());
}
