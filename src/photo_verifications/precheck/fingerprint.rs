//! A perceptual fingerprint: alike for copies of one picture, different for two pictures before the same cloth.
//!
//! The signs of the middle frequencies of the picture (a cosine transform of 48×48 cells), once for the whole and once for
//! each of some centred cut-outs, so that a copy whose margins were cut off still meets the original.

use std::f32::consts::PI;

/// Cells of the picture in each direction.
const CELLS: usize = 48;
/// Frequencies that are used in each direction.
const FREQUENCIES: usize = 24;
/// Words of 64 bits for each cut-out.
const WORDS_EACH: usize = 4;
/// Share of the picture that is cut off at each side, for each part of the fingerprint.
const MARGINS: [f32; 6] = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05];

/// The fingerprint of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u64; Self::WORDS]);

impl Fingerprint {
    /// Words of 64 bits that a fingerprint has.
    pub const WORDS: usize = WORDS_EACH * MARGINS.len();
    /// Pairs of parts, as places of their words, that [`Self::distance`] compares: for whoever computes it elsewhere.
    pub const PAIRS: [([usize; WORDS_EACH], [usize; WORDS_EACH]); 2 * MARGINS.len()] = {
        let mut pairs = [([0; WORDS_EACH], [0; WORDS_EACH]); 2 * MARGINS.len()];
        let mut part = 0;
        while part < MARGINS.len() {
            let mut word = 0;
            while word < WORDS_EACH {
                (pairs[2 * part].0[word], pairs[2 * part].1[word]) = (word, part * WORDS_EACH + word);
                (pairs[2 * part + 1].0[word], pairs[2 * part + 1].1[word]) = (part * WORDS_EACH + word, word);
                word += 1;
            }
            part += 1;
        }
        pairs
    };
    /// Greatest distance at which two pictures are the same one, in bits.
    pub const MAX_DISTANCE: u32 = 34;

    /// As numbers that a database can keep.
    pub fn to_words(&self) -> [i64; Self::WORDS] {
        self.0.map(|word| word as i64)
    }

    /// From the numbers of [`Self::to_words`].
    pub fn from_words(words: [i64; Self::WORDS]) -> Self {
        Self(words.map(|word| word as u64))
    }

    /// Bits in which the two differ: the least over the whole of one against the cut-outs of the other, 0 to 256.
    pub fn distance(&self, other: &Self) -> u32 {
        let differ = |(own, others): &([usize; WORDS_EACH], [usize; WORDS_EACH])| {
            own.iter().zip(others).map(|(own, others)| (self.0[*own] ^ other.0[*others]).count_ones()).sum()
        };
        Self::PAIRS.iter().map(differ).min().unwrap_or(u32::MAX)
    }

    /// Of a grey picture.
    pub(super) fn of(grey: &[u8], width: usize, height: usize) -> Self {
        let sums = Sums::of(grey, width, height);
        let mut words = [0; Self::WORDS];
        for (part, margin) in words.chunks_exact_mut(WORDS_EACH).zip(MARGINS) {
            part.copy_from_slice(&hash(&sums.cells(margin)));
        }
        Self(words)
    }
}

/// Sums of everything above and to the left of a point.
struct Sums {
    sums: Vec<u32>,
    width: usize,
    height: usize,
}

impl Sums {
    fn of(grey: &[u8], width: usize, height: usize) -> Self {
        let stride = width + 1;
        let mut sums = vec![0_u32; stride * (height + 1)];
        for y in 0..height {
            let mut row = 0;
            for x in 0..width {
                row += u32::from(grey[y * width + x]);
                sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
            }
        }
        Self { sums, width, height }
    }

    /// The sum up to a point between pixels.
    fn up_to(&self, x: f32, y: f32) -> f64 {
        let (x, y) = (x.clamp(0.0, self.width as f32), y.clamp(0.0, self.height as f32));
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width), (y0 + 1).min(self.height));
        let (fx, fy) = (f64::from(x - x0 as f32), f64::from(y - y0 as f32));
        let at = |x: usize, y: usize| f64::from(self.sums[y * (self.width + 1) + x]);
        let upper = at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx;
        let lower = at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx;
        upper * (1.0 - fy) + lower * fy
    }

    /// Mean brightness of the cells of the picture without its margins.
    fn cells(&self, margin: f32) -> [[f32; CELLS]; CELLS] {
        let (width, height) = (self.width as f32, self.height as f32);
        let edge = |i: usize, size: f32| size * (margin + (1.0 - 2.0 * margin) * i as f32 / CELLS as f32);
        let area = f64::from(width * height * (1.0 - 2.0 * margin).powi(2)) / (CELLS * CELLS) as f64;
        let mut cells = [[0.0; CELLS]; CELLS];
        for (y, row) in cells.iter_mut().enumerate() {
            let (top, bottom) = (edge(y, height), edge(y + 1, height));
            for (x, cell) in row.iter_mut().enumerate() {
                let (left, right) = (edge(x, width), edge(x + 1, width));
                let sum = self.up_to(right, bottom) - self.up_to(left, bottom) - self.up_to(right, top)
                    + self.up_to(left, top);
                *cell = (sum / area) as f32;
            }
        }
        cells
    }
}

/// The signs of 256 frequencies: those of the triangle nearest to the slow end, without the slowest, which are alike for
/// everybody who stands in the middle of a cloth.
fn hash(cells: &[[f32; CELLS]; CELLS]) -> [u64; WORDS_EACH] {
    let wave = |k: usize, i: usize| (PI * k as f32 * (2 * i + 1) as f32 / (2 * CELLS) as f32).cos();
    let mut waves = [[0.0; CELLS]; FREQUENCIES];
    for (k, row) in waves.iter_mut().enumerate() {
        for (i, value) in row.iter_mut().enumerate() {
            *value = wave(k, i);
        }
    }
    let mut rows = [[0.0_f32; FREQUENCIES]; CELLS];
    for (row, cells) in rows.iter_mut().zip(cells) {
        for (value, wave) in row.iter_mut().zip(&waves) {
            *value = cells.iter().zip(wave).map(|(cell, wave)| cell * wave).sum();
        }
    }
    let mut bits = [0_u64; WORDS_EACH];
    let mut n = 0;
    'all: for sum in 3..2 * FREQUENCIES {
        for (v, wave) in waves.iter().enumerate().take(sum + 1) {
            let u = sum - v;
            if u >= FREQUENCIES {
                continue;
            }
            let strength: f32 = rows.iter().zip(wave).map(|(row, wave)| row[u] * wave).sum();
            if strength > 0.0 {
                bits[n / 64] |= 1 << (n % 64);
            }
            n += 1;
            if n == WORDS_EACH * 64 {
                break 'all;
            }
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: usize) -> Vec<u8> {
        (0..240 * 320).map(|i| ((i % 240) * (i / 240 + seed * 37) / (3 + seed) % 256) as u8).collect()
    }

    #[test]
    fn words_keep_the_fingerprint() {
        let one = Fingerprint::of(&drawn(1), 240, 320);
        assert_eq!(Fingerprint::from_words(one.to_words()), one);
        assert_eq!(one.distance(&one), 0);
        let other = Fingerprint::of(&drawn(2), 240, 320);
        assert_eq!(one.distance(&other), other.distance(&one));
        assert!(one.distance(&other) > Fingerprint::MAX_DISTANCE);
    }

    #[test]
    fn a_brighter_copy_is_the_same_picture() {
        let bright: Vec<u8> = drawn(1).iter().map(|value| value / 2 + 60).collect();
        let distance = Fingerprint::of(&drawn(1), 240, 320).distance(&Fingerprint::of(&bright, 240, 320));
        assert!(distance <= 4, "{distance}");
    }
}
