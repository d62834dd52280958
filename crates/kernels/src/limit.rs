//! What a machine's arithmetic can do at most: multiply-adds from register to register.

use std::time::{Duration, Instant};

use crate::isa::Isa;
use crate::tile::spin;

/// How long a thread is measured.
const SPAN: Duration = Duration::from_millis(200);

/// Billions of floating-point operations a second in f32 that `threads` threads reach together with the instruction set
/// in use, without reading memory. A multiply-add is two.
pub fn limit_gflops(threads: usize) -> f64 {
    let isa = Isa::current();
    let one = || {
        let start = Instant::now();
        let mut operations = 0u64;
        while start.elapsed() < SPAN {
            operations += spin(isa);
        }
        operations as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let each = threads.into_iter().map(|t| t.join().unwrap_or_default());
        each.sum()
    })
}
