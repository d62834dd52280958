//! The bytes that decoders hold at a time, all threads together.
//!
//! A kilobyte may announce a picture of gigabytes, on each thread. So a decoder tells, once it has
//! read the size, how much it will hold, and waits until there is room. A picture that is larger
//! than the whole budget is decoded while no other is. Invariant: who holds a part waits for
//! nobody, so there is always one that goes on. Decoders start no threads and wait
//! for none, `rayon`'s included: a thread of its pool that waits takes other work, which might ask
//! here.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Of the process: a dozen pictures of 24 megapixels, or one of the largest that is allowed.
const BYTES: u64 = 2 << 30;

static BUDGET: Budget = Budget::new(BYTES);

thread_local! {
    /// Parts that this thread holds.
    static HOLDS: Cell<usize> = const { Cell::new(0) };
}

/// A number of bytes, to be shared.
struct Budget {
    all: u64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    held: u64,
    /// Who asks takes a number, and is served in their order: a large picture would wait for ever
    /// behind small ones.
    asked: u64,
    served: u64,
}

impl Budget {
    const fn new(all: u64) -> Self {
        let state = State {
            held: 0,
            asked: 0,
            served: 0,
        };
        Self {
            all,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// A thread that panicked left the numbers as they are.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `bytes` once they are free, or once nothing is held.
    fn take(&self, bytes: u64) {
        let mut state = self.state();
        let number = state.asked;
        state.asked += 1;
        let waits = |state: &mut State| {
            let fits = state.held == 0 || state.held.saturating_add(bytes) <= self.all;
            state.served != number || !fits
        };
        let waited = self.changed.wait_while(state, waits);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.served += 1;
        state.held = state.held.saturating_add(bytes);
        self.changed.notify_all();
    }

    fn give(&self, bytes: u64) {
        let mut state = self.state();
        state.held = state.held.saturating_sub(bytes);
        self.changed.notify_all();
    }
}

/// A part of the budget, given back when it is dropped, on the thread that took it.
pub(super) struct Held {
    budget: &'static Budget,
    bytes: u64,
    here: PhantomData<*const ()>,
}

impl Default for Held {
    fn default() -> Self {
        Self::of(&BUDGET)
    }
}

impl Held {
    /// Nothing yet.
    fn of(budget: &'static Budget) -> Self {
        Self {
            budget,
            bytes: 0,
            here: PhantomData,
        }
    }

    /// Holds so many bytes in all from now on. Waits for them, but on a thread that holds something
    /// already.
    pub(super) fn hold(&mut self, bytes: u64) {
        if bytes <= self.bytes {
            return self.keep(bytes);
        }
        let more = bytes - self.bytes;
        let waits = HOLDS.get() == 0;
        if self.bytes == 0 {
            HOLDS.set(HOLDS.get() + 1);
        }
        self.bytes = bytes;
        if waits {
            self.budget.take(more);
        } else {
            let mut state = self.budget.state();
            state.held = state.held.saturating_add(more);
        }
    }

    /// Gives back all but so many bytes.
    pub(super) fn keep(&mut self, bytes: u64) {
        let less = self.bytes.saturating_sub(bytes);
        if less == 0 {
            return;
        }
        self.budget.give(less);
        self.bytes -= less;
        if self.bytes == 0 {
            HOLDS.set(HOLDS.get() - 1);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keep(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn no_more_is_held_than_there_is_but_by_one_alone() {
        static SMALL: Budget = Budget::new(100);
        static HELD: AtomicU64 = AtomicU64::new(0);
        let most = AtomicU64::new(0);
        let threads = 8;
        let together = Barrier::new(threads);
        std::thread::scope(|scope| {
            for thread in 0..threads as u64 {
                let (most, together) = (&most, &together);
                scope.spawn(move || {
                    together.wait();
                    for i in 0..200 {
                        let bytes = [30, 60, 10, 250][(thread + i) as usize % 4];
                        let mut held = Held::of(&SMALL);
                        held.hold(bytes);
                        let others = HELD.fetch_add(bytes, Ordering::SeqCst);
                        assert!(others == 0 || others + bytes <= 100, "{others} and {bytes}");
                        most.fetch_max(others + bytes, Ordering::SeqCst);
                        std::thread::yield_now();
                        HELD.fetch_sub(bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        // The largest had its turn, and all was given back.
        assert_eq!(most.into_inner(), 250);
        assert_eq!(SMALL.state().held, 0);
    }

    #[test]
    fn who_holds_a_part_does_not_wait() {
        static SMALL: Budget = Budget::new(100);
        let mut outer = Held::of(&SMALL);
        outer.hold(90);
        let mut inner = Held::of(&SMALL);
        inner.hold(50); // would wait for ever
        assert_eq!(SMALL.state().held, 140);
        outer.hold(120);
        outer.keep(20);
        assert_eq!(SMALL.state().held, 70);
        drop(outer);
        drop(inner);
        assert_eq!((SMALL.state().held, HOLDS.get()), (0, 0));
    }

    #[test]
    fn a_decoder_that_panics_gives_its_part_back() {
        static SMALL: Budget = Budget::new(100);
        let caught = crate::guarded(|| {
            let mut held = Held::of(&SMALL);
            held.hold(100);
            let empty: &[u8] = &[];
            empty[0]
        });
        assert!(caught.is_err());
        assert_eq!((SMALL.state().held, HOLDS.get()), (0, 0));
    }
}
