//! The check before any human looks. Pure: bytes in, findings out. It may panic inside a decoder: callers run it on a thread
//! of its own and survive that.
//!
//! Today: can it be decoded, is it large enough, was exactly this file used before. The analysis of the picture (faces,
//! backdrop, sharpness, light, perceptual reuse) belongs into [`look_at_picture`].

use std::io::Cursor;

use image::{DynamicImage, GenericImageView, ImageReader, Limits};
use serde::{Deserialize, Serialize};

use crate::catalogue::data;
use crate::external::uploads::FileType;

/// Widest and highest picture that is decoded, in pixels: above any camera, below what exhausts the memory.
const MAX_SIDE: u32 = 12_000;
/// Most memory that decoding may take, in bytes.
const MAX_ALLOCATION: u64 = 256 * 1024 * 1024;

/// Not a decodable JPEG or PNG.
pub const UNREADABLE: &str = "PHOTO_UNREADABLE";
/// Smaller than the photo guide asks for.
pub const TOO_SMALL: &str = "PHOTO_TOO_SMALL";
/// Exactly this file was used before.
pub const REUSED: &str = "PHOTO_REUSED";
/// The check could not run; the reviewer looks without it.
pub const UNAVAILABLE: &str = "PRECHECK_UNAVAILABLE";

crate::text_enum! {
    /// What a finding means for the attempt.
    pub enum Severity {
        /// The photo must be taken again.
        Block = "block",
        /// The reviewer should look closely.
        Warn = "warn",
    }
}

/// Something that the check found, as kept with the attempt. Texts come from the catalogue when it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Code of a rejection reason, or `PRECHECK_UNAVAILABLE`.
    pub code: String,
    /// Whether it blocks.
    pub severity: Severity,
    /// What was measured, with its unit.
    pub measured: Option<String>,
    /// What it should have been.
    pub limit: Option<String>,
}

impl Finding {
    fn block(code: &str, measured: Option<String>, limit: Option<String>) -> Self {
        Self { code: code.to_owned(), severity: Severity::Block, measured, limit }
    }

    /// The check could not run in time.
    pub fn unavailable() -> Self {
        Self { code: UNAVAILABLE.to_owned(), severity: Severity::Warn, measured: None, limit: None }
    }
}

/// Whether one of the findings blocks.
pub fn is_blocked(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Block)
}

/// What the check must know beside the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    /// The same file belongs to another filing, or to an attempt of this one that was decided. Whose it was is never told.
    pub used_elsewhere: bool,
}

/// Checks a photo. Takes memory for the decoded picture and up to a second of one core.
pub fn check(bytes: &[u8], content_type: &str, context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    match decode(bytes, content_type) {
        Ok(picture) => {
            findings.extend(size(picture.dimensions()));
            findings.extend(look_at_picture(&picture));
        }
        Err(unreadable) => findings.push(unreadable),
    }
    if context.used_elsewhere {
        findings.push(Finding::block(REUSED, None, None));
    }
    findings
}

/// The photo cannot be used because it is not what its type says.
pub fn unreadable() -> Finding {
    Finding::block(UNREADABLE, None, Some("JPEG, PNG".to_owned()))
}

/// The picture, within limits against files made to exhaust the memory.
fn decode(bytes: &[u8], content_type: &str) -> Result<DynamicImage, Finding> {
    match FileType::of_content(bytes) {
        Some(kind @ (FileType::Jpeg | FileType::Png)) if kind.as_str() == content_type => {}
        _ => return Err(unreadable()),
    }
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    // The header alone, so that a picture of absurd size is refused by its numbers.
    let (width, height) = reader().map_err(|_| unreadable())?.into_dimensions().map_err(|_| unreadable())?;
    if width > MAX_SIDE || height > MAX_SIDE {
        let limit = format!("{MAX_SIDE}×{MAX_SIDE} px");
        return Err(Finding::block(UNREADABLE, Some(format!("{width}×{height} px")), Some(limit)));
    }
    let mut reader = reader().map_err(|_| unreadable())?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    reader.decode().map_err(|_| unreadable())
}

/// At least 600×800 pixels, whichever way the camera stored it: the decoder does not turn pictures by their orientation tag.
fn size((width, height): (u32, u32)) -> Option<Finding> {
    let guide = data::photo_guide();
    let (short, long) = (guide.min_width.min(guide.min_height), guide.min_width.max(guide.min_height));
    let is_large_enough = width.min(height) >= short && width.max(height) >= long;
    (!is_large_enough).then(|| {
        let limit = format!("{}×{} px", guide.min_width, guide.min_height);
        Finding::block(TOO_SMALL, Some(format!("{width}×{height} px")), Some(limit))
    })
}

/// The place of the picture's analysis: each finding with its measured number, its limit and a code of the catalogue.
fn look_at_picture(_picture: &DynamicImage) -> Vec<Finding> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage};

    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 200]))
            .write_to(&mut bytes, format)
            .unwrap();
        bytes.into_inner()
    }

    fn codes(bytes: &[u8], content_type: &str, context: &Context) -> Vec<String> {
        check(bytes, content_type, context).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_good_photo_has_no_findings_whichever_way_it_lies() {
        for (width, height) in [(600, 800), (800, 600), (1200, 1600)] {
            let jpeg = picture(width, height, ImageFormat::Jpeg);
            assert_eq!(codes(&jpeg, "image/jpeg", &Context::default()), [""; 0]);
        }
        assert_eq!(codes(&picture(600, 800, ImageFormat::Png), "image/png", &Context::default()), [""; 0]);
        assert_eq!(codes(data::photo_guide_example(), "image/jpeg", &Context::default()), [""; 0]);
    }

    #[test]
    fn a_small_photo_is_told_its_measures() {
        let small = check(&picture(599, 800, ImageFormat::Jpeg), "image/jpeg", &Context::default());
        assert_eq!(small.len(), 1);
        assert_eq!(small[0].code, TOO_SMALL);
        assert_eq!(small[0].measured.as_deref(), Some("599×800 px"));
        assert_eq!(small[0].limit.as_deref(), Some("600×800 px"));
        assert_eq!(
            codes(&picture(700, 700, ImageFormat::Jpeg), "image/jpeg", &Context::default()),
            [TOO_SMALL]
        );
    }

    #[test]
    fn what_cannot_be_decoded_is_unreadable() {
        let jpeg = picture(600, 800, ImageFormat::Jpeg);
        let png = picture(600, 800, ImageFormat::Png);
        let mut garbled = jpeg.clone();
        garbled.truncate(40);
        garbled.extend([0x5A; 5000]);
        for (bytes, content_type) in [
            (&b""[..], "image/jpeg"),
            (&b"not a picture"[..], "image/jpeg"),
            (&b"%PDF-1.4"[..], "application/pdf"),
            (&jpeg[..], "image/png"),
            (&png[..png.len() / 2], "image/png"),
            (&garbled[..], "image/jpeg"),
        ] {
            assert_eq!(
                codes(bytes, content_type, &Context::default()),
                [UNREADABLE],
                "{} bytes",
                bytes.len()
            );
        }
    }

    #[test]
    fn a_picture_of_absurd_size_is_refused_by_its_header() {
        // A PNG that claims 60000×60000 pixels.
        let mut png = picture(600, 800, ImageFormat::Png);
        png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        png[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        let findings = check(&png, "image/png", &Context::default());
        assert_eq!(findings[0].code, UNREADABLE);
        assert_eq!(findings[0].measured.as_deref(), Some("60000×60000 px"));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
            )
        })
    }

    #[test]
    fn a_used_photo_is_blocked_without_saying_whose_it_was() {
        let findings =
            check(&picture(600, 800, ImageFormat::Jpeg), "image/jpeg", &Context { used_elsewhere: true });
        assert_eq!(findings, [Finding::block(REUSED, None, None)]);
        assert!(is_blocked(&findings) && !is_blocked(&[Finding::unavailable()]));
    }

    #[test]
    fn every_code_has_its_text() {
        for code in [UNREADABLE, TOO_SMALL, REUSED] {
            assert!(data::rejection_reason(code).is_some(), "{code}");
        }
    }
}
