//! Few searches at a time, however many ask; the others wait, first come, first served.
//!
//! While no more ask than there are cores, each runs on its caller's thread, and shares its work
//! among all cores. Those that come meanwhile are served by a thread for each core, which takes one
//! after the other, whole; so at the most twice as many run as there are cores. Many more threads
//! would interrupt each other in the middle of a search, and callers that woke each other by turns
//! would leave cores idle meanwhile (`benchmarks/search`).

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads that a search may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Threads {
    One,
    All,
}

/// Searches of this process that run or wait.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// A search that is counted as long as this lives.
struct Asked;

impl Asked {
    /// Counts a search, and says how many there were before.
    fn new() -> (Self, usize) {
        (Self, ASKED.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        ASKED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a search when it is its turn.
pub(super) fn run<T: Send>(search: impl FnOnce(Threads) -> T + Send) -> T {
    // A thread of a pool has its turn already, and must not wait for others of the pool.
    if rayon::current_thread_index().is_some() {
        return search(Threads::All);
    }
    let (_asked, before) = Asked::new();
    if before < cores() {
        return search(Threads::All);
    }
    match pool() {
        Some(pool) => pool.install(|| search(Threads::One)),
        None => search(Threads::All),
    }
}

/// Runs work that many threads share, for one who holds a lock, on threads of its own.
///
/// In a pool of the caller's, a thread that waits for its share of work would be given other work
/// of that pool meanwhile. If that work wants the same lock, the thread waits for itself.
pub(super) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let named = |n| format!("diptych-cells-{n}");
    let pool = ThreadPoolBuilder::new()
        .num_threads(cores())
        .thread_name(named);
    let Ok(pool) = pool.build() else {
        return work(); // the system gives no threads
    };
    // Asked by a thread that is of no pool, which then does nothing else meanwhile.
    let done = std::thread::scope(|scope| scope.spawn(|| pool.install(work)).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Asked once, since the system has it in files.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

/// The threads that search while many ask; none where the system gives none.
fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let new = || {
        let builder = ThreadPoolBuilder::new().num_threads(cores());
        let named = builder.thread_name(|n| format!("diptych-search-{n}"));
        named.build().ok()
    };
    POOL.get_or_init(new).as_ref()
}
