//! One index into another, so that many machines can encode and one can hold all.

use std::ops::ControlFlow;

use diptych_index::{Change, Item, Store, TakenFrom};

use super::Decoding;
use crate::{Error, Result};

/// Contents that are noted at a time.
const BATCH: usize = 1024;

/// Adds every content of `from`, with its files, to `into`; `watch` is told how many came so far. A
/// file that both hold has what `from` says.
///
/// # Errors
/// [`Error::Index`] if the two are of different models, or one of them can't be read or written.
pub fn merge(
    from: &dyn Store,
    into: &dyn Store,
    watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<u64> {
    let (has, wanted) = (into.model(), from.model());
    if has.fingerprint != wanted.fingerprint || has.dim != wanted.dim {
        return Err(Error::Index(diptych_index::Error::Model {
            place: into.status()?.place,
            has: Box::new(has.clone()),
            wanted: Box::new(wanted.clone()),
        }));
    }
    Decoding::join(into, Decoding::of(from)?)?;
    let mut changes = Vec::new();
    let mut moments = 0;
    let mut n = 0;
    let mut failed = None;
    from.each(&mut |mut item, files| {
        n += 1;
        let id = item.id;
        if let Err(error) = keep_known(into, &mut item) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        moments += item.moments.len();
        changes.push(Change::Put(item));
        changes.extend(files.into_iter().map(|file| Change::Link(file, id)));
        if changes.len().max(moments) < BATCH {
            return ControlFlow::Continue(());
        }
        moments = 0;
        let noted = into.apply(&std::mem::take(&mut changes));
        match noted {
            Ok(()) => watch(n),
            Err(error) => {
                failed = Some(error.into());
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let refused = from.refused()?.into_iter();
    changes.extend(refused.map(|(file, reason)| Change::Refuse(file, reason)));
    into.apply(&changes)?;
    into.settle()?;
    Ok(n)
}

/// Gives a content what an index knows of it and its new version does not say: an older program, or
/// another one, wrote that.
pub(super) fn keep_known(store: &dyn Store, item: &mut Item) -> Result<()> {
    let says_all = |item: &Item| {
        item.phash.is_some()
            && item
                .taken
                .is_some_and(|taken| taken.from != TakenFrom::Unknown)
    };
    if says_all(item) {
        return Ok(());
    }
    let Some(known) = store.item(item.id)? else {
        return Ok(());
    };
    if item.phash.is_none() {
        item.phash = known.phash;
    }
    if item
        .taken
        .is_none_or(|taken| taken.from == TakenFrom::Unknown)
    {
        item.taken = known.taken.or(item.taken);
    }
    Ok(())
}
