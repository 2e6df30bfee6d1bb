//! Everything about a photo that needs its pixels.

use super::backdrop::{self, Backdrop};
use super::clothes::{self, Clothes};
use super::decode;
use super::exif::Facts;
use super::faces::{self, Face};
use super::fingerprint::Fingerprint;
use super::picture::Rect;
use super::profile::BackdropProfile;
use super::quality::{self, Quality};
use super::text::{self, TextMatch};
use super::{Finding, Region};

/// What was measured of a photo, without any judgement. It holds no pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Examination {
    /// Width of the upright picture, in pixels.
    pub width: u32,
    /// Height of the upright picture, in pixels.
    pub height: u32,
    /// The faces, the widest first.
    pub faces: Vec<Face>,
    /// The cloth.
    pub backdrop: Backdrop,
    /// Sharpness and light.
    pub quality: Quality,
    /// The top; none without a face or when it is not in the picture.
    pub clothes: Option<Clothes>,
    /// The text on the cloth; none when the profile has no template.
    pub text: Option<TextMatch>,
    /// What the metadata tell.
    pub facts: Facts,
    /// The perceptual fingerprint.
    pub fingerprint: Fingerprint,
    /// Size of the working picture, in pixels.
    pub(super) working: (usize, usize),
}

impl Examination {
    /// A rectangle of the working picture in pixels of the upright original.
    pub(super) fn region(&self, rect: Rect) -> Region {
        let scale = f64::from(self.width.max(self.height)) / self.working.0.max(self.working.1).max(1) as f64;
        let scaled = |value: usize| (value as f64 * scale).round() as u32;
        Region {
            x: scaled(rect.x0),
            y: scaled(rect.y0),
            width: scaled(rect.width()).max(1),
            height: scaled(rect.height()).max(1),
        }
    }
}

/// Measures a photo: up to a second of one core and 200 MiB for 12 megapixels.
///
/// # Errors
/// `PHOTO_UNREADABLE`, with the numbers, for anything but a whole JPEG or PNG of 8 bits in grey or colour, of at most
/// 12 000 pixels a side and 50 megapixels.
pub fn examine(bytes: &[u8], content_type: &str, profile: &BackdropProfile) -> Result<Examination, Finding> {
    let decoded = decode::decode(bytes, content_type)?;
    let picture = &decoded.picture;
    let grey = picture.grey();
    let faces = faces::find(picture, &grey);
    let face = faces.first();
    Ok(Examination {
        width: decoded.size.0,
        height: decoded.size.1,
        backdrop: backdrop::measure(picture, &faces, profile),
        quality: quality::measure(picture, &grey, face),
        clothes: face.and_then(|face| clothes::measure(picture, face)),
        text: profile.text.as_ref().map(|template| text::find(picture, template)),
        fingerprint: Fingerprint::of(&grey, picture.width, picture.height),
        working: (picture.width, picture.height),
        facts: decoded.facts,
        faces,
    })
}
