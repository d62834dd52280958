//! The suite on a file of this machine.

use diptych_index::{Local, Model, Result, Store};

use crate::suite::{Place, suite};

struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("index")
    }
}

impl Place for Folder {
    fn create(&self, model: &Model) -> Result<Box<dyn Store>> {
        Ok(Box::new(Local::create(self.path(), model)?))
    }

    fn open(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(Local::open(self.path())?))
    }

    fn change(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(Local::change(self.path())?))
    }
}

fn place(_: &str) -> Option<Folder> {
    Some(Folder(tempfile::tempdir().unwrap()))
}

suite!(place);
