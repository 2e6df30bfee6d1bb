//! The picture that everything is measured on: upright, in colour, its long side at most 800 pixels.

use super::Region;

/// Long side of the picture that is measured, in pixels.
pub(super) const WORKING_SIDE: u32 = 800;

/// An upright picture in 8-bit sRGB.
#[derive(Clone)]
pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    /// Rows of red, green, blue.
    pub rgb: Vec<u8>,
    /// Pixels of the upright original for each pixel here.
    pub scale: f64,
}

impl Picture {
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let i = (y * self.width + x) * 3;
        [self.rgb[i], self.rgb[i + 1], self.rgb[i + 2]]
    }

    /// Luminance (BT.601), 0 to 255.
    pub fn grey(&self) -> Vec<u8> {
        self.rgb.chunks_exact(3).map(|p| luminance([p[0], p[1], p[2]])).collect()
    }

    /// A rectangle of this picture, clipped to it.
    pub fn clip(&self, x: f64, y: f64, width: f64, height: f64) -> Rect {
        let limit = |value: f64, size: usize| value.clamp(0.0, size as f64) as usize;
        Rect {
            x0: limit(x, self.width),
            y0: limit(y, self.height),
            x1: limit(x + width, self.width),
            y1: limit(y + height, self.height),
        }
    }

    /// A rectangle of this picture in pixels of the upright original.
    pub fn region(&self, rect: Rect) -> Region {
        let scaled = |value: usize| (value as f64 * self.scale).round() as u32;
        Region {
            x: scaled(rect.x0),
            y: scaled(rect.y0),
            width: scaled(rect.x1.saturating_sub(rect.x0)).max(1),
            height: scaled(rect.y1.saturating_sub(rect.y0)).max(1),
        }
    }
}

/// A rectangle in pixels of a [`Picture`]; the ends are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub x0: usize,
    pub y0: usize,
    pub x1: usize,
    pub y1: usize,
}

impl Rect {
    pub fn width(&self) -> usize {
        self.x1.saturating_sub(self.x0)
    }

    pub fn height(&self) -> usize {
        self.y1.saturating_sub(self.y0)
    }

    /// Its points, row by row, each `step`-th in both directions.
    pub fn points(self, step: usize) -> impl Iterator<Item = (usize, usize)> {
        (self.y0..self.y1)
            .step_by(step.max(1))
            .flat_map(move |y| (self.x0..self.x1).step_by(step.max(1)).map(move |x| (x, y)))
    }
}

/// Luminance (BT.601), 0 to 255.
pub(super) fn luminance([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

/// Hue in degrees, saturation and value from 0 to 1.
pub(super) fn hsv([r, g, b]: [u8; 3]) -> (f32, f32, f32) {
    let (r, g, b) = (f32::from(r), f32::from(g), f32::from(b));
    let max = r.max(g).max(b);
    let min = r.min(g).min(b);
    let range = max - min;
    if range == 0.0 {
        return (0.0, 0.0, max / 255.0);
    }
    let sector = if max == r {
        ((g - b) / range).rem_euclid(6.0)
    } else if max == g {
        (b - r) / range + 2.0
    } else {
        (r - g) / range + 4.0
    };
    (sector * 60.0, range / max, max / 255.0)
}

/// The median; 0 of nothing.
pub(super) fn median(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
