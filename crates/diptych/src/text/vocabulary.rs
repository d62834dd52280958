//! A vocabulary of one's own: merges learned from texts.
//!
//! Source: Sennrich, Haddow & Birch, arXiv 1508.07909: the most frequent pair of neighbours becomes
//! a symbol, again and again. Of equally frequent pairs the one with the lower ids is first, so the
//! order of the texts has no effect.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bpe::{Merges, N_BYTE_IDS, spelled};
use super::{ClipTokenizer, SpecialTokens, TextError, clean, split};

/// The least count of a pair that becomes a symbol.
const LEAST: u64 = 2;

/// The most that a word counts, so that sums over all words are exact.
const MOST: u64 = u32::MAX as u64;

impl ClipTokenizer {
    /// Learns a vocabulary of `size` entries from texts, each with how often it counts: CLIP's
    /// cleaning and words, and the merges that make these texts short. A word counts 2³² − 1 times
    /// at the most.
    ///
    /// # Errors
    /// [`TextError::Vocabulary`] if `size` is below 514, or the texts have too few pairs that occur
    /// twice.
    pub fn learn<'a>(
        texts: impl IntoIterator<Item = (&'a str, u64)>,
        size: usize,
        kind: SpecialTokens,
    ) -> Result<Self, TextError> {
        let least = N_BYTE_IDS as usize + 2;
        let Some(wanted) = size.checked_sub(least) else {
            return Err(TextError::Vocabulary { size, most: None });
        };
        let mut counts = FxHashMap::<String, u64>::default();
        let special = kind.spelling();
        for (text, count) in texts {
            for word in split::words(&clean::clean(text), kind) {
                if !special.contains(&word) {
                    let counted = counts.entry(word.to_owned()).or_default();
                    *counted = counted.saturating_add(count).min(MOST);
                }
            }
        }
        let mut learner = Learner::new(&counts);
        while learner.merges.len() < wanted && learner.merge() {}
        if learner.merges.len() < wanted {
            let most = Some(least + learner.merges.len());
            return Err(TextError::Vocabulary { size, most });
        }
        let merges = Merges::of_ids(learner.merges);
        Ok(Self::of_merges(Arc::new(merges), kind))
    }
}

type Pair = (u32, u32);

/// The words as they are spelled so far.
struct Learner {
    /// A word's symbols, and how often it occurs.
    words: Vec<(Vec<u32>, u64)>,
    /// How often a pair of neighbours occurs, and the words that have, or had, it.
    pairs: FxHashMap<Pair, (u64, FxHashSet<u32>)>,
    /// Pairs by a count that each had once; never below the present one.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
    merges: Vec<Pair>,
}

impl Learner {
    fn new(counts: &FxHashMap<String, u64>) -> Self {
        let mut learner = Self {
            words: Vec::new(),
            pairs: FxHashMap::default(),
            queue: BinaryHeap::new(),
            merges: Vec::new(),
        };
        for (word, &count) in counts {
            learner.words.push((spelled(word).collect(), count));
            learner.count(learner.words.len() - 1, true);
        }
        let queued = learner.pairs.iter();
        learner.queue = queued.map(|(&pair, (n, _))| (*n, Reverse(pair))).collect();
        learner
    }

    /// Counts the pairs of a word, or takes them off.
    fn count(&mut self, word: usize, add: bool) {
        let (symbols, count) = &self.words[word];
        for pair in symbols.windows(2) {
            let (n, words) = self.pairs.entry((pair[0], pair[1])).or_default();
            if add {
                *n += count;
                words.insert(word as u32);
            } else {
                *n -= count;
            }
        }
    }

    /// Makes the most frequent pair a symbol; whether there was one.
    fn merge(&mut self) -> bool {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let now = self.pairs.get(&pair).map_or(0, |(n, _)| *n);
            if now < count {
                self.queue.push((now, Reverse(pair)));
                continue;
            }
            if count < LEAST {
                return false;
            }
            self.merges.push(pair);
            self.join(pair);
            return true;
        }
        false
    }

    /// Joins a pair, whose symbol is the last one, wherever it occurs.
    fn join(&mut self, pair: Pair) {
        let id = N_BYTE_IDS + self.merges.len() as u32 - 1;
        let (_, words) = self.pairs.entry(pair).or_default();
        let words = std::mem::take(words);
        let mut grown = FxHashSet::<Pair>::default();
        for word in words {
            let word = word as usize;
            let has = self.words[word]
                .0
                .windows(2)
                .any(|at| (at[0], at[1]) == pair);
            if !has {
                continue;
            }
            self.count(word, false);
            let symbols = &mut self.words[word].0;
            let mut joined = Vec::with_capacity(symbols.len());
            let mut rest = symbols.as_slice();
            while let [first, tail @ ..] = rest {
                if *first == pair.0 && tail.first() == Some(&pair.1) {
                    joined.push(id);
                    rest = &tail[1..];
                } else {
                    joined.push(*first);
                    rest = tail;
                }
            }
            *symbols = joined;
            let around = symbols.windows(2).filter(|at| at.contains(&id));
            grown.extend(around.map(|at| (at[0], at[1])));
            self.count(word, true);
        }
        self.pairs.remove(&pair);
        for pair in grown {
            let count = self.pairs.get(&pair).map_or(0, |(n, _)| *n);
            self.queue.push((count, Reverse(pair)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::Overflow;

    /// The paper's loop, word for word: counts all pairs again for each merge.
    fn naive(counts: &FxHashMap<String, u64>, wanted: usize) -> Vec<Pair> {
        let words = counts.iter();
        let mut words: Vec<(Vec<u32>, u64)> = words
            .map(|(word, &n)| (spelled(word).collect(), n))
            .collect();
        let mut merges = Vec::new();
        while merges.len() < wanted {
            let mut pairs = FxHashMap::<Pair, u64>::default();
            for (word, n) in &words {
                for at in word.windows(2) {
                    *pairs.entry((at[0], at[1])).or_default() += n;
                }
            }
            let new = pairs.iter().filter(|(_, n)| **n >= LEAST);
            let Some((&pair, _)) = new.max_by_key(|(pair, n)| (**n, Reverse(**pair))) else {
                break;
            };
            merges.push(pair);
            let id = N_BYTE_IDS + merges.len() as u32 - 1;
            for (word, _) in &mut words {
                let mut at = 0;
                while at + 1 < word.len() {
                    if (word[at], word[at + 1]) == pair {
                        word.splice(at..at + 2, [id]);
                    }
                    at += 1;
                }
            }
        }
        merges
    }

    proptest! {
        #[test]
        fn merges_are_those_of_counting_anew(words in prop::collection::hash_map("[ab]{1,9}|[a-d猫狗]{1,6}", 1..20u64, 1..12)) {
            let counts: FxHashMap<String, u64> = words.into_iter().collect();
            let mut learner = Learner::new(&counts);
            while learner.merges.len() < 30 && learner.merge() {}
            prop_assert_eq!(learner.merges, naive(&counts, 30));
        }
    }

    #[test]
    fn what_is_learned_is_short_and_comes_back_from_its_file() {
        let texts = [
            ("一只猫在草地上。", 40),
            ("一只狗在沙滩上。", 40),
            ("A cat, a CAT's hat", 9),
        ];
        let learned = ClipTokenizer::learn(texts, 540, SpecialTokens::OpenClip).unwrap();
        assert_eq!(learned.vocab_size(), 540);
        let ids =
            |tokenizer: &ClipTokenizer, text| tokenizer.encode(text, 40, Overflow::Refuse).unwrap();
        // Start, the words of letters, the full stop, end; by bytes it would be 26.
        assert!(ids(&learned, "一只猫在草地上。").len() <= 6);
        assert_eq!(
            learned.decode(&ids(&learned, "一只猫在 Cat")),
            "一只猫在 cat"
        );
        let file = serde_json::to_vec(&learned.to_json()).unwrap();
        let read = ClipTokenizer::from_json(&file).unwrap();
        assert_eq!(read, learned);
        assert_eq!(ids(&read, "一只狗 hats"), ids(&learned, "一只狗 hats"));
        // The order of texts has no effect; CLIP's own list is another.
        let turned = texts.into_iter().rev();
        assert_eq!(
            ClipTokenizer::learn(turned, 540, SpecialTokens::OpenClip).unwrap(),
            learned
        );
        let clips = ClipTokenizer::with_vocab_size(540, SpecialTokens::OpenClip).unwrap();
        assert_ne!(clips, learned);
    }

    #[test]
    fn sizes_that_texts_do_not_give_are_refused() {
        let learn = |size| ClipTokenizer::learn([("aaaa", 2)], size, SpecialTokens::OpenClip);
        assert_eq!(learn(514).unwrap().vocab_size(), 514);
        for (size, words) in [
            (513, "at least 514"),
            (600, "the texts give 517 at the most"),
        ] {
            let message = learn(size).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
