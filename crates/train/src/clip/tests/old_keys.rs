//! Run files of before: their keys are read, and the echo has those of today.

use super::*;

#[test]
fn precision_is_the_old_key_of_dtype() {
    use diptych::weights::Dtype;

    let read = |line: &str| {
        let text = format!(
            "out = \"out\"\narchitecture = \"RN50\"\ndata = []\n{line}\n[optimizer]\nsteps = 1\n\
             batch_size = 2\nlearning_rate = 1e-3\nwarmup_steps = 0\n"
        );
        toml::from_str::<Run>(&text).map_err(|e| e.to_string())
    };
    let old = read("precision = \"bf16\"").unwrap();
    assert_eq!(old.dtype, Dtype::Bf16);
    assert_eq!(old, read("dtype = \"bf16\"").unwrap());
    let both = read("dtype = \"bf16\"\nprecision = \"f32\"").unwrap_err();
    assert!(both.contains("duplicate field"), "{both}");
    assert_eq!(read("").unwrap().dtype, Dtype::F32);

    let echo = old.to_toml().unwrap();
    assert!(
        echo.contains("\ndtype = \"bf16\"") && !echo.contains("precision"),
        "{echo}"
    );
    assert_eq!(toml::from_str::<Run>(&echo).unwrap(), old);
}

/// As the version before the rooms wrote it, but for the paths.
const OLD_ECHO: &str = r#"
out = "/runs/mine"
architecture = "RN50"
loss = "softmax"
negatives = "batch"
seed = 3
checkpoint_every = 4
keep = 2
precision = "f16"
compute = "f32"

[freeze]
image = "none"
text = 2

[[data]]
shards = ["/data/a.tar"]
texts = "captions"
templates = []
repeat = 1
hold_out = 9

[optimizer]
algorithm = "adamw"
steps = 4
batch_size = 16
learning_rate = 0.0001
warmup_steps = 1
weight_decay = 0.2
beta1 = 0.9
beta2 = 0.98
epsilon = 1e-6

[augmentation]
min_scale = 0.9
flip = true

[validation]
shards = ["/data/v.tar"]
every = 2
"#;

#[test]
fn an_echo_of_before_is_the_run_that_it_was() {
    let run: Run = toml::from_str(OLD_ECHO).unwrap();
    assert_eq!(run.settings.seed, 3);
    assert_eq!(run.settings.measure_every, Some(2));
    assert_eq!(run.validation, [std::path::PathBuf::from("/data/v.tar")]);
    assert_eq!(run.settings.optimizer.chunk_size, None);
    // Today's echo says the same by the same keys but one.
    let echo: toml::Value = toml::from_str(&run.to_toml().unwrap()).unwrap();
    let old: toml::Value = toml::from_str(&OLD_ECHO.replace("precision", "dtype")).unwrap();
    assert_eq!(echo, old);
}
