//! The suite on a Qdrant server, a stand-in and a real one, and what only a server can do wrong.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use diptych_index::{Change, Error, Item, Model, Qdrant, Result, Store, put_moments};
use qdrant_client::Qdrant as Client;
use qdrant_client::qdrant::{CreateCollectionBuilder, Distance, VectorParamsBuilder};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Runtime;

use crate::fake::Fake;
use crate::suite::{
    self, DIM, Place, axis, contents, files, found, id, link, model, picture, within,
};

/// A collection that goes with its test, and its server, if that is a stand-in.
struct Collection {
    url: String,
    endpoint: String,
    name: String,
    is_kept: bool,
    fake: Option<Fake>,
    /// Held on a real server, where each collection costs threads and files.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Collection {
    fn on_fake(name: &str) -> Self {
        let fake = Fake::start();
        Self {
            url: fake.url(name),
            endpoint: fake.endpoint(),
            name: name.to_owned(),
            is_kept: false,
            fake: Some(fake),
            _turn: None,
        }
    }

    /// On the server that `DIPTYCH_QDRANT_URL` names, if it does.
    fn on_server(name: &str) -> Option<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let endpoint = std::env::var("DIPTYCH_QDRANT_URL").ok()?;
        let (scheme, server) = endpoint.split_once("://").unwrap();
        let scheme = scheme.replace("http", "qdrant");
        Some(Self {
            url: format!("{scheme}://{}/{name}", server.trim_end_matches('/')),
            name: name.to_owned(),
            is_kept: false,
            fake: None,
            _turn: Some(TURN.lock().unwrap_or_else(|e| e.into_inner())),
            endpoint,
        })
    }

    /// A collection of this test alone, on that server.
    fn of_test(test: &str) -> Option<Self> {
        Self::on_server(&format!("diptych-test-{}-{test}", std::process::id()))
    }

    fn fake(&mut self) -> &mut Fake {
        self.fake.as_mut().unwrap()
    }

    /// Does something to the server behind the store's back.
    fn with<T>(&self, run: impl AsyncFnOnce(Client) -> T) -> T {
        let runtime = Runtime::new().unwrap();
        let client = Client::from_url(&self.endpoint)
            .api_key(std::env::var("QDRANT_API_KEY"))
            .timeout(Duration::from_secs(60))
            .skip_compatibility_check();
        runtime.block_on(run(client.build().unwrap()))
    }

    fn drop_collections(&self) {
        self.with(async |client| {
            for name in [self.name.clone(), format!("{}-files", self.name)] {
                let _ = client.delete_collection(name).await;
            }
        });
    }

    fn make(&self, dim: u64, distance: Distance) {
        self.with(async |client| {
            let vectors = VectorParamsBuilder::new(dim, distance);
            let request = CreateCollectionBuilder::new(&self.name).vectors_config(vectors);
            client.create_collection(request).await.unwrap();
        });
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        if !self.is_kept {
            self.drop_collections();
        }
    }
}

impl Place for Collection {
    fn create(&self, model: &Model) -> Result<Box<dyn Store>> {
        Ok(Box::new(Qdrant::create(&self.url, model)?))
    }

    fn open(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(Qdrant::open(&self.url)?))
    }

    fn change(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(Qdrant::change(&self.url)?))
    }
}

mod on_fake {
    fn place(test: &str) -> Option<super::Collection> {
        Some(super::Collection::on_fake(test))
    }

    crate::suite::suite!(place);
}

mod on_server {
    use super::Collection;

    crate::suite::suite!(Collection::of_test);
}

fn check_both(name: &str, check: impl Fn(&Collection)) {
    check(&Collection::on_fake(name));
    if let Some(place) = Collection::of_test(name) {
        check(&place);
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let mut place = Collection::on_fake("c");
    place.fake().stop();
    let error = place.create(&model()).err().unwrap();
    assert!(matches!(error, Error::Server { .. }), "{error}");
    let said = error.to_string();
    assert!(said.starts_with(&place.url), "{said}");
    assert!(said.contains("no server answers there"), "{said}");
    place.fake().run();
}

#[test]
fn an_address_that_is_none_is_refused() {
    for url in ["http://127.0.0.1:1/a", "qdrant://127.0.0.1:1", "a"] {
        let error = Qdrant::open(url).err().unwrap();
        assert!(error.to_string().starts_with(url), "{error}");
    }
}

#[test]
fn a_missing_collection_is_named() {
    check_both("missing", |place| {
        let said = place.open().err().unwrap().to_string();
        assert_eq!(said, format!("{}: there is no index", place.url));
    });
}

#[test]
fn a_server_that_starts_anew_is_waited_for() {
    let mut place = Collection::on_fake("c");
    let store = place.fresh();
    let put = |number| [Change::Put(picture(number, axis(0))), link("/a", number)];
    store.apply(&put(1)).unwrap();
    place.fake().stop();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| store.apply(&put(2)));
        std::thread::sleep(Duration::from_millis(100));
        place.fake().run();
        writing.join().unwrap().unwrap();
    });
    assert_eq!(found(&*store, &Default::default()), [id(2)]);
}

#[test]
fn a_collection_of_another_program_is_left_alone() {
    use qdrant_client::qdrant::{PointStruct, UpsertPointsBuilder};
    check_both("foreign", |place| {
        place.make(DIM as u64, Distance::Dot);
        let error = place.open().err().unwrap();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        place.with(async |client| {
            let uuid = "00000000-0000-0000-0000-000000000001";
            let point = PointStruct::new(uuid, axis(0), qdrant_client::Payload::new());
            let request = UpsertPointsBuilder::new(&place.name, vec![point]).wait(true);
            client.upsert_points(request).await.unwrap();
        });
        let error = place.create(&model()).err().unwrap();
        assert!(error.to_string().contains("another program"), "{error}");
    });
}

#[test]
fn an_empty_collection_that_fits_becomes_an_index() {
    check_both("empty", |place| {
        place.make(DIM as u64, Distance::Cosine);
        let store = place.fresh();
        let put = [Change::Put(picture(1, axis(0))), link("/a", 1)];
        store.apply(&put).unwrap();
        assert_eq!(found(&*store, &Default::default()), [id(1)]);
    });
}

#[test]
fn a_collection_that_does_not_fit_is_refused() {
    for (dim, distance) in [
        (DIM as u64 + 1, Distance::Dot),
        (DIM as u64, Distance::Euclid),
    ] {
        check_both("other", |place| {
            place.make(dim, distance);
            let error = place.create(&model()).err().unwrap();
            assert!(error.to_string().contains("64 values"), "{error}");
            place.drop_collections();
        });
    }
}

#[test]
fn a_file_may_be_looked_in_as_a_folder_is() {
    check_both("file", |place| {
        let store = place.fresh();
        let put = |number, path| [Change::Put(picture(number, axis(0))), link(path, number)];
        let changes = [put(1, "/a/1"), put(2, "/a/2")].concat();
        store.apply(&changes).unwrap();
        assert_eq!(found(&*store, &within(&["/a/1"])), [id(1)]);
        assert_eq!(files(&*store, &["/a/1"]).len(), 1);
    });
}

/// Says that the content which was begun is whole, as a kill leaves it that comes just after.
fn say_whole(place: &Collection) {
    use qdrant_client::qdrant::points_update_operation::{Operation, SetPayload};
    use qdrant_client::qdrant::{
        PointId, PointsUpdateOperation, ScrollPointsBuilder, UpdateBatchPointsBuilder,
    };
    place.with(async |client| {
        let beside = format!("{}-files", place.name);
        let all = ScrollPointsBuilder::new(&beside)
            .limit(100)
            .with_payload(true);
        let all = client.scroll(all).await.unwrap().result;
        let begun = all.into_iter().find(|p| p.payload.contains_key("whole"));
        let ids: Vec<PointId> = vec![begun.unwrap().id.unwrap()];
        let set = SetPayload {
            payload: [("whole".to_owned(), 1.into())].into(),
            points_selector: Some(ids.into()),
            ..SetPayload::default()
        };
        let step = PointsUpdateOperation {
            operation: Some(Operation::SetPayload(set)),
        };
        let request = UpdateBatchPointsBuilder::new(&beside, vec![step]).wait(true);
        client.update_points_batch(request).await.unwrap();
    });
}

#[test]
fn a_content_whose_end_was_written_down_is_completed() {
    check_both("whole", |place| {
        let store = place.fresh();
        let before = suite::film(1, (0..3).map(axis).collect());
        store.apply(&[Change::Put(before), link("/1", 1)]).unwrap();
        let after = suite::film(1, (5..7).map(axis).collect());
        store.apply(&[Change::Begin(after.clone())]).unwrap();
        drop(store);
        say_whole(place);
        let store = place.change().unwrap();
        assert_eq!(store.item(id(1)).unwrap(), Some(after));
        assert_eq!(store.status().unwrap().vectors, 2);
        assert_eq!(files(&*store, &[])["/1"], Some(id(1)));
        assert!(store.apply(&[Change::Finish(id(1))]).is_err());
    });
}

#[test]
fn an_end_that_failed_half_way_is_made_up_for() {
    let film = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        suite::film(1, (0..600).map(|_| suite::unit(&mut rng)).collect())
    };
    let (before, after, other) = (film(1), film(2), film(3));
    let put = |store: &dyn Store, item: Item| {
        let bare = Item {
            moments: Vec::new(),
            ..item.clone()
        };
        put_moments(store, bare, item.moments.into_iter().map(Ok::<_, Error>))
    };
    let mut place = Collection::on_fake("c");
    let store = place.fresh();
    put(&*store, before).unwrap();
    store.apply(&[link("/1", 1)]).unwrap();
    // Of three requests that write its points the second fails; then it is abandoned.
    place.fake().refuse_after("c", 1);
    assert!(put(&*store, after.clone()).is_err());
    assert_eq!(store.item(id(1)).unwrap().as_ref(), Some(&after));
    // The same, and then it is begun anew.
    let begin = [Change::Begin(other.clone())];
    store.apply(&begin).unwrap();
    place.fake().refuse_after("c", 2);
    assert!(store.apply(&[Change::Finish(id(1))]).is_err());
    let begin = [Change::Begin(after.clone())];
    store.apply(&begin).unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(other));
    store.apply(&[Change::Finish(id(1))]).unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(after));
    assert_eq!(store.status().unwrap().vectors, 600);
}

#[test]
fn a_content_of_which_moments_did_not_come_is_not_finished() {
    let mut place = Collection::on_fake("c");
    let store = place.fresh();
    let film = suite::film(1, (0..300).map(|i| axis(i % 60)).collect());
    let bare = Item {
        moments: Vec::new(),
        ..film.clone()
    };
    store.apply(&[Change::Begin(bare)]).unwrap();
    // That it grows, and its first page.
    place.fake().refuse_after("c-files", 2);
    let extend = [Change::Extend(id(1), film.moments.clone())];
    assert!(store.apply(&extend).is_err());
    let error = store.apply(&[Change::Finish(id(1))]).unwrap_err();
    assert!(error.to_string().contains("256 came"), "{error}");
    assert_eq!(store.has(&[id(1)]).unwrap(), [false]);
    // It is in nobody's way.
    store.apply(&[Change::Begin(film.clone())]).unwrap();
    store
        .apply(&[Change::Finish(id(1)), link("/1", 1)])
        .unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(film));
}

#[test]
fn a_content_that_was_being_forgotten_when_it_was_whole_is_there() {
    let mut place = Collection::on_fake("c");
    let store = place.fresh();
    let film = suite::film(1, (0..2).map(axis).collect());
    store
        .apply(&[Change::Put(film.clone()), link("/1", 1)])
        .unwrap();
    let bare = Item {
        moments: Vec::new(),
        ..film.clone()
    };
    // Its points are written, and what had come of it is removed but for that it was begun.
    store.apply(&[Change::Begin(bare)]).unwrap();
    place.fake().refuse_after("c-files", 1);
    let extend = [Change::Extend(id(1), film.moments.clone())];
    assert!(store.apply(&extend).is_err());
    drop(store);
    say_whole(&place);
    let store = place.change().unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(film));
    assert!(store.apply(&[Change::Finish(id(1))]).is_err());
}

#[test]
fn one_may_ask_from_within_a_runtime() {
    let place = Collection::on_fake("c");
    let store = place.fresh();
    Runtime::new().unwrap().block_on(async {
        let put = [Change::Put(picture(1, axis(0))), link("/a", 1)];
        store.apply(&put).unwrap();
        assert_eq!(contents(&*store).len(), 1);
        drop(store);
    });
}

#[test]
fn many_may_ask_at_a_time() {
    let place = Collection::on_fake("c");
    let store = place.fresh();
    let put = [Change::Put(picture(1, axis(0))), link("/a", 1)];
    store.apply(&put).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(found(&*store, &Default::default()), [id(1)]);
                }
            });
        }
    });
}

/// Collection that stays on a server while it is started anew between the two tests below.
fn kept() -> Option<Collection> {
    let mut kept = Collection::on_server("diptych-test-restart")?;
    kept.is_kept = true;
    Some(kept)
}

#[test]
#[ignore = "the first of two that are run before and after a server is started anew"]
fn before_a_restart() {
    let place = kept().unwrap();
    place.drop_collections();
    let (items, paths) = suite::find::many(&mut ChaCha8Rng::seed_from_u64(6));
    let store = place.fresh();
    store.apply(&suite::find::changes(&items, &paths)).unwrap();
    store.set_note("kept", b"yes").unwrap();
}

#[test]
#[ignore = "the second of two that are run before and after a server is started anew"]
fn after_a_restart() {
    let place = kept().unwrap();
    let (items, paths) = suite::find::many(&mut ChaCha8Rng::seed_from_u64(6));
    let store = place.open().unwrap();
    suite::find::check_all(&*store, &items, &paths);
    assert_eq!(contents(&*store).len(), items.len());
    assert_eq!(files(&*store, &[]).len(), paths.len());
    assert_eq!(store.note("kept").unwrap().as_deref(), Some(&b"yes"[..]));
    place.drop_collections();
}
