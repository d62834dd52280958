//! The suite: each test gets a place where there is no index yet.

pub(crate) mod batches;
pub(crate) mod changes;
pub(crate) mod find;
pub(crate) mod open;
pub(crate) mod portions;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use diptych_index::{
    Change, File, Filter, Hit, Id, Item, Method, Model, Moment, Part, Payload, Query, Result, Store,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub(crate) const DIM: usize = 64;

/// Where an index may be made and opened.
pub(crate) trait Place {
    fn create(&self, model: &Model) -> Result<Box<dyn Store>>;
    fn open(&self) -> Result<Box<dyn Store>>;
    fn change(&self) -> Result<Box<dyn Store>>;

    /// A new index.
    fn fresh(&self) -> Box<dyn Store> {
        self.create(&model()).unwrap()
    }
}

/// Makes a test of each function of the suite; `$place` gives the test named so a place, if there
/// is one.
macro_rules! suite {
    ($place:expr) => {
        $crate::suite::suite!($place, open: a_place_without_an_index_is_named, another_model_is_refused_and_both_are_named,
            what_was_written_is_there_when_opened_again, one_that_reads_does_not_write, notes_are_kept);
        $crate::suite::suite!($place, changes: contents_come_back_whole, a_content_is_found_once_a_file_has_it,
            a_content_goes_with_its_last_file, a_file_has_one_content, a_content_may_be_replaced,
            refused_files_are_listed_until_they_change, what_cant_be_is_refused_and_nothing_of_it_is_made);
        $crate::suite::suite!($place, batches: changes_follow_each_other_in_one_call, many_changes_in_one_call,
            random_changes_make_what_they_make_of_a_list);
        $crate::suite::suite!($place, find: the_nearest_are_those_of_a_plain_comparison, folders_are_not_beginnings_of_names,
            a_span_of_time_leaves_out_what_has_no_date, equal_files_are_one_hit, moments_are_found_one_by_one,
            of_equally_near_ones_the_older_come_first);
        $crate::suite::suite!($place, portions: parts_come_back, parts_that_cant_be_are_refused, a_content_in_portions_is_there_once_it_is_whole,
            what_is_replaced_in_portions_is_found_until_the_new_is_whole, what_is_begun_anew_or_abandoned_is_forgotten,
            what_a_killed_writer_left_is_gone_on_with, what_a_killed_writer_left_is_swept, a_content_is_made_of_an_iterator, threads_read_beside_one_that_writes);
    };
    ($place:expr, $module:ident: $($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                if let Some(place) = $place(stringify!($name)) {
                    $crate::suite::$module::$name(&place);
                }
            }
        )*
    };
}
pub(crate) use suite;

pub(crate) fn model() -> Model {
    Model {
        name: "ViT-test".into(),
        fingerprint: "0123456789abcdef".into(),
        dim: DIM,
    }
}

pub(crate) fn unit(rng: &mut ChaCha8Rng) -> Vec<f32> {
    let values: Vec<f32> = (0..DIM).map(|_| rng.random_range(-1.0..1.0)).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.iter().map(|v| v / length).collect()
}

/// A vector along one axis.
pub(crate) fn axis(at: usize) -> Vec<f32> {
    (0..DIM).map(|i| if i == at { 1.0 } else { 0.0 }).collect()
}

pub(crate) fn id(number: u16) -> Id {
    let mut id = [7; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    Id(id)
}

/// A picture, whose content is known by a number.
pub(crate) fn picture(number: u16, vector: Vec<f32>) -> Item {
    Item {
        id: id(number),
        taken: None,
        phash: None,
        payload: Payload::new(),
        moments: vec![Moment {
            part: Part::default(),
            vector,
        }],
    }
}

/// A film of moments of a second.
pub(crate) fn film(number: u16, vectors: Vec<Vec<f32>>) -> Item {
    let moment = |(i, vector): (usize, Vec<f32>)| {
        let part = Part::during(i as f64, i as f64 + 1.0);
        Moment { part, vector }
    };
    Item {
        moments: vectors.into_iter().enumerate().map(moment).collect(),
        ..picture(number, Vec::new())
    }
}

pub(crate) fn file(path: &str) -> File {
    File {
        path: path.into(),
        size: 3_000_000_000,
        modified: 1_700_000_000_123_456_789,
    }
}

pub(crate) fn link(path: &str, number: u16) -> Change {
    Change::Link(file(path), id(number))
}

pub(crate) fn within(folders: &[&str]) -> Filter {
    Filter {
        within: folders.iter().map(|f| (*f).to_owned()).collect(),
        ..Filter::default()
    }
}

pub(crate) fn search(store: &dyn Store, vector: &[f32], k: usize, filter: &Filter) -> Vec<Hit> {
    let query = Query {
        vector,
        k,
        filter,
        method: Method::Scan,
    };
    store.search(&query).unwrap()
}

/// Ids of the hits that a filter lets through, at most 100, ascending.
pub(crate) fn found(store: &dyn Store, filter: &Filter) -> Vec<Id> {
    let mut ids: Vec<Id> = search(store, &axis(0), 100, filter)
        .into_iter()
        .map(|hit| hit.id)
        .collect();
    ids.sort_unstable();
    ids
}

/// All contents and their files, in the order they came.
pub(crate) fn contents(store: &dyn Store) -> Vec<(Item, Vec<File>)> {
    let mut all = Vec::new();
    store
        .each(&mut |item, files| {
            all.push((item, files));
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

/// All files by their paths, with their contents.
pub(crate) fn files(store: &dyn Store, within: &[&str]) -> BTreeMap<String, Option<Id>> {
    let within: Vec<String> = within.iter().map(|f| (*f).to_owned()).collect();
    let mut all = BTreeMap::new();
    let mut each = |of: File, id: Option<Id>| {
        assert_eq!(of, file(&of.path));
        let twice = all.insert(of.path, id);
        assert_eq!(twice, None, "a file is told once");
    };
    store.files(&within, &mut each).unwrap();
    all
}
