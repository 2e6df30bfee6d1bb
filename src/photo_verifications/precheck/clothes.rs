//! The colour of the top, in the middle of the torso below the face.

use super::Region;
use super::faces::Face;
use super::picture::{Picture, Rect, hsv};

/// Shares of red and blue in the torso region, without skin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clothes {
    /// Share of red, 0 to 1.
    pub red: f32,
    /// Share of blue, 0 to 1.
    pub blue: f32,
    /// Where it was measured.
    pub region: Region,
    /// The same in pixels of the working picture.
    pub(super) rect: Rect,
}

/// Least share of the torso region that must be clothes.
const MIN_CLOTHES: f32 = 0.25;

/// Measures the top. None when the picture ends at the chin, or when nothing but skin is seen.
pub(super) fn measure(picture: &Picture, face: &Face) -> Option<Clothes> {
    let (x, _) = face.centre();
    let side = face.side();
    // Narrow enough that the cloth behind the person is never in it, whatever the colour of the top.
    let rect = picture.clip(x - side * 0.7, face.rect.y1 as f64 + side * 0.4, side * 1.4, side * 1.3);
    if (rect.height() as f64) < side * 0.3 || rect.width() == 0 {
        return None;
    }
    let (mut all, mut clothes, mut red, mut blue) = (0_usize, 0_usize, 0_usize, 0_usize);
    for (x, y) in rect.points(2) {
        all += 1;
        let pixel = picture.at(x, y);
        match tint(pixel) {
            Tint::Skin => continue,
            Tint::Red => red += 1,
            Tint::Blue => blue += 1,
            Tint::Other => {}
        }
        clothes += 1;
    }
    if (clothes as f32) < all as f32 * MIN_CLOTHES {
        return None;
    }
    let share = |count: usize| count as f32 / clothes as f32;
    Some(Clothes { red: share(red), blue: share(blue), region: picture.region(rect), rect })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tint {
    Skin,
    Red,
    Blue,
    Other,
}

/// Dark suits are neither red nor blue: both need a difference of channels that is seen.
fn tint(pixel: [u8; 3]) -> Tint {
    let (hue, saturation, value) = hsv(pixel);
    let chroma = saturation * value;
    if (hue <= 12.0 || hue >= 340.0) && saturation >= 0.55 && chroma >= 0.2 {
        return Tint::Red;
    }
    if (195.0..=260.0).contains(&hue) && saturation >= 0.38 && chroma >= 0.16 {
        return Tint::Blue;
    }
    if (4.0..=40.0).contains(&hue) && (0.18..=0.68).contains(&saturation) && value >= 0.25 {
        return Tint::Skin;
    }
    Tint::Other
}
