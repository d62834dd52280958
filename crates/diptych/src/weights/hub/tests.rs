//! The hub's protocol against a server of our own, which cuts, lies and redirects.

use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use super::*;
use crate::weights::names::{is_path, is_repository};
use diptych_testing::folder;
use diptych_testing::hub::{COMMIT, Hub as Server, Manners, hex};

/// The files of a golden directory of transformers'.
fn golden() -> Vec<(String, Vec<u8>)> {
    let entries = fs_err::read_dir(folder("layouts/hf/sharded")).unwrap();
    let files = entries.map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs_err::read(entry.path()).unwrap())
    });
    files.collect()
}

const LARGE: &[&str] = &[
    "model-00001-of-00003.safetensors",
    "model-00002-of-00003.safetensors",
];

fn environment(server: &str, cache: &Path, more: &[(&str, &str)]) -> Environment {
    Environment::new(|name| {
        let ours = [
            ("HF_ENDPOINT", server),
            ("HF_HUB_CACHE", cache.to_str().unwrap()),
        ];
        let mut all = ours.iter().chain(more);
        all.find(|(known, _)| *known == name)
            .map(|(_, value)| value.into())
    })
}

fn get(environment: &Environment) -> Result<PathBuf> {
    let pause = Duration::from_millis(1);
    let hub = Hub { environment, pause };
    hub.fetch("us/tiny", "main", Parts::All, &mut |_| {
        ControlFlow::Continue(())
    })
}

#[test]
fn a_repository_is_downloaded_once_and_opens() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(golden(), LARGE, Manners::default());
    let environment = environment(&server.address, cache.path(), &[("HF_TOKEN", "secret")]);
    let place = get(&environment).unwrap();
    assert!(place.ends_with(format!("models--us--tiny/snapshots/{COMMIT}")));
    let clip = crate::Clip::open(&place).unwrap();
    let want = crate::Clip::open(folder("layouts/hf/sharded")).unwrap();
    let texts = ["a cat", "the rain"];
    assert_eq!(
        clip.encode_texts(&texts).unwrap().as_slice(),
        want.encode_texts(&texts).unwrap().as_slice()
    );
    // Nothing twice; and the token goes to the hub alone.
    let before = server.requests("GET /us/tiny/resolve");
    assert_eq!(get(&environment).unwrap(), place);
    assert_eq!(server.requests("GET /us/tiny/resolve"), before);
    assert!(server.requests("/elsewhere/") >= 2);
    let seen = server.seen.lock().unwrap();
    assert!(
        seen.iter()
            .all(|line| line.contains("/elsewhere/") != line.contains("Bearer secret"))
    );
    drop(seen);
    // Without a network what is there is found.
    let offline = self::environment(
        "http://127.0.0.1:9",
        cache.path(),
        &[("HF_HUB_OFFLINE", "1")],
    );
    assert_eq!(get(&offline).unwrap(), place);
    let unreachable = self::environment("http://127.0.0.1:9", cache.path(), &[]);
    assert_eq!(get(&unreachable).unwrap(), place);
}

#[test]
fn cuts_are_gone_on_from() {
    for no_ranges in [false, true] {
        let cache = tempfile::tempdir().unwrap();
        // Without ranges every try begins anew, so that what comes before a cut never grows.
        let cut = if no_ranges { None } else { Some(20_000) };
        let manners = Manners {
            cut,
            no_ranges,
            ..Manners::default()
        };
        let server = Server::start(golden(), LARGE, manners);
        let environment = environment(&server.address, cache.path(), &[]);
        // Half of a file from an earlier run.
        let shard = &golden()
            .into_iter()
            .find(|(name, _)| name == LARGE[0])
            .unwrap()
            .1;
        let blobs = cache.path().join("models--us--tiny/blobs");
        fs_err::create_dir_all(&blobs).unwrap();
        let name = format!("{}.incomplete", hex(&Sha256::digest(shard)));
        fs_err::write(blobs.join(name), &shard[..30_000]).unwrap();
        crate::Clip::open(get(&environment).unwrap()).unwrap();
        assert!(server.requests("bytes=30000-") >= 1);
        let left = fs_err::read_dir(blobs)
            .unwrap()
            .map(|e| e.unwrap().file_name());
        assert!(
            left.into_iter()
                .all(|name| !name.to_string_lossy().ends_with(".incomplete"))
        );
    }
}

#[test]
fn what_is_not_what_it_says_is_refused_and_not_kept() {
    let refused = |manners: Manners, wanted: &str| {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::start(golden(), LARGE, manners);
        let message = get(&environment(&server.address, cache.path(), &[]))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("model `us/tiny` is not on this machine: ")
                && message.contains(wanted),
            "{message}"
        );
        let snapshots = cache.path().join("models--us--tiny/snapshots");
        assert!(!snapshots.exists() || fs_err::read_dir(snapshots).unwrap().next().is_none());
    };
    refused(
        Manners {
            lies: true,
            ..Manners::default()
        },
        "the hash of what came is",
    );
    refused(
        Manners {
            inflates: 7,
            ..Manners::default()
        },
        "bytes came",
    );
    // A server that never sends anything.
    refused(
        Manners {
            cut: Some(0),
            ..Manners::default()
        },
        "0 of ",
    );
}

#[test]
fn what_is_missing_is_said() {
    let cache = tempfile::tempdir().unwrap();
    let offline = environment(
        "http://127.0.0.1:9",
        cache.path(),
        &[("HF_HUB_OFFLINE", "1")],
    );
    let message = get(&offline).unwrap_err().to_string();
    assert!(
        message.contains("HF_HUB_OFFLINE is set, and there is nothing of it in"),
        "{message}"
    );
    let files = vec![("README.md".to_owned(), b"# Nothing".to_vec())];
    let server = Server::start(files, &[], Manners::default());
    let message = get(&environment(&server.address, cache.path(), &[]))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("it has README.md; wanted open_clip_config.json"),
        "{message}"
    );
    let hub = Hub {
        environment: &environment(&server.address, cache.path(), &[]),
        pause: Duration::ZERO,
    };
    let none = hub.fetch("us/none", "main", Parts::All, &mut |_| {
        ControlFlow::Continue(())
    });
    let message = none.unwrap_err().to_string();
    assert!(
        message.contains("404") && message.contains("no such file or repository"),
        "{message}"
    );
}

#[test]
fn one_of_two_who_ask_at_once_downloads() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(golden(), LARGE, Manners::default());
    let environment = environment(&server.address, cache.path(), &[]);
    std::thread::scope(|scope| {
        let all = [0, 1, 2].map(|_| scope.spawn(|| get(&environment).unwrap()));
        let places = all.map(|thread| thread.join().unwrap());
        assert!(places.iter().all(|place| *place == places[0]));
    });
    for name in LARGE {
        assert_eq!(
            server.requests(&format!("GET /elsewhere/{name}")),
            1,
            "{name}"
        );
    }
}

#[test]
fn a_download_can_be_interrupted_and_is_gone_on_with() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(golden(), LARGE, Manners::default());
    let environment = environment(&server.address, cache.path(), &[]);
    let hub = Hub {
        environment: &environment,
        pause: Duration::ZERO,
    };
    let told = AtomicUsize::new(0);
    let broken = hub.fetch("us/tiny", "main", Parts::All, &mut |download| {
        told.fetch_add(1, Ordering::Relaxed);
        assert!(download.done <= download.total);
        ControlFlow::Break(())
    });
    assert!(broken.unwrap_err().to_string().contains("interrupted"));
    assert_eq!(told.load(Ordering::Relaxed), 1);
    get(&environment).unwrap();
}

#[test]
fn names_of_repositories_are_told_from_paths() {
    for name in [
        "openai/clip-vit-base-patch32",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        "a/b.c",
    ] {
        assert!(is_repository(name), "{name}");
    }
    for name in [
        "ViT-B-32", "a/b/c", "../b", "/b", "a/", "a/..", "a b/c", "a/.b", "a--b/c", "a/b-",
        "a/b.git", "a/b..c",
    ] {
        assert!(!is_repository(name), "{name}");
    }
}

#[test]
fn openais_files_come_by_their_hash() {
    let bytes = fs_err::read(folder("layouts/openai-vit/script.pt")).unwrap();
    let sha256: &'static str = hex(&Sha256::digest(&bytes)).leak();
    let file = "script.pt";
    let model = OpenAi {
        name: "tiny",
        file,
        sha256,
    };
    let served = |bytes: &[u8]| vec![(format!("{sha256}/{file}"), bytes.to_vec())];
    let fetch = |server: &str, cache: &Path, offline: bool| {
        let mut environment = environment(server, cache, &[]);
        environment.openai = format!("{server}/elsewhere");
        environment.openai_cache = Some(cache.join("clip"));
        environment.offline = offline;
        let pause = Duration::from_millis(1);
        let hub = Hub {
            environment: &environment,
            pause,
        };
        hub.fetch_openai(&model, &mut |_| ControlFlow::Continue(()))
    };
    let cache = tempfile::tempdir().unwrap();
    // Cut again and again, and gone on with.
    let cut = Manners {
        cut: Some(100_000),
        ..Manners::default()
    };
    let server = Server::start(served(&bytes), &[], cut);
    let place = fetch(&server.address, cache.path(), false).unwrap();
    assert_eq!(place, cache.path().join("clip").join(file));
    crate::Clip::open(&place).unwrap();
    assert!(server.requests("bytes=") >= 4);
    // What is there is not asked for.
    assert_eq!(
        fetch("http://127.0.0.1:9", cache.path(), false).unwrap(),
        place
    );
    assert_eq!(
        fetch("http://127.0.0.1:9", cache.path(), true).unwrap(),
        place
    );
    let empty = tempfile::tempdir().unwrap();
    let message = fetch("http://127.0.0.1:9", empty.path(), true)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("HF_HUB_OFFLINE") && message.contains(sha256),
        "{message}"
    );
    // Another file by that name is not kept.
    let server = Server::start(served(&bytes[1..]), &[], Manners::default());
    let message = fetch(&server.address, empty.path(), false)
        .unwrap_err()
        .to_string();
    assert!(message.contains("the hash of what came is"), "{message}");
    assert!(!empty.path().join("clip").join(file).exists());
}

#[test]
fn a_description_needs_no_weights() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(golden(), LARGE, Manners::default());
    let environment = environment(&server.address, cache.path(), &[]);
    let hub = Hub {
        environment: &environment,
        pause: Duration::from_millis(1),
    };
    let mut go_on = |_: Download| ControlFlow::Continue(());
    let place = hub
        .fetch("us/tiny", "main", Parts::Description, &mut go_on)
        .unwrap();
    crate::weights::Description::open(&place).unwrap();
    assert_eq!(server.requests("model-0000"), 0);
    assert_eq!(
        hub.fetch("us/tiny", "main", Parts::All, &mut go_on)
            .unwrap(),
        place
    );
    crate::Clip::open(place).unwrap();
}

#[test]
fn what_is_described_offline_needs_no_weights_and_takes_no_whole_snapshots_place() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(golden(), LARGE, Manners::default());
    let online = environment(&server.address, cache.path(), &[]);
    let offline = environment(&server.address, cache.path(), &[("HF_HUB_OFFLINE", "1")]);
    let fetch = |environment: &Environment, parts| {
        let pause = Duration::from_millis(1);
        let hub = Hub { environment, pause };
        hub.fetch("us/tiny", "main", parts, &mut |_| ControlFlow::Continue(()))
    };
    let place = fetch(&online, Parts::Description).unwrap();
    assert_eq!(fetch(&offline, Parts::Description).unwrap(), place);
    let message = fetch(&offline, Parts::All).unwrap_err().to_string();
    assert!(message.contains("wanted"), "{message}");
    // A whole snapshot of an older commit stays what is opened offline.
    fetch(&online, Parts::All).unwrap();
    let models = cache.path().join("models--us--tiny");
    let older = "f".repeat(40);
    fs_err::rename(&place, models.join("snapshots").join(&older)).unwrap();
    fs_err::write(models.join("refs/main"), &older).unwrap();
    fetch(&online, Parts::Description).unwrap();
    assert!(fetch(&offline, Parts::All).unwrap().ends_with(&older));
}

#[test]
fn an_index_that_names_itself_is_refused() {
    let index = "model.safetensors.index.json";
    let mut files = golden();
    let (_, bytes) = files.iter_mut().find(|(name, _)| name == index).unwrap();
    *bytes = format!(r#"{{"weight_map": {{"logit_scale": "{index}"}}}}"#).into_bytes();
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(files, LARGE, Manners::default());
    let message = get(&environment(&server.address, cache.path(), &[]))
        .unwrap_err()
        .to_string();
    assert!(message.contains("is not the name of a shard"), "{message}");
}

#[test]
fn what_an_earlier_download_left_of_another_file_is_replaced() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(golden(), LARGE, Manners::default());
    let files = golden();
    let (_, shard) = files.iter().find(|(name, _)| name == LARGE[0]).unwrap();
    let blobs = cache.path().join("models--us--tiny/blobs");
    fs_err::create_dir_all(&blobs).unwrap();
    let name = format!("{}.incomplete", hex(&Sha256::digest(shard)));
    fs_err::write(blobs.join(name), [7; 1000]).unwrap();
    let place = get(&environment(&server.address, cache.path(), &[])).unwrap();
    crate::Clip::open(place).unwrap();
}

#[test]
fn paths_that_are_not_there_are_no_repositories() {
    for name in ["runs/best.pt", "src/nothing", "a/model.safetensors"] {
        assert!(is_path(name), "{name}");
    }
    assert!(!is_path("google/siglip2-base-patch16-224"));
}
