//! Sharpness and light.

use super::faces::Face;
use super::picture::{Picture, Rect};

/// How sharp and how bright the picture is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Blur of the face, or of the middle of the picture when there is no face, by comparison with itself blurred once more
    /// (Crété-Roffet et al., 2007): 0 sharp to 1 smooth.
    pub blur: f32,
    /// Mean luminance of the face, or of the picture when there is no face, 0 to 255.
    pub brightness: f32,
    /// Luminance that 95 of 100 pixels of the whole picture do not exceed, 0 to 255.
    pub lights: f32,
    /// Share of pixels of the face, or of the picture when there is no face, that are at the upper end: their brightest
    /// channel is 250 or more.
    pub clipped: f32,
}

/// Measures the picture.
pub(super) fn measure(picture: &Picture, grey: &[u8], face: Option<&Face>) -> Quality {
    let whole = Rect { x0: 0, y0: 0, x1: picture.width, y1: picture.height };
    let middle = Rect {
        x0: picture.width / 5,
        y0: picture.height / 10,
        x1: picture.width - picture.width / 5,
        y1: picture.height - picture.height / 10,
    };
    let rect = face.map_or(whole, |face| face.rect);
    let pixels: Vec<u8> = rect.points(1).map(|(x, y)| grey[y * picture.width + x]).collect();
    let count = pixels.len().max(1) as f32;
    Quality {
        blur: blur(picture.width, grey, face.map_or(middle, |face| face.rect)),
        brightness: pixels.iter().map(|p| f32::from(*p)).sum::<f32>() / count,
        lights: percentile(grey, 0.95),
        clipped: rect.points(1).filter(|(x, y)| picture.at(*x, *y).into_iter().any(|p| p >= 250)).count()
            as f32
            / count,
    }
}

fn percentile(grey: &[u8], share: f32) -> f32 {
    let mut histogram = [0_usize; 256];
    for value in grey {
        histogram[usize::from(*value)] += 1;
    }
    let wanted = (grey.len() as f32 * share) as usize;
    let mut seen = 0;
    for (value, count) in histogram.iter().enumerate() {
        seen += count;
        if seen > wanted {
            return value as f32;
        }
    }
    255.0
}

/// Variation between neighbours that blurring once more would take away, per direction; the worse direction counts.
fn blur(stride: usize, grey: &[u8], rect: Rect) -> f32 {
    const REACH: usize = 4;
    let across = |along_x: bool| {
        let (mut kept, mut all) = (0.0_f64, 0.0_f64);
        let at = |x: usize, y: usize| f64::from(grey[y * stride + x]);
        let (lines, length) =
            if along_x { (rect.height(), rect.width()) } else { (rect.width(), rect.height()) };
        for line in 0..lines {
            let value = |i: usize| {
                if along_x { at(rect.x0 + i, rect.y0 + line) } else { at(rect.x0 + line, rect.y0 + i) }
            };
            let mean = |i: usize| (i - REACH..=i + REACH).map(value).sum::<f64>() / (2 * REACH + 1) as f64;
            for i in REACH + 1..length.saturating_sub(REACH) {
                let sharp = (value(i) - value(i - 1)).abs();
                let smooth = (mean(i) - mean(i - 1)).abs();
                all += sharp;
                kept += (sharp - smooth).max(0.0);
            }
        }
        if all == 0.0 { 1.0 } else { ((all - kept) / all) as f32 }
    };
    across(true).max(across(false))
}
