//! Removes from a photo what tells more than it shows: where it was taken, serial numbers, names of owners, thumbnails.
//! The pixels stay as they are, byte for byte.

use std::io::Cursor;

use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};

use super::containers::{PNG_SIGNATURE, jpeg_segments, png_chunk, png_chunks};
use super::exif as facts;

/// Longest text that is kept of an EXIF field, in bytes.
const MAX_TEXT: usize = 120;
/// What is kept of EXIF: how the picture lies, when it was taken, with which camera and program.
const KEPT: &[Tag] = &[
    Tag::Make,
    Tag::Model,
    Tag::Orientation,
    Tag::Software,
    Tag::DateTime,
    Tag::DateTimeOriginal,
    Tag::DateTimeDigitized,
];
/// Chunks of a PNG that decide how its pixels look.
const KEPT_CHUNKS: &[&[u8; 4]] = &[
    b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD",
    b"pHYs", b"cICP",
];
/// How an EXIF block of a JPEG begins.
const EXIF_HEADER: &[u8] = b"Exif\0\0";

/// The file without location, serial numbers, owner, maker notes, XMP, comments, thumbnails and whatever follows the
/// picture. Pixels, ICC profile, orientation, dates, maker, model and program stay. None when it cannot be taken apart.
pub fn strip_metadata(bytes: &[u8], content_type: &str) -> Option<Vec<u8>> {
    match content_type {
        "image/jpeg" => strip_jpeg(bytes),
        "image/png" => strip_png(bytes),
        _ => None,
    }
}

fn strip_jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let segments = jpeg_segments(bytes)?;
    let payload = |range: &std::ops::Range<usize>| &bytes[range.clone()];
    let exif = segments
        .iter()
        .filter(|segment| segment.marker == 0xE1)
        .find_map(|segment| payload(&segment.payload).strip_prefix(EXIF_HEADER))
        .and_then(minimal_exif);
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend([0xFF, 0xD8]);
    // JFIF comes first where it is; EXIF follows.
    for segment in segments.iter().filter(|segment| segment.marker == 0xE0).take(1) {
        if let Some(header) =
            payload(&segment.payload).get(..12).filter(|header| header.starts_with(b"JFIF\0"))
        {
            // Without its thumbnail.
            push_segment(&mut kept, 0xE0, &[header, &[0, 0]].concat());
        }
    }
    if let Some(exif) = exif {
        push_segment(&mut kept, 0xE1, &[EXIF_HEADER, &exif].concat());
    }
    for segment in &segments {
        let data = payload(&segment.payload);
        let is_kept = match segment.marker {
            0xE2 => data.starts_with(b"ICC_PROFILE\0"),
            0xEE => data.starts_with(b"Adobe") && data.len() == 12,
            0xE0..=0xEF | 0xFE => false,
            _ => true,
        };
        if is_kept {
            kept.extend_from_slice(payload(&segment.whole));
        }
    }
    kept.extend([0xFF, 0xD9]);
    Some(kept)
}

fn push_segment(kept: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    kept.extend([0xFF, marker]);
    kept.extend((payload.len() as u16 + 2).to_be_bytes());
    kept.extend_from_slice(payload);
}

fn strip_png(bytes: &[u8]) -> Option<Vec<u8>> {
    let chunks = png_chunks(bytes)?;
    let exif = chunks.iter().find(|chunk| &chunk.kind == b"eXIf");
    let mut exif = exif.and_then(|chunk| minimal_exif(&bytes[chunk.data.clone()]));
    let mut kept = PNG_SIGNATURE.to_vec();
    for chunk in chunks.iter().filter(|chunk| KEPT_CHUNKS.contains(&&chunk.kind)) {
        if &chunk.kind == b"IDAT"
            && let Some(exif) = exif.take()
        {
            kept.extend(png_chunk(*b"eXIf", &exif));
        }
        kept.extend_from_slice(&bytes[chunk.whole.clone()]);
    }
    Some(kept)
}

/// A new EXIF block with nothing but the kept fields; none when there are none of them.
fn minimal_exif(raw: &[u8]) -> Option<Vec<u8>> {
    let exif = facts::parse(raw.to_vec())?;
    let fields: Vec<Field> = KEPT
        .iter()
        .filter_map(|tag| {
            let field = exif.get_field(*tag, In::PRIMARY)?;
            let value = match &field.value {
                Value::Ascii(parts) => {
                    let text = parts.first()?;
                    Value::Ascii(vec![text[..text.len().min(MAX_TEXT)].to_vec()])
                }
                other => Value::Short(vec![u16::try_from(other.get_uint(0)?).ok()?]),
            };
            Some(Field { tag: *tag, ifd_num: In::PRIMARY, value })
        })
        .collect();
    if fields.is_empty() {
        return None;
    }
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, true).ok()?;
    Some(block.into_inner())
}
