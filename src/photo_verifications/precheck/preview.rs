//! The photo with what the check saw drawn into it, for people.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use super::decode;
use super::examination::Examination;
use super::picture::Rect;

/// Longest side of the preview, in pixels.
const LONG_SIDE: u32 = 1280;
/// Quality of the JPEG.
const QUALITY: u8 = 80;

const FACE: Rgb<u8> = Rgb([255, 214, 0]);
const TORSO: Rgb<u8> = Rgb([255, 64, 255]);
const THIRDS: Rgb<u8> = Rgb([255, 255, 255]);
const CLOTH: Rgb<u8> = Rgb([0, 230, 118]);

/// A JPEG of at most 1280 pixels a side: faces yellow, torso region magenta, thirds white, the cloth tinted green. It has no
/// metadata. None when the file cannot be decoded.
pub fn preview(bytes: &[u8], content_type: &str, examination: &Examination) -> Option<Vec<u8>> {
    let picture = decode::decode_to(bytes, content_type, LONG_SIDE)?;
    let mut drawn = RgbImage::from_raw(picture.width as u32, picture.height as u32, picture.rgb)?;
    let factor = f64::from(drawn.width()) / examination.working.0.max(1) as f64;
    let mask = &examination.backdrop.mask;
    for (x, y, pixel) in drawn.enumerate_pixels_mut() {
        let cell = |value: u32| (f64::from(value) / factor) as usize / mask.step.max(1);
        let (x, y) = (cell(x), cell(y));
        if x < mask.width && y < mask.height && mask.is_cloth[y * mask.width + x] {
            for (channel, tint) in pixel.0.iter_mut().zip(CLOTH.0) {
                *channel = ((u16::from(*channel) * 3 + u16::from(tint)) / 4) as u8;
            }
        }
    }
    let (width, height) = (drawn.width() as usize, drawn.height() as usize);
    for third in 1..=2 {
        let x = width * third / 3;
        fill(&mut drawn, Rect { x0: x, y0: 0, x1: x + 1, y1: height }, THIRDS);
    }
    let scaled = |rect: Rect| {
        let scale = |value: usize| (value as f64 * factor).round() as usize;
        Rect { x0: scale(rect.x0), y0: scale(rect.y0), x1: scale(rect.x1), y1: scale(rect.y1) }
    };
    for face in &examination.faces {
        frame(&mut drawn, scaled(face.rect), FACE);
    }
    if let Some(clothes) = &examination.clothes {
        frame(&mut drawn, scaled(clothes.rect), TORSO);
    }
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&drawn).ok()?;
    Some(jpeg.into_inner())
}

fn frame(drawn: &mut RgbImage, rect: Rect, colour: Rgb<u8>) {
    let line = (drawn.width().max(drawn.height()) as usize / 320).max(2);
    fill(drawn, Rect { y1: rect.y0 + line, ..rect }, colour);
    fill(drawn, Rect { y0: rect.y1.saturating_sub(line), ..rect }, colour);
    fill(drawn, Rect { x1: rect.x0 + line, ..rect }, colour);
    fill(drawn, Rect { x0: rect.x1.saturating_sub(line), ..rect }, colour);
}

fn fill(drawn: &mut RgbImage, rect: Rect, colour: Rgb<u8>) {
    let (width, height) = (drawn.width() as usize, drawn.height() as usize);
    let rect = Rect { x1: rect.x1.min(width), y1: rect.y1.min(height), ..rect };
    for (x, y) in rect.points(1) {
        drawn.put_pixel(x as u32, y as u32, colour);
    }
}
