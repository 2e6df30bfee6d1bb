//! The text on the cloth: whether it can be read, and whether it is mirrored. Only with the profile's template.

use super::Region;
use super::picture::{Picture, Rect};
use super::profile::TextTemplate;

/// How well the text of the cloth was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextMatch {
    /// Best correlation with the text, -1 to 1.
    pub upright: f32,
    /// Best correlation with the text's mirror image, -1 to 1.
    pub mirrored: f32,
    /// Where the better of the two was found.
    pub region: Region,
    /// Least correlation at which the text counts as legible, by the profile.
    pub(super) minimal: f32,
}

/// Factor between the sizes that are tried.
const SIZE_STEP: f32 = 1.05;
/// Least spread of the ink channel in a window that may hold text, in steps of 0 to 255.
const MIN_SPREAD: f32 = 12.0;

/// Looks for the text in every size and place that the template allows.
pub(super) fn find(picture: &Picture, template: &TextTemplate) -> TextMatch {
    let shape = Shape::of(template);
    let mirror = shape.mirrored();
    let mut best = TextMatch {
        upright: -1.0,
        mirrored: -1.0,
        region: picture.region(Rect { x0: 0, y0: 0, x1: 1, y1: 1 }),
        minimal: template.minimal_match,
    };
    let mut size = template.height_from.max(0.005);
    while size <= template.height_to * 1.001 {
        let pixels_each = size * picture.height as f32 / shape.height as f32;
        let ink = Ink::of(picture, pixels_each, template.bottom);
        ink.search(&shape, &mirror, |upright, mirrored, x, y| {
            if upright.max(mirrored) > best.upright.max(best.mirrored) {
                let side = |value: usize| f64::from(value as f32 * pixels_each);
                let rect = picture.clip(side(x), side(y), side(shape.width), side(shape.height));
                best.region = picture.region(rect);
            }
            best.upright = best.upright.max(upright);
            best.mirrored = best.mirrored.max(mirrored);
        });
        size *= SIZE_STEP;
    }
    best
}

/// The template as numbers with mean 0 and length 1.
struct Shape {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Shape {
    fn of(template: &TextTemplate) -> Self {
        let width = template.rows.first().map_or(0, |row| row.len());
        let ink = template.rows.iter().flat_map(|row| row.bytes().map(TextTemplate::ink_of));
        let mut values: Vec<f32> = ink.collect();
        let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
        values.iter_mut().for_each(|value| *value -= mean);
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::EPSILON);
        values.iter_mut().for_each(|value| *value /= length);
        Self { width, height: template.rows.len(), values }
    }

    fn mirrored(&self) -> Self {
        let rows = self.values.chunks_exact(self.width.max(1));
        let values = rows.flat_map(|row| row.iter().rev().copied()).collect();
        Self { width: self.width, height: self.height, values }
    }
}

/// The upper part of the picture in its least channel (ink is white, cloth is not), scaled so that the text has the
/// template's size.
struct Ink {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Ink {
    fn of(picture: &Picture, pixels_each: f32, bottom: f32) -> Self {
        let width = (picture.width as f32 / pixels_each) as usize;
        let height = (picture.height as f32 * bottom / pixels_each) as usize;
        let mut values = Vec::with_capacity(width * height);
        let edge = |i: usize, size: usize| ((i as f32 * pixels_each) as usize).min(size);
        for y in 0..height {
            for x in 0..width {
                let (x0, y0) = (edge(x, picture.width), edge(y, picture.height));
                let rect = Rect {
                    x0,
                    y0,
                    x1: edge(x + 1, picture.width).max(x0 + 1).min(picture.width),
                    y1: edge(y + 1, picture.height).max(y0 + 1).min(picture.height),
                };
                let sum: u32 = rect
                    .points(1)
                    .map(|(x, y)| {
                        let [r, g, b] = picture.at(x, y);
                        u32::from(r.min(g).min(b))
                    })
                    .sum();
                values.push(sum as f32 / (rect.width() * rect.height()).max(1) as f32);
            }
        }
        Self { width, height, values }
    }

    /// Correlates both shapes with every window that has enough contrast.
    fn search(&self, shape: &Shape, mirror: &Shape, mut tell: impl FnMut(f32, f32, usize, usize)) {
        if self.width < shape.width || self.height < shape.height {
            return;
        }
        let count = (shape.width * shape.height) as f64;
        let sums = self.sums(f64::from);
        let squares = self.sums(|value| f64::from(value) * f64::from(value));
        for y in 0..=self.height - shape.height {
            for x in 0..=self.width - shape.width {
                let of = |sums: &[f64]| {
                    let at = |x: usize, y: usize| sums[y * (self.width + 1) + x];
                    let (right, bottom) = (x + shape.width, y + shape.height);
                    (at(right, bottom) - at(x, bottom) - at(right, y) + at(x, y)) / count
                };
                let spread = (of(&squares) - of(&sums).powi(2)).max(0.0).sqrt() as f32;
                if spread < MIN_SPREAD {
                    continue;
                }
                let (mut upright, mut mirrored) = (0.0_f32, 0.0_f32);
                let shapes =
                    shape.values.chunks_exact(shape.width).zip(mirror.values.chunks_exact(shape.width));
                for (row, (plain, turned)) in (y..y + shape.height).zip(shapes) {
                    let start = row * self.width + x;
                    let row = &self.values[start..start + shape.width];
                    upright += row.iter().zip(plain).map(|(value, ink)| value * ink).sum::<f32>();
                    mirrored += row.iter().zip(turned).map(|(value, ink)| value * ink).sum::<f32>();
                }
                let length = spread * (count as f32).sqrt();
                tell(upright / length, mirrored / length, x, y);
            }
        }
    }

    /// Sums of everything above and to the left of a point.
    fn sums(&self, of: impl Fn(f32) -> f64) -> Vec<f64> {
        let stride = self.width + 1;
        let mut sums = vec![0.0; stride * (self.height + 1)];
        for y in 0..self.height {
            let mut row = 0.0;
            for x in 0..self.width {
                row += of(self.values[y * self.width + x]);
                sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
            }
        }
        sums
    }
}
