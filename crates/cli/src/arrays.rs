//! NumPy files that a command writes: at a path, or on stdout for `-`, whole or not at all there,
//! too.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use diptych_files::npy::{NpyWriter, Result as Written};
use tempfile::TempDir;

use crate::output::Data;
use crate::outputs::{self, Kind};

/// The name that stands for stdout.
pub(crate) const STDOUT: &str = "-";

/// Endings of the lists of what an array's rows belong to.
pub(crate) const PATHS: &str = "paths.txt";
pub(crate) const TEXTS: &str = "texts.txt";

/// The list beside an array: `x.paths.txt` of `x.npy`. Any other ending is a part of the name:
/// `x.1` and `x.2` are two arrays.
pub(crate) fn list_of(array: &Path, ending: &str) -> PathBuf {
    let stem = if array.extension().is_some_and(|e| e == "npy") {
        array.with_extension("")
    } else {
        array.to_owned()
    };
    let mut list = stem.into_os_string();
    list.push(".");
    list.push(ending);
    list.into()
}

/// Whether an array at `out` is a plain file, beside which a list can stand: no stdout, device or
/// pipe.
pub(crate) fn is_plain(out: &Path) -> bool {
    out != Path::new(STDOUT) && diptych_files::metadata(out).map_or(true, |out| out.is_file())
}

/// An array on its way.
pub(crate) struct Array {
    writer: NpyWriter,
    /// Where it is made that goes to stdout: how many rows it has stands at its beginning, and is
    /// known at its end.
    aside: Option<TempDir>,
}

impl Array {
    /// Refuses an `out`, or a `list` beside it, that would take the place of anything else, or of
    /// one of the `inputs`.
    pub(crate) fn check<'a, I>(
        out: &Path,
        list: Option<&Path>,
        inputs: impl Fn() -> I,
    ) -> Result<()>
    where
        I: IntoIterator<Item = &'a Path>,
    {
        if out == Path::new(STDOUT) {
            return Ok(());
        }
        outputs::check(out, Kind::Array, inputs())?;
        list.map_or(Ok(()), |list| {
            outputs::check(list, Kind::ListOf(out), inputs())
        })
    }

    /// Begins an array at `out`.
    pub(crate) fn create(out: &Path, shape: &[usize]) -> Result<Self> {
        if out != Path::new(STDOUT) {
            let writer = NpyWriter::create(out, shape)?;
            return Ok(Self {
                writer,
                aside: None,
            });
        }
        ensure!(
            !std::io::stdout().is_terminal(),
            "stdout is a terminal, and an array is nothing to read; name a file, or lead it into one or a program"
        );
        let aside = tempfile::tempdir()?;
        Ok(Self {
            writer: NpyWriter::create(&aside.path().join(NAME), shape)?,
            aside: Some(aside),
        })
    }

    /// Adds the next values.
    pub(crate) fn write(&mut self, values: &[f32]) -> Written<()> {
        self.writer.write(values)
    }

    /// Makes do with the rows that have been written.
    pub(crate) fn end_here(&mut self) -> Written<()> {
        self.writer.end_here()
    }

    /// Gives the whole array its name, or to stdout.
    pub(crate) fn finish(self) -> Result<()> {
        self.writer.finish()?;
        let Some(aside) = self.aside else {
            return Ok(());
        };
        let mut data = Data::new();
        data.copy(&mut fs_err::File::open(aside.path().join(NAME))?)?;
        data.flush()
    }
}

/// Its name while it is made.
const NAME: &str = "array.npy";
