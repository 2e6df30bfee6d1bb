//! The structure of JPEG and PNG files: segments and chunks, without decoding pixels.

use std::ops::Range;

/// A marker segment of a JPEG.
pub(super) struct Segment {
    /// The marker's second byte.
    pub marker: u8,
    /// What follows the length field.
    pub payload: Range<usize>,
    /// From the marker to the next one; for a scan, with its entropy-coded data.
    pub whole: Range<usize>,
}

/// Segments before the end-of-image marker. None when the file breaks off before that marker or is no JPEG: a camera's file
/// has it, a download that broke off has not. What follows the marker (trailers of cameras) is left out.
pub(super) fn jpeg_segments(bytes: &[u8]) -> Option<Vec<Segment>> {
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let mut segments = Vec::new();
    let mut at = 2;
    loop {
        // Fill bytes may stand before a marker.
        if *bytes.get(at)? != 0xFF {
            return None;
        }
        let start = at;
        while *bytes.get(at)? == 0xFF {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        match marker {
            0xD9 => return Some(segments),
            0x01 | 0xD0..=0xD7 => continue,
            0x00 | 0xD8 => return None,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        if length < 2 || at + length > bytes.len() {
            return None;
        }
        let payload = at + 2..at + length;
        at += length;
        if marker == 0xDA {
            at = end_of_scan(bytes, at)?;
        }
        segments.push(Segment { marker, payload, whole: start..at });
    }
}

/// Where the next marker stands that is neither a restart nor a stuffed byte.
fn end_of_scan(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match (*bytes.get(at)?, bytes.get(at + 1)) {
            (0xFF, Some(0x00 | 0xD0..=0xD7)) => at += 2,
            (0xFF, Some(0xFF)) => at += 1,
            (0xFF, Some(_)) => return Some(at),
            (0xFF, None) => return None,
            _ => at += 1,
        }
    }
}

/// A chunk of a PNG.
pub(super) struct Chunk {
    /// Its type.
    pub kind: [u8; 4],
    /// Its data.
    pub data: Range<usize>,
    /// With length, type and checksum.
    pub whole: Range<usize>,
}

/// The bytes with which every PNG begins.
pub(super) const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Chunks up to `IEND`, that included. None when the file breaks off before it or is no PNG.
pub(super) fn png_chunks(bytes: &[u8]) -> Option<Vec<Chunk>> {
    if !bytes.starts_with(PNG_SIGNATURE) {
        return None;
    }
    let mut chunks = Vec::new();
    let mut at = PNG_SIGNATURE.len();
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let kind: [u8; 4] = bytes.get(at + 4..at + 8)?.try_into().ok()?;
        let end = at.checked_add(12)?.checked_add(length)?;
        if end > bytes.len() {
            return None;
        }
        chunks.push(Chunk { kind, data: at + 8..at + 8 + length, whole: at..end });
        at = end;
        if &kind == b"IEND" {
            return Some(chunks);
        }
    }
}

/// A chunk with its length and checksum.
pub(super) fn png_chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
    chunk.extend(kind);
    chunk.extend(data);
    chunk.extend(crc32(&chunk[4..]).to_be_bytes());
    chunk
}

/// The checksum of PNG chunks (ISO 3309). Only for short ones.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}
