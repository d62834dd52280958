//! Names that lead to one file: links to files and folders, and folders that became links.

use std::os::unix::fs::symlink;

use super::super::places;
use super::*;

impl Album {
    /// A folder beside the one that is indexed.
    fn beside(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs_err::create_dir_all(&folder).unwrap();
        folder
    }

    /// Runs over one folder, by the name that it is given.
    fn run_over(&self, store: &Local, root: &Path) -> Report {
        let roots = [root.to_owned()];
        let go_on = &mut |_| ControlFlow::Continue(());
        let report = index(
            &self.clip,
            store,
            &[&Pictures::default()],
            &roots,
            &Options::default(),
            go_on,
        )
        .unwrap();
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
    let album = Album::new();
    album.draw("a.png", 1);
    album.draw("sub/b.png", 2);
    let elsewhere = album.beside("elsewhere");
    fs_err::copy(album.path("a.png"), elsewhere.join("c.png")).unwrap();
    symlink(album.path("a.png"), album.path("link to a.png")).unwrap();
    symlink(album.path("sub"), album.path("link to sub")).unwrap();
    symlink(&elsewhere, album.path("away")).unwrap();
    symlink(album.pictures(), album.path("circle")).unwrap();
    let store = album.store("index");
    let report = album.run(&store);
    assert_eq!(report.failed, []);
    let all = ["elsewhere/c.png", "pictures/a.png", "pictures/sub/b.png"];
    assert_eq!(album.all(&store), all);
    assert_eq!(counts(&album.run(&store)), [0, 0, 0, 3]);
    // What is asked of the folder is asked of what its links lead to, and a link is what it leads
    // to.
    let ask = |path: PathBuf| album.within(&store, &places(&store, &path).unwrap());
    assert_eq!(ask(album.pictures()), all);
    assert_eq!(ask(album.path("away")), all[..1]);
    assert_eq!(ask(album.path("link to a.png")), all[1..2]);
    assert_eq!(ask(album.path("link to sub")), all[2..]);
    assert_eq!(ask(album.path("sub")), all[2..]);
    // An album of links to what lies elsewhere in the folder.
    fs_err::create_dir(album.path("album")).unwrap();
    symlink("../a.png", album.path("album/best.png")).unwrap();
    assert_eq!(counts(&album.run(&store)), [0, 0, 0, 3]);
    let ask = |path: PathBuf| album.within(&store, &places(&store, &path).unwrap());
    assert_eq!(ask(album.path("album")), all[1..2]);
    assert_eq!(ask(album.beside("other")), [""; 0]);
}

#[test]
fn a_folder_and_a_link_to_it_are_one_root() {
    let album = Album::new();
    album.draw("a.png", 1);
    let link = album.folder.path().join("link");
    symlink(album.pictures(), &link).unwrap();
    let store = album.store("index");
    assert_eq!(counts(&album.run_over(&store, &link)), [1, 0, 0, 0]);
    assert_eq!(counts(&album.run(&store)), [0, 0, 0, 1]);
    assert_eq!(album.all(&store), ["pictures/a.png"]);
    let found = album.within(&store, &places(&store, &link).unwrap());
    assert_eq!(found, ["pictures/a.png"]);
}

#[test]
fn what_a_link_leads_to_may_change_and_go() {
    let album = Album::new();
    album.draw("a.png", 1);
    let elsewhere = album.beside("elsewhere");
    for name in ["b.png", "c.png"] {
        fs_err::copy(album.path("a.png"), elsewhere.join(name)).unwrap();
    }
    let single = album.beside("single");
    album.draw("d.png", 4);
    fs_err::rename(album.path("d.png"), single.join("d.png")).unwrap();
    symlink(&elsewhere, album.path("away")).unwrap();
    symlink(single.join("d.png"), album.path("d.png")).unwrap();
    let store = album.store("index");
    assert_eq!(counts(&album.run(&store)), [2, 2, 0, 0]);
    fs_err::remove_file(elsewhere.join("c.png")).unwrap();
    fs_err::remove_file(single.join("d.png")).unwrap();
    assert_eq!(counts(&album.run(&store)), [0, 0, 2, 2]);
    assert_eq!(album.all(&store), ["elsewhere/b.png", "pictures/a.png"]);
    // A folder that is not there may be a disc that is not mounted.
    fs_err::remove_dir_all(&elsewhere).unwrap();
    let report = album.run(&store);
    assert_eq!((report.removed, report.emptied.len()), (0, 1));
    assert_eq!(album.all(&store), ["elsewhere/b.png", "pictures/a.png"]);
}

#[test]
fn a_folder_that_became_a_link_keeps_its_embeddings() {
    let album = Album::new();
    for n in 0..3 {
        album.draw(&format!("2024/{n}.png"), n * 50);
    }
    let store = album.store("index");
    album.run(&store);
    let moved = album.folder.path().join("moved");
    fs_err::rename(album.path("2024"), &moved).unwrap();
    symlink(&moved, album.path("2024")).unwrap();
    assert_eq!(counts(&album.run(&store)), [0, 3, 3, 0]);
    let all = ["moved/0.png", "moved/1.png", "moved/2.png"];
    assert_eq!(album.all(&store), all);
    // Its root, too, though that is outside of what is looked through now.
    let roots = album.folder.path().join("roots");
    fs_err::rename(&moved, &roots).unwrap();
    symlink(&roots, &moved).unwrap();
    assert_eq!(counts(&album.run_over(&store, &roots)), [0, 3, 3, 0]);
    assert_eq!(
        album.all(&store),
        ["roots/0.png", "roots/1.png", "roots/2.png"]
    );
}

#[test]
fn a_picture_goes_with_the_link_that_led_to_it_unless_its_folder_was_named() {
    let album = Album::new();
    album.draw("a.png", 1);
    let (first, second, third) = (album.beside("1"), album.beside("2"), album.beside("3"));
    for (n, folder) in [(10, &first), (20, &second), (30, &third)] {
        album.draw("new.png", n);
        fs_err::rename(album.path("new.png"), folder.join("new.png")).unwrap();
    }
    symlink(&first, album.path("first")).unwrap();
    symlink(&second, album.path("second")).unwrap();
    // A link in what a link leads to.
    symlink(&third, first.join("third")).unwrap();
    let store = album.store("index");
    album.run_over(&store, &second);
    assert_eq!(counts(&album.run(&store)), [3, 0, 0, 1]);
    fs_err::remove_file(album.path("first")).unwrap();
    fs_err::remove_file(album.path("second")).unwrap();
    assert_eq!(counts(&album.run(&store)), [0, 0, 2, 1]);
    assert_eq!(album.all(&store), ["2/new.png", "pictures/a.png"]);
    let asked = places(&store, &album.pictures()).unwrap();
    assert_eq!(album.within(&store, &asked), ["pictures/a.png"]);
    assert_eq!(counts(&album.run(&store)), [0, 0, 0, 1]);
}

#[test]
fn a_folder_that_was_named_keeps_what_a_run_by_a_link_would_not_find() {
    let album = Album::new();
    album.draw("a.png", 1);
    let archive = album.beside("archive");
    for name in [".hidden.png", "plain.png"] {
        fs_err::copy(album.path("a.png"), archive.join(name)).unwrap();
    }
    symlink(&archive, album.path("away")).unwrap();
    let store = album.store("index");
    let hidden = Options {
        hidden: true,
        ..Options::default()
    };
    let roots = [archive.clone()];
    index(
        &album.clip,
        &store,
        &[&Pictures::default()],
        &roots,
        &hidden,
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap();
    let report = album.run(&store);
    assert_eq!(report.removed, 0);
    assert_eq!(
        album.all(&store),
        ["archive/.hidden.png", "archive/plain.png", "pictures/a.png"]
    );
    // Nor does a run elsewhere say anything of it.
    let report = album.run_over(&store, &album.beside("empty"));
    assert_eq!((report.removed, report.emptied), (0, Vec::new()));
}

#[test]
fn names_of_another_machine_and_of_a_disc_that_is_away_stay() {
    let album = Album::new();
    album.draw("a.png", 1);
    album.draw("set/b.png", 2);
    let store = album.store("index");
    let dim = album.model().dim;
    let mut vector = vec![0.0; dim];
    vector[0] = 1.0;
    let imported = Embedding {
        path: "set/b.png".into(),
        vector,
        payload: Default::default(),
    };
    // Relative, and not there from where this runs.
    adopt(&store, vec![imported]).unwrap();
    album.run(&store);
    let mut relative = 0;
    let each = store.files(&[], &mut |file, _| {
        relative += u32::from(file.path == "set/b.png")
    });
    each.unwrap();
    assert_eq!(relative, 1);

    let old = album.beside("old");
    fs_err::copy(album.path("a.png"), old.join("c.png")).unwrap();
    album.run_over(&store, &old);
    let disc = album.beside("disc");
    fs_err::remove_dir_all(&old).unwrap();
    symlink(&disc, &old).unwrap();
    assert_eq!(album.run_over(&store, &disc).removed, 0);
}

#[test]
fn folders_that_link_to_each_other_are_looked_into_once() {
    let album = Album::new();
    const N: usize = 12;
    for n in 0..N {
        album.draw(&format!("{n}/a.png"), n as u8);
    }
    for n in 0..N {
        for other in (0..N).filter(|&other| other != n) {
            let link = album.path(&format!("{n}/to {other}"));
            symlink(album.path(&other.to_string()), link).unwrap();
        }
    }
    // By every path that there is it would take longer than anybody waits.
    let store = album.store("index");
    assert_eq!(counts(&album.run(&store)), [N, 0, 0, 0]);
}

#[test]
fn links_that_lead_nowhere_are_told_unless_they_are_left_out() {
    let album = Album::new();
    album.draw("a.png", 1);
    for name in [
        "lost.png",
        "folder",
        "sub/deep.jpg",
        "sub/ignored.jpg",
        ".hidden.png",
        "no.tmp.png",
    ] {
        fs_err::create_dir_all(album.path("sub")).unwrap();
        symlink("nowhere", album.path(name)).unwrap();
    }
    album.write("sub/.diptychignore", b"ignored.*");
    let store = album.store("index");
    let options = Options {
        exclude: vec!["*.tmp.png".into()],
        ..Options::default()
    };
    for _ in 0..2 {
        let report = album.run_with(&store, &options);
        let mut failed = report.failed;
        failed.sort_by(|a, b| a.path.cmp(&b.path));
        let wanted = ["lost.png", "sub/deep.jpg"].map(|name| Failed {
            path: canonical(&album.pictures())
                .unwrap()
                .join(name)
                .to_str()
                .unwrap()
                .to_owned(),
            reason: "it is a link to nowhere, which is not there".to_owned(),
            needs: None,
        });
        assert_eq!(failed, wanted);
        assert_eq!(report.skipped, [("links that lead nowhere", 1)].into());
    }
    // What became such a link is gone.
    fs_err::remove_file(album.path("a.png")).unwrap();
    symlink("nowhere", album.path("a.png")).unwrap();
    let options = Options {
        forget_emptied: true,
        ..options
    };
    assert_eq!(album.run_with(&store, &options).removed, 1);
}
