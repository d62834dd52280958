//! `diptych bench`.

use crate::support::*;

/// A file of f32 `shape`, in Python's spelling.
fn write_npy(path: &str, shape: &str, values: &[f32]) {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn given_pixels_are_timed_and_their_embeddings_are_those_of_embed() {
    let files = folder(&[]);
    let [x, y, z] = ["x.npy", "y.npy", "z.npy"].map(|name| within(&files, name));
    let model = golden("tiny-vit");
    let pictures = ["RGB.png", "420-q95.jpg"].map(picture);
    let preprocess = ["preprocess", "--out", &x, "--model", &model];
    let given: Vec<&str> = pictures.iter().map(String::as_str).collect();
    diptych(&[&preprocess[..], &given].concat()).ok();
    let bench = [
        "bench",
        "--model",
        &model,
        "--json",
        "--seconds",
        "1",
        "--input",
        &x,
        "--out",
        &y,
    ];
    let report = &diptych(&bench).json()[0];
    for number in [
        &report["images_per_s"]["2"],
        &report["limit_gops"],
        &report["share_of_limit"]["images"]["2"],
    ] {
        assert!(number.as_f64().is_some_and(|n| n > 0.0), "{report}");
    }
    assert_eq!(report["texts_per_s"], serde_json::json!({}));
    let [a, b] = pictures.each_ref().map(String::as_str);
    diptych(&["embed", "--images", a, b, "--out", &z, "--model", &model]).ok();
    let ((shape, got), (_, want)) = (read_npy(&y), read_npy(&z));
    assert_eq!(shape, "(2, 24)");
    assert_close(&got, &want, 1e-6);
}

#[test]
fn people_get_a_line_a_number_of_what_they_asked_for() {
    let model = golden("tiny-vit");
    let printed = diptych(&[
        "bench",
        "--model",
        &model,
        "--seconds",
        "1",
        "--only",
        "texts",
    ])
    .ok();
    assert_eq!(printed.matches("texts a second").count(), 2, "{printed}");
    assert!(!printed.contains("images"), "{printed}");
}

#[test]
fn pixels_of_another_shape_are_refused() {
    let files = folder(&[]);
    let x = within(&files, "x.npy");
    let model = golden("tiny-vit");
    let bench = ["bench", "--model", &model, "--input", &x];
    write_npy(&x, "(1, 3, 2, 2)", &[0.5; 12]);
    diptych(&bench).fails(&["x.npy", "[1, 3, 2, 2]", "wanted [N, 3,"]);
    write_npy(&x, "(1, 3, 2, 2)", &[0.5; 11]);
    diptych(&bench).fails(&["x.npy", "44 bytes", "wants 48"]);
    fs_err::write(&x, "1, 2, 3").unwrap();
    diptych(&bench).fails(&["x.npy", "not a NumPy file"]);
}
