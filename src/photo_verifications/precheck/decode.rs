//! From bytes to an upright picture, within limits against files made to exhaust memory or time.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize as resize;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage,
};

use super::containers::{jpeg_segments, png_chunks};
use super::exif::{self, Facts};
use super::picture::{Picture, WORKING_SIDE};
use super::{Finding, unreadable};

/// Widest and highest picture that is decoded, in pixels: above any camera, below what exhausts the memory.
const MAX_SIDE: u32 = 12_000;
/// Most pixels that are decoded: the largest sensors of telephones (50 megapixels) pass. The decoded picture takes three
/// bytes for each, a progressive JPEG up to six more while it is decoded.
const MAX_PIXELS: u64 = 50_000_000;
/// Most memory that the decoder may take for its own buffers, in bytes.
const MAX_ALLOCATION: u64 = 256 * 1024 * 1024;

/// What a file holds.
pub(super) struct Decoded {
    /// Upright, scaled down.
    pub picture: Picture,
    /// Size of the upright original, in pixels.
    pub size: (u32, u32),
    /// What its metadata tell.
    pub facts: Facts,
}

/// Decodes, scales down, turns upright. A decoder that panics is a file that cannot be read.
pub(super) fn decode(bytes: &[u8], content_type: &str) -> Result<Decoded, Finding> {
    catch_unwind(AssertUnwindSafe(|| decode_within_limits(bytes, content_type, WORKING_SIDE)))
        .unwrap_or_else(|_| Err(unreadable()))
}

/// As [`decode`], with another long side.
pub(super) fn decode_to(bytes: &[u8], content_type: &str, long_side: u32) -> Option<Picture> {
    catch_unwind(AssertUnwindSafe(|| decode_within_limits(bytes, content_type, long_side)))
        .ok()?
        .ok()
        .map(|decoded| decoded.picture)
}

fn decode_within_limits(bytes: &[u8], content_type: &str, long_side: u32) -> Result<Decoded, Finding> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) if format.to_mime_type() == content_type => {
            format
        }
        _ => return Err(unreadable()),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = None;
    limits.max_image_height = None;
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| unreadable())?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    check_kind(bytes, format, &decoder)?;
    let raw_exif = decoder.exif_metadata().ok().flatten();
    let orientation =
        raw_exif.as_deref().and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let xmp = decoder.xmp_metadata().ok().flatten();
    let facts = exif::read(raw_exif, xmp.as_deref());
    let whole = DynamicImage::from_decoder(decoder).map_err(|_| unreadable())?.into_rgb8();
    let small = scale_down(whole, long_side).ok_or_else(unreadable)?;
    let scale = f64::from(width.max(height)) / f64::from(small.width().max(small.height()));
    let mut small = DynamicImage::ImageRgb8(small);
    small.apply_orientation(orientation);
    let small = small.into_rgb8();
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let picture = Picture {
        width: small.width() as usize,
        height: small.height() as usize,
        rgb: small.into_raw(),
        scale,
    };
    Ok(Decoded { picture, size: if is_turned { (height, width) } else { (width, height) }, facts })
}

/// Refuses by the numbers of the header, before any pixel is decoded.
fn check_size(width: u32, height: u32) -> Result<(), Finding> {
    if width > MAX_SIDE || height > MAX_SIDE {
        let limit = format!("≤ {MAX_SIDE}×{MAX_SIDE} px");
        return Err(Finding::unreadable(Some(format!("{width}×{height} px")), &limit));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let limit = format!("≤ {} MP", MAX_PIXELS / 1_000_000);
        return Err(Finding::unreadable(Some(format!("{width}×{height} px")), &limit));
    }
    Ok(())
}

/// Cameras write JPEGs in grey or YCbCr and, as screenshots, PNGs of 8 bits with one frame. Anything else comes from other
/// programs, and viewers show it differently; a file that breaks off is no original.
fn check_kind(bytes: &[u8], format: ImageFormat, decoder: &impl ImageDecoder) -> Result<(), Finding> {
    if format == ImageFormat::Jpeg {
        let segments = jpeg_segments(bytes)
            .ok_or_else(|| Finding::unreadable(Some(format!("{} B, EOI –", bytes.len())), "EOI"))?;
        let frame = segments
            .iter()
            .find(|s| matches!(s.marker, 0xC0..=0xCF) && !matches!(s.marker, 0xC4 | 0xC8 | 0xCC));
        let frame = frame.and_then(|s| bytes.get(s.payload.clone())).ok_or_else(unreadable)?;
        return match (frame.first(), frame.get(5)) {
            (Some(8), Some(1 | 3)) => Ok(()),
            (Some(8), Some(4)) => Err(Finding::unreadable(Some("CMYK".to_owned()), "RGB")),
            (Some(bits), _) => Err(Finding::unreadable(Some(format!("{bits} bit")), "8 bit")),
            _ => Err(unreadable()),
        };
    }
    let chunks = png_chunks(bytes)
        .ok_or_else(|| Finding::unreadable(Some(format!("{} B, IEND –", bytes.len())), "IEND"))?;
    if chunks.iter().any(|chunk| &chunk.kind == b"acTL") {
        return Err(Finding::unreadable(Some("APNG".to_owned()), "PNG"));
    }
    match (decoder.color_type(), decoder.original_color_type()) {
        (ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8, original)
            if !matches!(original, ExtendedColorType::L16 | ExtendedColorType::Rgb16) =>
        {
            Ok(())
        }
        _ => Err(Finding::unreadable(Some("16 bit".to_owned()), "8 bit")),
    }
}

/// Scales so that the long side is at most `long_side`. None when the picture has no pixels.
fn scale_down(whole: RgbImage, long_side: u32) -> Option<RgbImage> {
    let (width, height) = whole.dimensions();
    let long = width.max(height);
    if width == 0 || height == 0 {
        return None;
    }
    if long <= long_side {
        return Some(whole);
    }
    let scaled = |side: u32| ((u64::from(side) * u64::from(long_side) / u64::from(long)) as u32).max(1);
    let source =
        resize::images::Image::from_vec_u8(width, height, whole.into_raw(), resize::PixelType::U8x3).ok()?;
    let mut target = resize::images::Image::new(scaled(width), scaled(height), resize::PixelType::U8x3);
    let options =
        resize::ResizeOptions::new().resize_alg(resize::ResizeAlg::Convolution(resize::FilterType::Hamming));
    resize::Resizer::new().resize(&source, &mut target, &options).ok()?;
    RgbImage::from_raw(target.width(), target.height(), target.into_vec())
}
