//! Eight bits a weight: what is lost, what stays exact, and who opens it.

use super::*;
use diptych_testing::max_difference;
use tempfile::TempDir;

/// A golden model, written in int8.
fn written(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (description, tensors) = tensors(name);
    write_checkpoint(dir.path(), &description, &tensors, Dtype::Int8).unwrap();
    dir
}

#[test]
fn weights_are_within_half_a_step_of_their_row_and_short_rows_are_exact() {
    for model in ["tiny-vit", "tiny-resnet"] {
        let dir = written(model);
        let file = Tensors::open(dir.path().join(WEIGHTS_FILE)).unwrap();
        let (_, tensors) = tensors(model);
        assert_eq!(file.names().count(), tensors.len());
        for (name, want) in &tensors {
            let rows = want.shape().first().copied().unwrap_or(1);
            let row = want.values().len() / rows;
            let rounded = row >= 16;
            let dtype = if rounded {
                StoredDtype::Int8
            } else {
                StoredDtype::F32
            };
            assert_eq!(file.dtype(name), Some(dtype), "{name}");
            let got = file.read(name).unwrap();
            assert_eq!(got.shape(), want.shape(), "{name}");
            let both = got.values().chunks(row).zip(want.values().chunks(row));
            for (got, want) in both {
                let largest = max_difference(want, &vec![0.0; row]);
                let bound = if rounded {
                    0.501 * largest / 127.0
                } else {
                    0.0
                };
                let off = max_difference(got, want);
                assert!(off <= bound, "{name}: {off}, wanted {bound}");
            }
        }
    }
}

#[test]
fn others_get_the_same_model_in_f32() {
    let dir = written("tiny-resnet");
    let out = tempfile::tempdir().unwrap();
    let mut eight = Checkpoint::open(dir.path()).unwrap();
    convert(&mut eight, out.path(), LayoutKind::OpenClip, None).unwrap();
    let dtypes = |place: &Path| {
        let summary = Checkpoint::summary(place.to_str().unwrap()).unwrap();
        summary.weights.unwrap().dtypes
    };
    assert_eq!(dtypes(dir.path()), ["f32", "int8"]);
    assert_eq!(dtypes(out.path()), ["f32"]);
    let other = Checkpoint::open(out.path()).unwrap();
    assert_eq!(other.fingerprint(), eight.fingerprint());

    let hf = written("tiny-vit");
    let mut eight = Checkpoint::open(hf.path()).unwrap();
    let refused = convert(&mut eight, out.path(), LayoutKind::Hf, Some(Dtype::Int8));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("wanted f32, f16 or bf16"), "{refused}");
}

#[test]
fn a_tensor_called_as_the_scales_of_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.safetensors");
    let tensor = |name: &str, shape: &[usize]| {
        let values = vec![1f32; shape.iter().product()];
        (name.to_owned(), TensorData::new(values, shape))
    };
    let tensors = [tensor("w", &[2, 16]), tensor("w_scale", &[2])];
    let write = |dtype| write_tensors(&path, &tensors, dtype, Default::default());
    let error = write(Dtype::Int8).unwrap_err().to_string();
    assert!(error.contains("two tensors `w_scale`"), "{error}");
    assert!(!path.exists());
    write(Dtype::F32).unwrap();
    // Of one number a row it would be the scales, had `w` been integers.
    assert_eq!(Tensors::open(&path).unwrap().names().count(), 2);
}

#[test]
fn integers_are_weights_only_where_there_is_a_scale_for_each_row() {
    let dir = written("tiny-vit");
    let path = dir.path().join(WEIGHTS_FILE);
    let good = fs_err::read(&path).unwrap();
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut bytes = good.clone();
        let place = bytes.windows(from.len()).position(|w| w == from.as_bytes());
        let place = place.unwrap();
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        fs_err::write(&path, bytes).unwrap();
        message(Checkpoint::open(dir.path()))
    };
    let renamed = replaced("visual.proj_scale", "visual.proj_other");
    assert!(
        renamed.contains("`visual.proj` holds i8, wanted f64, f32, f16, bf16 or int8"),
        "{renamed}"
    );
    assert!(
        renamed.contains("`visual.proj_other` is unexpected"),
        "{renamed}"
    );
    let mut bytes = good.clone();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs_err::write(&path, bytes).unwrap();
    let nan = message(Checkpoint::open(dir.path()));
    assert!(nan.contains("is NaN at"), "{nan}");
}
