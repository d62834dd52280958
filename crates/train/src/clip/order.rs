//! The order of a run: which sample each of its places shows.
//!
//! A run has `steps · batch_size` places. Without weights its sets are joined into one, each sample
//! as often in it as its set is repeated, and every pass over it is a permutation. With weights
//! each set has passes of its own, and the places are dealt to the sets in blocks: a set's share
//! fixes how many places of a block it gets, and the order in the block is drawn. So the samples
//! that a set has shown before a place are counted without walking the run from its start. For
//! example a set with a quarter of the places gets 4096 of each block of 16,384. Where block 10
//! (from 0) begins, it has shown 40,960 samples; if it has 10,000, it is 960 into its fifth pass.
//! There is no shuffle buffer: with every picture in reach, a pass is a full permutation, which
//! mixes better than a buffer does, and a run is resumed to the bit without saving where a stream
//! was. Invariant: a place's sample is a function of seed, sets and place; what is kept here only
//! saves time.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Places of a block. Shares are exact to one in so many.
const BLOCK: usize = 1 << 14;

/// Permutations kept: those of the pass that ends in a batch and of the one that begins, for a few
/// sets.
const KEPT: usize = 8;

// What a generator is for; 2 is the drawing of a pair. These are part of every run's identity.
const PASS: u64 = 1;
const DEAL: u64 = 3;
const PASS_OF_SET: u64 = 4;

/// A generator for one purpose and one place in the run.
pub(super) fn generator(seed: u64, purpose: u64, place: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose << 56 | place);
    rng
}

/// The samples that are trained on, and the order of their places.
pub(crate) struct Order {
    seed: u64,
    /// Sample numbers, as often as one pass shows them.
    passes: Vec<Vec<u32>>,
    /// Places of a block that each of `passes` gets; empty if there is but one.
    shares: Vec<usize>,
    kept: Mutex<Vec<Kept>>,
}

/// A set's pass, in its order.
struct Kept {
    set: usize,
    epoch: u64,
    order: Arc<[u32]>,
}

/// A place of the run: a pass in its order, and where in it.
#[derive(Clone)]
pub(crate) struct Turn {
    order: Arc<[u32]>,
    at: u64,
}

impl Turn {
    /// The sample to try at this `attempt`, from 0; another takes the place of one that is bad.
    pub(crate) fn sample(&self, attempt: u64) -> u32 {
        // Far apart in the pass, as a damaged stretch of a shard is together; a prime, so that it
        // comes back to where it was only in passes of its multiples.
        const APART: u64 = 7919;
        let n = self.order.len() as u64;
        let step = if n.is_multiple_of(APART) { 1 } else { APART };
        self.order[((self.at + attempt * step) % n) as usize]
    }
}

impl Order {
    /// The order of sets that are one, in which `pass` has each sample as often as it is repeated.
    pub(crate) fn repeated(seed: u64, pass: Vec<u32>) -> Self {
        Self::new(seed, vec![pass], Vec::new())
    }

    /// The order of sets of these weights, all positive. A set of no samples is left out.
    pub(crate) fn weighted(seed: u64, sets: Vec<(Vec<u32>, f64)>) -> Self {
        let sets = sets.into_iter().filter(|(pass, _)| !pass.is_empty());
        let (passes, weights): (Vec<_>, Vec<_>) = sets.unzip();
        Self::new(seed, passes, shares(&weights))
    }

    fn new(seed: u64, passes: Vec<Vec<u32>>, shares: Vec<usize>) -> Self {
        Self {
            seed,
            passes,
            shares,
            kept: Mutex::default(),
        }
    }

    /// Samples in one pass over everything.
    pub(crate) fn pass_len(&self) -> usize {
        self.passes.iter().map(Vec::len).sum()
    }

    /// The turns of some places.
    pub(crate) fn turns(&self, places: Range<u64>) -> Vec<Turn> {
        if self.shares.is_empty() {
            return places.map(|place| self.turn(0, place)).collect();
        }
        let mut turns = Vec::new();
        let mut place = places.start;
        while place < places.end {
            let (block, first) = (place / BLOCK as u64, (place % BLOCK as u64) as usize);
            let last = BLOCK.min(first + (places.end - place) as usize);
            let mut shown: Vec<u64> = self.shares.iter().map(|&n| n as u64 * block).collect();
            for (i, &set) in self.deal(block)[..last].iter().enumerate() {
                if i >= first {
                    turns.push(self.turn(set, shown[set]));
                }
                shown[set] += 1;
            }
            place += (last - first) as u64;
        }
        turns
    }

    /// The turn after `shown` samples of a set.
    fn turn(&self, set: usize, shown: u64) -> Turn {
        let n = self.passes[set].len() as u64;
        Turn {
            order: self.pass(set, shown / n),
            at: shown % n,
        }
    }

    /// Which set each place of a block is dealt to.
    fn deal(&self, block: u64) -> Vec<usize> {
        let sets = self.shares.iter().enumerate();
        let mut deal: Vec<usize> = sets
            .flat_map(|(set, &n)| std::iter::repeat_n(set, n))
            .collect();
        deal.shuffle(&mut generator(self.seed, DEAL, block));
        deal
    }

    /// The order of a set's pass number `epoch`.
    fn pass(&self, set: usize, epoch: u64) -> Arc<[u32]> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |kept: &&Kept| (kept.set, kept.epoch) == (set, epoch);
        if let Some(found) = kept.iter().find(is_it) {
            return found.order.clone();
        }
        let mut rng = if self.shares.is_empty() {
            generator(self.seed, PASS, epoch)
        } else {
            generator(self.seed, PASS_OF_SET, (set as u64) << 40 | epoch)
        };
        let mut order = self.passes[set].clone();
        order.shuffle(&mut rng);
        let order: Arc<[u32]> = order.into();
        let room = KEPT.max(2 * self.passes.len());
        if kept.len() >= room {
            kept.remove(0);
        }
        kept.push(Kept {
            set,
            epoch,
            order: order.clone(),
        });
        order
    }
}

/// Places of a block for each weight: its share rounded down, at least one. Places that are left go
/// to those that rounding took most from; if there are too few, the largest give some up.
fn shares(weights: &[f64]) -> Vec<usize> {
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|w| w / sum * BLOCK as f64).collect();
    let mut shares: Vec<usize> = exact.iter().map(|&share| (share as usize).max(1)).collect();
    if shares.is_empty() {
        return shares;
    }
    let missing = |i: usize, shares: &[usize]| exact[i] - shares[i] as f64;
    while shares.iter().sum::<usize>() != BLOCK {
        let all = 0..shares.len();
        if shares.iter().sum::<usize>() < BLOCK {
            let most = all.max_by(|&i, &j| missing(i, &shares).total_cmp(&missing(j, &shares)));
            most.into_iter().for_each(|i| shares[i] += 1);
        } else {
            let largest = all.max_by_key(|&i| shares[i]);
            largest.into_iter().for_each(|i| shares[i] -= 1);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn samples(order: &Order, places: Range<u64>) -> Vec<u32> {
        order
            .turns(places)
            .iter()
            .map(|turn| turn.sample(0))
            .collect()
    }

    #[test]
    fn a_pass_of_repeated_sets_is_the_permutation_that_it_always_was() {
        let pass: Vec<u32> = vec![0, 1, 2, 3, 4, 3, 4];
        let order = Order::repeated(9, pass.clone());
        let mut want = Vec::new();
        for epoch in 0..3 {
            let mut rng = ChaCha8Rng::seed_from_u64(9);
            rng.set_stream(1 << 56 | epoch);
            let mut pass = pass.clone();
            pass.shuffle(&mut rng);
            want.extend(pass);
        }
        assert_eq!(samples(&order, 0..21), want);
        assert_eq!(samples(&order, 5..16), want[5..16]);
        // Another sample of the same pass stands in for a bad one.
        let turn = &order.turns(8..9)[0];
        assert_eq!(turn.sample(2), want[7 + (1 + 2 * 7919) % 7]);
    }

    #[test]
    fn weights_give_sets_their_shares_and_every_sample_of_a_set_its_turn() {
        let sets = vec![
            ((0..10).collect(), 1.0),
            ((10..13).collect(), 0.5),
            ((13..93).collect(), 2.5),
        ];
        let order = Order::weighted(4, sets);
        assert_eq!(order.pass_len(), 93);
        let n = 2 * BLOCK as u64 + 100;
        let all = samples(&order, 0..n);
        for (set, share) in [(0..10, 0.25), (10..13, 0.125), (13..93, 0.625)] {
            let of_set: Vec<u32> = all.iter().copied().filter(|s| set.contains(s)).collect();
            let got = of_set.len() as f64 / n as f64;
            assert!((got - share).abs() < 1e-3, "{got} of {share}");
            // Within a batch's length it is a matter of chance, but of no long runs.
            let near = all[..1000].iter().filter(|s| set.contains(s)).count() as f64 / 1000.0;
            assert!((near - share).abs() < 0.06, "{near} of {share}");
            for pass in of_set.chunks_exact(set.len()) {
                let mut pass = pass.to_vec();
                pass.sort();
                assert_eq!(
                    pass,
                    set.clone().collect::<Vec<_>>(),
                    "a pass is a permutation"
                );
            }
            let mut counts = HashMap::<u32, usize>::new();
            of_set
                .iter()
                .for_each(|s| *counts.entry(*s).or_default() += 1);
            let (least, most) = (
                counts.values().min().unwrap(),
                counts.values().max().unwrap(),
            );
            assert!(most - least <= 1, "{counts:?}");
        }
        // Any place is reached without those before it, across blocks and after others were asked
        // for.
        let fresh = Order::weighted(
            4,
            vec![
                ((0..10).collect(), 1.0),
                ((10..13).collect(), 0.5),
                ((13..93).collect(), 2.5),
            ],
        );
        let at = BLOCK - 7..BLOCK + 9;
        assert_eq!(samples(&fresh, at.start as u64..at.end as u64), all[at]);
        assert_ne!(
            samples(&Order::weighted(5, vec![((0..93).collect(), 1.0)]), 0..n),
            all
        );
    }

    #[test]
    fn shares_fill_a_block_and_forget_nobody() {
        assert_eq!(shares(&[1.0, 1.0]), [BLOCK / 2; 2]);
        assert_eq!(shares(&[3.0]), [BLOCK]);
        assert_eq!(shares(&[]), [0; 0]);
        let rare = shares(&[1e-300, 1.0, 1e300]);
        assert_eq!(rare, [1, 1, BLOCK - 2]);
        for n in 1..40 {
            let weights: Vec<f64> = (1..=n).map(|i| 1.0 / f64::from(i)).collect();
            assert_eq!(shares(&weights).iter().sum::<usize>(), BLOCK);
        }
    }
}
