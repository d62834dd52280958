//! Published weights give their published figures. These download, so they run when they are asked
//! to: `cargo test --release --workspace -- --ignored published`.

use std::process::Command;

/// The example of OpenAI's README: <https://github.com/openai/CLIP>, commit d05afc4.
#[test]
#[ignore = "downloads OpenAI's ViT-B/32, 338 MB, and the picture of its README"]
fn openais_readme_example_has_its_figures() {
    const PICTURE: &str = "https://raw.githubusercontent.com/openai/CLIP/main/CLIP.png";
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("CLIP.png");
    let mut response = ureq::get(PICTURE).call().unwrap();
    fs_err::write(&picture, response.body_mut().read_to_vec().unwrap()).unwrap();
    let labels = ["a diagram", "a dog", "a cat"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_diptych"));
    command
        .arg("classify")
        .arg(&picture)
        .args(["--labels", &labels.join(",")]);
    command.args(["--template", "{}", "--model", "ViT-B/32", "--json"]);
    let out = command.output().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let predictions = line["predictions"].as_array().unwrap();
    for (label, wanted) in labels.iter().zip([0.992_793_7, 0.004_210_68, 0.002_995_72]) {
        let found = predictions.iter().find(|p| p["label"] == *label).unwrap();
        let got = found["probability"].as_f64().unwrap();
        assert!(
            (got - wanted).abs() < 2e-5,
            "{label}: {got}, published {wanted}"
        );
    }
}
