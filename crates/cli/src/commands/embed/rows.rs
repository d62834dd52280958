//! The rows of an array to be: each input's features, or what is said where it has none.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use diptych::Embeddings;
use diptych_files::{Replacement, to_line};

use super::part::{Key, Part};
use crate::arrays::{Array, PATHS, TEXTS, list_of};
use crate::output::quoted;
use crate::{Status, interrupt, output, progress};

/// The rows of a file to be.
pub(super) struct Rows<'a> {
    pub(super) out: &'a Path,
    pub(super) dim: usize,
    pub(super) raw: bool,
    /// Whether bad inputs are passed over.
    pub(super) skip_bad: bool,
    /// Where to list what the rows belong to.
    pub(super) list: Option<PathBuf>,
    /// Rows of earlier calls.
    pub(super) part: Option<Part>,
}

/// Features of some inputs, in order.
type Features<'a> = Box<dyn Iterator<Item = Result<Vec<f32>>> + 'a>;

impl Rows<'_> {
    /// Writes the features of all inputs, whose `names` go into the list; `errors` are of what is
    /// no input at all.
    ///
    /// `key` tells an input from all others, `encode` gives the features of those that no earlier
    /// call has left, and `bad` says what is wrong with the inputs from one on: it is asked
    /// when nothing will be written any more.
    pub(super) fn write<'a>(
        mut self,
        names: &[&[u8]],
        errors: &[anyhow::Error],
        key: impl Fn(usize) -> Result<Key>,
        encode: impl FnOnce(&[usize]) -> Features<'a>,
        bad: impl Fn(usize) -> Vec<anyhow::Error>,
    ) -> Result<Status> {
        interrupt::watch(match self.part {
            Some(_) => "stopping; `--resume` goes on from here",
            None => "stopping, nothing is written",
        })?;
        errors.iter().for_each(output::error);
        if !errors.is_empty() && !self.skip_bad {
            return Ok(self.give_up(bad(0)));
        }
        let n = names.len();
        // An input without a key, as a file that is not there, is told of when it is encoded.
        let keys: Vec<Option<Key>> = match &self.part {
            Some(_) => (0..n).map(|i| key(i).ok()).collect(),
            None => vec![None; n],
        };
        let is_there = |i: &usize| match (&self.part, &keys[*i]) {
            (Some(part), Some(key)) => part.has(key),
            _ => false,
        };
        let todo: Vec<usize> = (0..n).filter(|i| !is_there(i)).collect();
        if todo.len() < n {
            output::message(format_args!("{} of {n} rows were there", n - todo.len()));
        }
        let mut features = encode(&todo);

        let mut file = Array::create(self.out, &[n, self.dim])?;
        // Made now, so that a list that can't be written is told before the work.
        let list = self
            .list
            .as_deref()
            .map(Replacement::create_named)
            .transpose()?;
        let (mut rows, mut listed) = (0, Vec::new());
        let bar = progress::inputs(n);
        for i in 0..n {
            match self.row(keys[i].as_ref(), &mut features) {
                Some(Ok(row)) => {
                    file.write(&row)?;
                    rows += 1;
                    if list.is_some() {
                        listed.extend(to_line(names[i]));
                        listed.push(b'\n');
                    }
                }
                // The model's, whichever input it is.
                Some(Err(error)) if error.is::<diptych::Error>() => return Err(error),
                Some(Err(error)) if self.skip_bad => bar.suspend(|| output::error(&error)),
                Some(Err(error)) => {
                    bar.finish_and_clear();
                    output::error(&error);
                    return Ok(self.give_up(bad(i + 1)));
                }
                None => break,
            }
            if interrupt::asked() {
                return Ok(Status::Interrupted);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if rows < n {
            file.end_here()?;
        }
        file.finish()?;
        if let Some(mut list) = list {
            list.write_all(&listed)?;
            list.commit()?;
        }
        if let Some(part) = self.part.take() {
            part.remove()?;
        }
        self.warn_of_other_lists();
        if let (true, Some(list)) = (rows < n, &self.list) {
            output::message(format_args!(
                "{} of {n} inputs passed over; the {rows} rows of {} are those of {}",
                n - rows,
                quoted(self.out),
                quoted(list)
            ));
        }
        Ok(if rows < n || !errors.is_empty() {
            Status::SomeFailed
        } else {
            Status::Done
        })
    }

    /// An input's row: an earlier call's, or of the next of `features`.
    fn row(&mut self, key: Option<&Key>, features: &mut Features) -> Option<Result<Vec<f32>>> {
        if let (Some(part), Some(key)) = (&mut self.part, key)
            && let Some(row) = part.row(key).transpose()
        {
            return Some(row);
        }
        let made = features.next()?.and_then(|features| {
            let row = if self.raw {
                features
            } else {
                Embeddings::from_features(self.dim, features)?
                    .as_slice()
                    .to_vec()
            };
            if let (Some(part), Some(key)) = (&mut self.part, key) {
                part.add(key, &row)?;
            }
            Ok(row)
        });
        Some(made)
    }

    /// Says of all other bad inputs what is wrong, and what to do.
    fn give_up(&self, bad: Vec<anyhow::Error>) -> Status {
        bad.iter().for_each(output::error);
        output::message(format_args!(
            "\nhint: nothing was written, because rows would no longer match the inputs; leave these out, or let \
             `--skip-bad` do it{}",
            match self.part {
                Some(_) => "; what was encoded is kept for the next `--resume`",
                None => "",
            }
        ));
        Status::SomeFailed
    }

    /// Warns of lists beside the array that are not of this run: they are likely to be an older
    /// array's. They are left there, because a list of inputs may bear such a name, too.
    fn warn_of_other_lists(&self) {
        for list in [PATHS, TEXTS].map(|ending| list_of(self.out, ending)) {
            if self.list.as_ref() != Some(&list) && list.is_file() {
                output::message(format_args!(
                    "warning: {} is not of this run, and its lines may not be the rows of {}",
                    quoted(&list),
                    quoted(self.out)
                ));
            }
        }
    }
}
