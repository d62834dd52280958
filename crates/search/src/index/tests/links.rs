//! Names that lead to one file: links to files and folders, and folders that became links.

use std::os::unix::fs::symlink;

use super::super::places;
use super::*;

impl Place {
    /// A folder beside the one that is indexed.
    fn beside(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs_err::create_dir_all(&folder).unwrap();
        folder
    }

    /// Runs over one folder, by the name that it is given.
    fn run_over(&self, store: &mut Local, root: &Path) -> Report {
        let roots = [root.to_owned()];
        let go_on = &mut |_| ControlFlow::Continue(());
        let report = index(&self.clip, store, &roots, &Options::default(), go_on).unwrap();
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
        report
    }

    /// All files of an index, below the folder of the test.
    fn all(&self, store: &dyn Store) -> Vec<String> {
        self.within(store, &[])
    }

    fn within(&self, store: &dyn Store, within: &[String]) -> Vec<String> {
        let top = canonical(self.folder.path()).unwrap();
        let mut names = Vec::new();
        let each = store.files(within, &mut |file, _| {
            let name = Path::new(&file.path).strip_prefix(&top).unwrap();
            names.push(name.to_str().unwrap().to_owned());
        });
        each.unwrap();
        names.sort();
        names
    }
}

#[test]
fn a_file_has_one_place_whatever_links_lead_to_it() {
    let place = Place::new();
    place.draw("a.png", 1);
    place.draw("sub/b.png", 2);
    let elsewhere = place.beside("elsewhere");
    fs_err::copy(place.path("a.png"), elsewhere.join("c.png")).unwrap();
    symlink(place.path("a.png"), place.path("link to a.png")).unwrap();
    symlink(place.path("sub"), place.path("link to sub")).unwrap();
    symlink(&elsewhere, place.path("away")).unwrap();
    symlink(place.pictures(), place.path("circle")).unwrap();
    symlink("nowhere", place.path("dangling.png")).unwrap();
    let mut store = place.store("index");
    let report = place.run(&mut store);
    assert_eq!(report.failed, []);
    let all = ["elsewhere/c.png", "pictures/a.png", "pictures/sub/b.png"];
    assert_eq!(place.all(&store), all);
    assert_eq!(counts(&place.run(&mut store)), [0, 0, 0, 3]);
    // What is asked of the folder is asked of what its links lead to, and a link is what it leads to.
    let ask = |path: PathBuf| place.within(&store, &places(&store, &path).unwrap());
    assert_eq!(ask(place.pictures()), all);
    assert_eq!(ask(place.path("away")), all[..1]);
    assert_eq!(ask(place.path("link to a.png")), all[1..2]);
    assert_eq!(ask(place.path("link to sub")), all[2..]);
    assert_eq!(ask(place.path("sub")), all[2..]);
    // An album of links to what lies elsewhere in the folder.
    fs_err::create_dir(place.path("album")).unwrap();
    symlink("../a.png", place.path("album/best.png")).unwrap();
    assert_eq!(counts(&place.run(&mut store)), [0, 0, 0, 3]);
    let ask = |path: PathBuf| place.within(&store, &places(&store, &path).unwrap());
    assert_eq!(ask(place.path("album")), all[1..2]);
    assert_eq!(ask(place.beside("other")), [""; 0]);
}

#[test]
fn a_folder_and_a_link_to_it_are_one_root() {
    let place = Place::new();
    place.draw("a.png", 1);
    let link = place.folder.path().join("link");
    symlink(place.pictures(), &link).unwrap();
    let mut store = place.store("index");
    assert_eq!(counts(&place.run_over(&mut store, &link)), [1, 0, 0, 0]);
    assert_eq!(counts(&place.run(&mut store)), [0, 0, 0, 1]);
    assert_eq!(place.all(&store), ["pictures/a.png"]);
    let found = place.within(&store, &places(&store, &link).unwrap());
    assert_eq!(found, ["pictures/a.png"]);
}

#[test]
fn what_a_link_leads_to_may_change_and_go() {
    let place = Place::new();
    place.draw("a.png", 1);
    let elsewhere = place.beside("elsewhere");
    for name in ["b.png", "c.png"] {
        fs_err::copy(place.path("a.png"), elsewhere.join(name)).unwrap();
    }
    let single = place.beside("single");
    place.draw("d.png", 4);
    fs_err::rename(place.path("d.png"), single.join("d.png")).unwrap();
    symlink(&elsewhere, place.path("away")).unwrap();
    symlink(single.join("d.png"), place.path("d.png")).unwrap();
    let mut store = place.store("index");
    assert_eq!(counts(&place.run(&mut store)), [2, 2, 0, 0]);
    fs_err::remove_file(elsewhere.join("c.png")).unwrap();
    fs_err::remove_file(single.join("d.png")).unwrap();
    assert_eq!(counts(&place.run(&mut store)), [0, 0, 2, 2]);
    assert_eq!(place.all(&store), ["elsewhere/b.png", "pictures/a.png"]);
    // A folder that is not there may be a disc that is not mounted.
    fs_err::remove_dir_all(&elsewhere).unwrap();
    let report = place.run(&mut store);
    assert_eq!((report.removed, report.emptied.len()), (0, 1));
    assert_eq!(place.all(&store), ["elsewhere/b.png", "pictures/a.png"]);
}

#[test]
fn a_folder_that_became_a_link_keeps_its_embeddings() {
    let place = Place::new();
    for n in 0..3 {
        place.draw(&format!("2024/{n}.png"), n * 50);
    }
    let mut store = place.store("index");
    place.run(&mut store);
    let moved = place.folder.path().join("moved");
    fs_err::rename(place.path("2024"), &moved).unwrap();
    symlink(&moved, place.path("2024")).unwrap();
    assert_eq!(counts(&place.run(&mut store)), [0, 3, 3, 0]);
    let all = ["moved/0.png", "moved/1.png", "moved/2.png"];
    assert_eq!(place.all(&store), all);
    // Its root, too, though that is outside of what is looked through now.
    let roots = place.folder.path().join("roots");
    fs_err::rename(&moved, &roots).unwrap();
    symlink(&roots, &moved).unwrap();
    assert_eq!(counts(&place.run_over(&mut store, &roots)), [0, 3, 3, 0]);
    assert_eq!(
        place.all(&store),
        ["roots/0.png", "roots/1.png", "roots/2.png"]
    );
}

#[test]
fn a_picture_goes_with_the_link_that_led_to_it_unless_its_folder_was_named() {
    let place = Place::new();
    place.draw("a.png", 1);
    let (first, second, third) = (place.beside("1"), place.beside("2"), place.beside("3"));
    for (n, folder) in [(10, &first), (20, &second), (30, &third)] {
        place.draw("new.png", n);
        fs_err::rename(place.path("new.png"), folder.join("new.png")).unwrap();
    }
    symlink(&first, place.path("first")).unwrap();
    symlink(&second, place.path("second")).unwrap();
    // A link in what a link leads to.
    symlink(&third, first.join("third")).unwrap();
    let mut store = place.store("index");
    place.run_over(&mut store, &second);
    assert_eq!(counts(&place.run(&mut store)), [3, 0, 0, 1]);
    fs_err::remove_file(place.path("first")).unwrap();
    fs_err::remove_file(place.path("second")).unwrap();
    assert_eq!(counts(&place.run(&mut store)), [0, 0, 2, 1]);
    assert_eq!(place.all(&store), ["2/new.png", "pictures/a.png"]);
    let asked = places(&store, &place.pictures()).unwrap();
    assert_eq!(place.within(&store, &asked), ["pictures/a.png"]);
    assert_eq!(counts(&place.run(&mut store)), [0, 0, 0, 1]);
}

#[test]
fn a_folder_that_was_named_keeps_what_a_run_by_a_link_would_not_find() {
    let place = Place::new();
    place.draw("a.png", 1);
    let archive = place.beside("archive");
    for name in [".hidden.png", "plain.png"] {
        fs_err::copy(place.path("a.png"), archive.join(name)).unwrap();
    }
    symlink(&archive, place.path("away")).unwrap();
    let mut store = place.store("index");
    let hidden = Options {
        hidden: true,
        ..Options::default()
    };
    let roots = [archive.clone()];
    index(&place.clip, &mut store, &roots, &hidden, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let report = place.run(&mut store);
    assert_eq!(report.removed, 0);
    assert_eq!(
        place.all(&store),
        ["archive/.hidden.png", "archive/plain.png", "pictures/a.png"]
    );
    // Nor does a run elsewhere say anything of it.
    let report = place.run_over(&mut store, &place.beside("empty"));
    assert_eq!((report.removed, report.emptied), (0, Vec::new()));
}

#[test]
fn names_of_another_machine_and_of_a_disc_that_is_away_stay() {
    let place = Place::new();
    place.draw("a.png", 1);
    place.draw("set/b.png", 2);
    let mut store = place.store("index");
    let dim = place.model().dim;
    let mut vector = vec![0.0; dim];
    vector[0] = 1.0;
    let imported = Embedding {
        path: "set/b.png".into(),
        vector,
        payload: Default::default(),
    };
    // Relative, and not there from where this runs.
    adopt(&mut store, vec![imported]).unwrap();
    place.run(&mut store);
    let mut relative = 0;
    let each = store.files(&[], &mut |file, _| {
        relative += u32::from(file.path == "set/b.png")
    });
    each.unwrap();
    assert_eq!(relative, 1);

    let old = place.beside("old");
    fs_err::copy(place.path("a.png"), old.join("c.png")).unwrap();
    place.run_over(&mut store, &old);
    let disc = place.beside("disc");
    fs_err::remove_dir_all(&old).unwrap();
    symlink(&disc, &old).unwrap();
    assert_eq!(place.run_over(&mut store, &disc).removed, 0);
}

#[test]
fn folders_that_link_to_each_other_are_looked_into_once() {
    let place = Place::new();
    const N: usize = 12;
    for n in 0..N {
        place.draw(&format!("{n}/a.png"), n as u8);
    }
    for n in 0..N {
        for other in (0..N).filter(|&other| other != n) {
            let link = place.path(&format!("{n}/to {other}"));
            symlink(place.path(&other.to_string()), link).unwrap();
        }
    }
    // By every path that there is it would take longer than anybody waits.
    let mut store = place.store("index");
    assert_eq!(counts(&place.run(&mut store)), [N, 0, 0, 0]);
}
