//! Batches that are made while a step works.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Products of a thread of its own, one for each step, in order. Dropped, it ends the thread.
pub(super) struct Ahead<'scope, B> {
    made: Receiver<B>,
    maker: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope, B: Send + 'scope> Ahead<'scope, B> {
    /// Begins to make what `make` gives for `steps`.
    ///
    /// One is made while a step works, and one more waits: with a batch of thousands, pictures that
    /// wait are most of the memory.
    pub(super) fn new(
        scope: &'scope Scope<'scope, '_>,
        steps: Range<usize>,
        make: impl Fn(usize) -> B + Send + 'scope,
    ) -> Self {
        let (sender, made) = sync_channel(1);
        let maker = scope.spawn(move || {
            for step in steps {
                if sender.send(make(step)).is_err() {
                    return; // the run has ended early
                }
            }
        });
        Self {
            made,
            maker: Some(maker),
        }
    }
}

impl<B> Iterator for Ahead<'_, B> {
    type Item = B;

    /// The product for the next step; a panic of the maker's goes on here.
    fn next(&mut self) -> Option<B> {
        if let Ok(batch) = self.made.recv() {
            return Some(batch);
        }
        match self.maker.take()?.join() {
            Ok(()) => None,
            Err(panic) => resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn steps_come_in_order_and_a_panic_is_passed_on() {
        let made =
            std::thread::scope(|scope| Ahead::new(scope, 3..7, |step| 2 * step).sum::<usize>());
        assert_eq!(made, 2 * (3 + 4 + 5 + 6));
        // Whoever stops early does not wait for the rest.
        let first =
            std::thread::scope(|scope| Ahead::new(scope, 0..usize::MAX, |step| step).next());
        assert_eq!(first, Some(0));
        let mut seen = Vec::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            std::thread::scope(|scope| {
                let make = |step| {
                    if step < 2 {
                        step
                    } else {
                        panic!("no batch {step}")
                    }
                };
                seen.extend(Ahead::new(scope, 0..4, make).inspect(|step| assert!(*step < 2)));
            });
        }));
        let said = panicked.unwrap_err();
        assert_eq!(said.downcast_ref::<String>().unwrap(), "no batch 2");
    }
}
