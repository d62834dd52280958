//! Files with damage that gets past the first checks: parts that are moved, lengths that lie,
//! checksums that are right.
//!
//! A flipped bit in a PNG is found by its chunk's checksum, and nothing behind it is tried. So a
//! file is taken apart first (`anatomy`), its parts are changed, and what a program checks before
//! it reads on is put right again, mostly.

mod anatomy;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use self::anatomy::Form;
use self::anatomy::{Number, Part, join, parts};

/// Factor by which a file may grow at most: copies of parts of copies would have no end.
const MAX_GROWTH: usize = 4;

/// Makes damaged copies of files, the same ones for a seed.
pub struct Mutator(ChaCha8Rng);

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A copy of a file with one to four faults.
    pub fn damage(&mut self, form: Form, file: &[u8]) -> Vec<u8> {
        let mut parts = parts(form, file);
        for _ in 0..self.0.random_range(1..=4) {
            self.change(&mut parts);
        }
        let is_checked = self.0.random_ratio(7, 8);
        let most = MAX_GROWTH * file.len();
        let mut file = join(form, parts, is_checked);
        if self.0.random_ratio(1, 16) {
            file.truncate(self.0.random_range(0..=file.len()));
        }
        file.truncate(most);
        file
    }

    /// One fault.
    fn change(&mut self, parts: &mut Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        let random = &mut self.0;
        let i = random.random_range(0..parts.len());
        match random.random_range(0..12) {
            0 => drop(parts.remove(i)),
            1 => parts.insert(i, parts[i].clone()),
            2 => {
                let j = random.random_range(0..parts.len());
                parts.swap(i, j);
            }
            3 => {
                // One part's content as another's.
                let j = random.random_range(0..parts.len());
                let body = parts[j].body.clone();
                parts[i].body = body;
            }
            4 => {
                let body = &mut parts[i].body;
                let at = random.random_range(0..=body.len());
                let n = random.random_range(1..40);
                let byte = *[0, 0xff, random.random()].choose(random).unwrap();
                body.splice(at..at, std::iter::repeat_n(byte, n));
            }
            5 => {
                let body = &mut parts[i].body;
                let from = random.random_range(0..=body.len());
                let until = (from + random.random_range(1..40)).min(body.len());
                body.drain(from..until);
            }
            6 => parts[i].digits(random),
            7 | 8 => {
                let body = &mut parts[i].body;
                if !body.is_empty() {
                    let at = random.random_range(0..body.len());
                    body[at] ^= 1 << random.random_range(0..8);
                }
            }
            // Lies about sizes are what costs memory, so they are tried most often.
            _ => {
                let with: Vec<usize> = (0..parts.len())
                    .filter(|&i| !parts[i].numbers.is_empty())
                    .collect();
                if let Some(&i) = with.choose(random) {
                    parts[i].lie(random);
                }
            }
        }
    }
}

impl Part {
    /// Another value for one of its numbers.
    fn lie(&mut self, random: &mut ChaCha8Rng) {
        let Some(&number) = self.numbers.choose(random) else {
            return;
        };
        let most = u64::MAX >> (64 - 8 * number.width as u32);
        let was = self.get(number);
        let choices = [
            0,
            1,
            2,
            was.wrapping_add(1),
            was.wrapping_sub(1),
            was.wrapping_mul(2),
            self.body.len() as u64,
            1 << random.random_range(0..8 * number.width),
            most,
            most - 1,
            most >> 1,
            (most >> 1) + 1,
            random.random(),
        ];
        let value = *choices.choose(random).unwrap() & most;
        self.set(number, value);
        self.is_honest &= !number.is_length;
    }

    /// Another number in place of one that is written in digits.
    fn digits(&mut self, random: &mut ChaCha8Rng) {
        let starts: Vec<usize> = (0..self.body.len())
            .filter(|&i| {
                self.body[i].is_ascii_digit() && (i == 0 || !self.body[i - 1].is_ascii_digit())
            })
            .collect();
        let Some(&from) = starts.choose(random) else {
            return;
        };
        let digits = self.body[from..].iter().take_while(|b| b.is_ascii_digit());
        let until = from + digits.count();
        let number = [
            "0",
            "1",
            "7",
            "65536",
            "4294967295",
            "18446744073709551615",
            "1e400",
            "-1",
        ];
        let number = number.choose(random).unwrap().bytes();
        self.body.splice(from..until, number);
    }

    fn get(&self, Number { at, width, big, .. }: Number) -> u64 {
        let bytes = self.body.get(at..at + width).unwrap_or_default();
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if big {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        }
    }

    fn set(&mut self, Number { at, width, big, .. }: Number, value: u64) {
        let bytes = value.to_be_bytes();
        let mut bytes = bytes[8 - width..].to_vec();
        if !big {
            bytes.reverse();
        }
        if let Some(place) = self.body.get_mut(at..at + width) {
            place.copy_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder;

    fn golden(name: &str) -> Vec<u8> {
        fs_err::read(folder(name)).unwrap()
    }

    #[test]
    fn files_are_put_together_as_they_were() {
        for (form, name) in [
            (Form::Png, "pixels/apng.png"),
            (Form::Jpeg, "pixels/420-progressive-q50.jpg"),
            (Form::Riff, "pixels/animated.webp"),
            (Form::Gif, "pixels/interlaced.gif"),
            (Form::Tiff, "pixels/RGB-predictor.tif"),
            (Form::Zip, "layouts/openai-vit/state_dict.pt"),
            (Form::Safetensors, "tiny-vit/open_clip_model.safetensors"),
            (Form::Pickle, "tensors/torch-4.pkl"),
            (Form::Pickle, "tensors/legacy.pt"),
            (Form::Messages, "layouts/siglip/safetensors/spiece.model"),
            (Form::Bytes, "pixels/24.bmp"),
        ] {
            let file = golden(name);
            let taken = parts(form, &file);
            assert!(
                taken.len() > 2 || matches!(form, Form::Bytes | Form::Tiff),
                "{name}"
            );
            assert!(!taken.iter().all(|part| part.numbers.is_empty()), "{name}");
            assert!(join(form, taken, true) == file, "{name}");
        }
    }

    #[test]
    fn damage_is_the_same_for_a_seed_and_mostly_passes_the_first_check() {
        let file = golden("pixels/RGB-61x40.png");
        let some = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..200)
                .map(|_| mutator.damage(Form::Png, &file))
                .collect::<Vec<_>>()
        };
        let damaged = some(1);
        assert!(damaged == some(1) && damaged != some(2));
        assert!(damaged.iter().filter(|copy| **copy != file).count() > 150);
        let header_is_sound = |copy: &&Vec<u8>| {
            let header = copy.get(12..33).unwrap_or(&[0; 21]);
            crc32fast::hash(&header[..17]).to_be_bytes() == header[17..]
        };
        assert!(damaged.iter().filter(header_is_sound).count() > 100);
    }
}
