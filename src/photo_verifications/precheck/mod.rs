//! The check of a photo before any human looks. Pure: bytes in, findings out; no network, no clock, no randomness.
//!
//! [`examine`] does what needs the pixels and takes up to a second of one core; [`judge`] compares what was measured with
//! the limits and is cheap; [`check`] is both. Texts come from the rejection reasons of the catalogue, by code. What each
//! finding measures, and how well, stands in `docs/photo-precheck.md`.

mod backdrop;
mod clothes;
mod containers;
mod decode;
mod examination;
mod exif;
mod faces;
mod fingerprint;
mod judge;
mod picture;
mod preview;
mod profile;
mod quality;
mod strip;
mod switches;
mod text;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use backdrop::{Backdrop, Edge};
pub use clothes::Clothes;
pub use examination::{Examination, examine};
pub use exif::Facts;
pub use faces::Face;
pub use fingerprint::Fingerprint;
pub use judge::{Context, judge};
pub use preview::preview;
pub use profile::{BackdropProfile, TextTemplate};
pub use quality::Quality;
pub use strip::strip_metadata;
pub use switches::{PrecheckMode, Switches};
pub use text::TextMatch;

/// Not a decodable JPEG or PNG. It cannot be switched off: nothing else can be said about such a file.
pub const UNREADABLE: &str = "PHOTO_UNREADABLE";
/// Smaller than the photo guide asks for.
pub const TOO_SMALL: &str = "PHOTO_TOO_SMALL";
/// No face was found.
pub const NO_FACE: &str = "PHOTO_NO_FACE";
/// More than one face was found.
pub const SEVERAL_FACES: &str = "PHOTO_SEVERAL_FACES";
/// The face is not in the middle third.
pub const NOT_CENTERED: &str = "PHOTO_NOT_CENTERED";
/// The face is too large, too small, or too near the upper or lower edge for a picture of the upper body.
pub const NOT_UPPER_BODY: &str = "PHOTO_NOT_UPPER_BODY";
/// The provider's cloth is not behind the person.
pub const BACKDROP_MISSING: &str = "PHOTO_BACKDROP_MISSING";
/// The cloth does not reach the left, right or upper edge.
pub const BACKDROP_CROPPED: &str = "PHOTO_BACKDROP_CROPPED";
/// The text of the cloth cannot be read.
pub const TEXT_UNCLEAR: &str = "PHOTO_TEXT_UNCLEAR";
/// The text of the cloth is mirrored.
pub const MIRRORED: &str = "PHOTO_MIRRORED";
/// A red or blue top.
pub const CLOTHES_COLOUR: &str = "PHOTO_CLOTHES_COLOUR";
/// Taken before the initial review, or in another season.
pub const CLOTHES_SEASON: &str = "PHOTO_CLOTHES_SEASON";
/// This picture was used before.
pub const REUSED: &str = "PHOTO_REUSED";
/// Saved by an editor.
pub const EDITED: &str = "PHOTO_EDITED";
/// Not sharp.
pub const BLURRED: &str = "PHOTO_BLURRED";
/// Too dark or too bright.
pub const EXPOSURE: &str = "PHOTO_EXPOSURE";
/// The check could not run; the reviewer looks without it.
pub const UNAVAILABLE: &str = "PRECHECK_UNAVAILABLE";

crate::text_enum! {
    /// What a finding means for the attempt.
    #[schema(as = PhotoFindingSeverity)]
    pub enum Severity {
        /// The photo must be taken again.
        Block = "block",
        /// The reviewer should look closely.
        Warn = "warn",
    }
}

/// A rectangle in pixels of the upright picture; the origin is the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

/// Something that the check found, as kept with the attempt. Texts come from the catalogue when it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Code of a rejection reason, or `PRECHECK_UNAVAILABLE`.
    pub code: String,
    /// Whether it blocks.
    pub severity: Severity,
    /// What was measured, with its unit; the same in every language.
    pub measured: Option<String>,
    /// What it should have been.
    pub limit: Option<String>,
    /// Where in the picture.
    #[serde(default)]
    pub region: Option<Region>,
}

impl Finding {
    fn unreadable(measured: Option<String>, limit: &str) -> Self {
        let limit = Some(limit.to_owned());
        Self { code: UNREADABLE.to_owned(), severity: Severity::Block, measured, limit, region: None }
    }

    /// The check could not run in time.
    pub fn unavailable() -> Self {
        let code = UNAVAILABLE.to_owned();
        Self { code, severity: Severity::Warn, measured: None, limit: None, region: None }
    }
}

/// Whether one of the findings blocks.
pub fn is_blocked(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Block)
}

/// The photo cannot be used because it is not what its type says.
pub fn unreadable() -> Finding {
    Finding::unreadable(None, "JPEG, PNG")
}

/// Checks a photo: [`examine`], then [`judge`].
pub fn check(
    bytes: &[u8],
    content_type: &str,
    profile: &BackdropProfile,
    context: &Context<'_>,
) -> Vec<Finding> {
    match examine(bytes, content_type, profile) {
        Ok(examination) => judge(&examination, context),
        Err(unreadable) => vec![unreadable],
    }
}
