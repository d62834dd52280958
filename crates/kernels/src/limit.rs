//! The most that a machine's arithmetic can do: multiply-adds from register to register.

use std::time::{Duration, Instant};

use crate::isa::Isa;
use crate::linear::Packing;
use crate::tile::spin;

/// Length of one measurement of the threads, and number of measurements. The best one counts:
/// nothing else ran beside it.
const SPAN: Duration = Duration::from_millis(50);
const ROUNDS: usize = 8;

/// Billions of operations a second in a format that `threads` threads reach together with the
/// instruction set in use, without reading memory. A multiply-add is two.
pub fn limit_gops(threads: usize, packing: Packing) -> f64 {
    let isa = Isa::current();
    let one = || {
        let start = Instant::now();
        let mut operations = 0u64;
        while start.elapsed() < SPAN {
            operations += spin(isa, packing.step());
        }
        operations as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    let together = |_| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
            let each = threads.into_iter().map(|t| t.join().unwrap_or_default());
            each.sum()
        })
    };
    (0..ROUNDS).map(together).fold(0.0, f64::max)
}
