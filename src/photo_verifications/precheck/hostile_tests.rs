//! Files made to break the check: each is a finding or is measured, and none is a crash.

use chrono::NaiveDate;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat};

use super::containers::{PNG_SIGNATURE, png_chunk};
use super::*;

const GOOD: &[u8] = include_bytes!("../../../tests/api/fixtures/photos/good-1.jpg");

fn look(bytes: &[u8], content_type: &str) -> Vec<Finding> {
    let context = Context {
        today: NaiveDate::from_ymd_opt(2026, 1, 21).unwrap(),
        reviewed_on: None,
        switches: &Switches::default(),
        is_used_exactly: false,
        used_fingerprints: &[],
    };
    // Whatever is asked of a hostile file must come back.
    strip_metadata(bytes, content_type);
    if let Ok(seen) = examine(bytes, content_type, BackdropProfile::shipped()) {
        preview(bytes, content_type, &seen);
    }
    check(bytes, content_type, BackdropProfile::shipped(), &context)
}

#[track_caller]
fn assert_unreadable(bytes: &[u8], content_type: &str, measured: Option<&str>) {
    let findings = look(bytes, content_type);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].code, UNREADABLE);
    assert_eq!(findings[0].severity, Severity::Block);
    if measured.is_some() {
        assert_eq!(findings[0].measured.as_deref(), measured);
    }
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG of these chunks after the signature.
fn png(chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let chunks = chunks.iter().flat_map(|(kind, data)| png_chunk(*kind, data));
    PNG_SIGNATURE.iter().copied().chain(chunks).collect()
}

fn header(width: u32, height: u32, bits: u8, colour: u8) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[bits, colour, 0, 0, 0]].concat()
}

/// Puts a segment behind the start of a JPEG.
fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&[0xFF, 0xD8, 0xFF, marker][..], &length, payload, &jpeg[2..]].concat()
}

#[test]
fn nothing_and_things_that_are_no_pictures() {
    for (bytes, content_type) in [
        (&b""[..], "image/jpeg"),
        (&b"\xFF"[..], "image/jpeg"),
        (&b"\xFF\xD8"[..], "image/jpeg"),
        (&b"\xFF\xD8\xFF\xE0"[..], "image/jpeg"),
        (&b"\xFF\xD8\xFF\xD9"[..], "image/jpeg"),
        (&b"not a picture"[..], "image/jpeg"),
        (&b"%PDF-1.4"[..], "application/pdf"),
        (&b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"[..], "image/gif"),
        (PNG_SIGNATURE, "image/png"),
    ] {
        assert_unreadable(bytes, content_type, None);
    }
}

#[test]
fn the_type_must_be_what_was_said() {
    assert_unreadable(GOOD, "image/png", None);
    let png = encoded(&image::load_from_memory(GOOD).unwrap(), ImageFormat::Png);
    assert_unreadable(&png, "image/jpeg", None);
    assert_eq!(look(&png, "image/png"), []);
}

#[test]
fn files_that_break_off_anywhere() {
    for part in 1..20 {
        assert_unreadable(&GOOD[..GOOD.len() * part / 20], "image/jpeg", None);
    }
    let png = encoded(&image::load_from_memory(GOOD).unwrap().thumbnail(200, 200), ImageFormat::Png);
    for part in 1..20 {
        assert_unreadable(&png[..png.len() * part / 20], "image/png", None);
    }
}

#[test]
fn garbled_bytes_never_end_the_program() {
    // A simple generator: the same bytes each time.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let small = encoded(&image::load_from_memory(GOOD).unwrap().thumbnail(160, 160), ImageFormat::Jpeg);
    let png = encoded(&image::load_from_memory(GOOD).unwrap().thumbnail(160, 160), ImageFormat::Png);
    for (bytes, content_type) in [(&small, "image/jpeg"), (&png, "image/png")] {
        for _ in 0..30 {
            let mut garbled = bytes.clone();
            for _ in 0..1 + next() % 12 {
                let at = next() as usize % garbled.len();
                garbled[at] = next() as u8;
            }
            look(&garbled, content_type);
        }
    }
}

#[test]
fn a_header_of_absurd_size_is_refused_by_its_numbers() {
    for (width, height) in [(20_000, 20_000), (60_000, 60_000), (12_001, 800)] {
        let bomb = png(&[(*b"IHDR", &header(width, height, 8, 2)), (*b"IDAT", b"x"), (*b"IEND", b"")]);
        assert_unreadable(&bomb, "image/png", Some(&format!("{width}×{height} px")));
    }
    let bar = png(&[(*b"IHDR", &header(u32::MAX >> 1, 1, 8, 2)), (*b"IDAT", b"x"), (*b"IEND", b"")]);
    assert_unreadable(&bar, "image/png", None);
    // Each side is allowed, both together are not.
    let large = png(&[(*b"IHDR", &header(12_000, 12_000, 8, 2)), (*b"IDAT", b"x"), (*b"IEND", b"")]);
    assert_unreadable(&large, "image/png", Some("12000×12000 px"));
    let mut jpeg = GOOD.to_vec();
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x4E, 0x20, 0x4E, 0x20]);
    assert_unreadable(&jpeg, "image/jpeg", Some("20000×20000 px"));
}

#[test]
fn a_picture_without_pixels_is_unreadable() {
    for (width, height) in [(0, 0), (0, 800), (600, 0)] {
        let empty = png(&[(*b"IHDR", &header(width, height, 8, 2)), (*b"IDAT", b""), (*b"IEND", b"")]);
        assert_unreadable(&empty, "image/png", None);
    }
}

#[test]
fn a_decompression_bomb_takes_no_more_than_its_pixels() {
    // 6000 × 4000 pixels of zeros: 72 MB in less than 200 kB. It is within the limits, so it is measured like any other.
    let zeros = DynamicImage::ImageLuma8(image::GrayImage::new(6_000, 4_000));
    let bomb = encoded(&zeros, ImageFormat::Png);
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    let seen = examine(&bomb, "image/png", BackdropProfile::shipped()).unwrap();
    assert_eq!((seen.width, seen.height, seen.faces.len()), (6_000, 4_000, 0));
    // Far more data than the header says, and a text that unpacks to much.
    let picture = encoded(&DynamicImage::ImageRgb8(image::RgbImage::new(700, 900)), ImageFormat::Png);
    let data = picture.windows(4).position(|kind| kind == b"IDAT").unwrap() - 4;
    let mut twice = picture[..data].to_vec();
    twice.extend(png_chunk(*b"zTXt", &[b"a\0\0".to_vec(), vec![0x78; 60_000]].concat()));
    twice.extend(png_chunk(*b"iCCP", &[b"a\0\0".to_vec(), vec![0x78; 60_000]].concat()));
    twice.extend(&picture[data..]);
    look(&twice, "image/png");
}

#[test]
fn colours_and_depths_that_cameras_do_not_write() {
    // The frame says four components; the scan is another matter.
    let mut cmyk = GOOD.to_vec();
    let frame = cmyk.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    let length = u16::from_be_bytes([cmyk[frame + 2], cmyk[frame + 3]]) as usize;
    cmyk[frame + 9] = 4;
    cmyk[frame + 2..frame + 4].copy_from_slice(&(length as u16 + 3).to_be_bytes());
    let end = frame + 2 + length;
    cmyk.splice(end..end, [4, 0x11, 0]);
    assert_unreadable(&cmyk, "image/jpeg", None);
    let deep = image::load_from_memory(GOOD).unwrap().thumbnail(100, 100).to_rgb16();
    assert_unreadable(
        &encoded(&DynamicImage::ImageRgb16(deep), ImageFormat::Png),
        "image/png",
        Some("16 bit"),
    );
}

#[test]
fn an_animated_png_is_unreadable() {
    let still = encoded(&image::load_from_memory(GOOD).unwrap().thumbnail(100, 100), ImageFormat::Png);
    let data = still.windows(4).position(|kind| kind == b"IDAT").unwrap() - 4;
    let mut moving = still[..data].to_vec();
    moving.extend(png_chunk(*b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]));
    moving.extend(&still[data..]);
    assert_unreadable(&moving, "image/png", Some("APNG"));
}

#[test]
fn metadata_that_are_garbage_or_go_in_circles_are_no_metadata() {
    // A directory whose next directory is itself, and a detail directory that is its own parent.
    let circle = b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0";
    // A value of 4 GB at an offset beyond the end.
    let far = b"MM\0*\0\0\0\x08\0\x01\x01\x0F\0\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xF0\0\0\0\0";
    for exif in [&circle[..], far, b"", b"II", b"garbage garbage garbage", &[0xFF; 4000]] {
        let payload = [b"Exif\0\0", exif].concat();
        let findings = look(&with_segment(GOOD, 0xE1, &payload), "image/jpeg");
        assert_eq!(findings, [], "{exif:?}");
    }
    // The last entries of an orientation that does not exist.
    let strange = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0";
    assert_eq!(look(&with_segment(GOOD, 0xE1, &[b"Exif\0\0", &strange[..]].concat()), "image/jpeg"), []);
}

#[test]
fn a_huge_colour_profile_and_many_comments_change_nothing() {
    let mut jpeg = GOOD.to_vec();
    for part in 1..=60_u8 {
        let payload = [&b"ICC_PROFILE\0"[..], &[part, 60], &[0xAB; 65_000]].concat();
        jpeg = with_segment(&jpeg, 0xE2, &payload);
        jpeg = with_segment(&jpeg, 0xFE, &[b'c'; 60_000]);
    }
    assert!(jpeg.len() > 7_000_000);
    assert_eq!(look(&jpeg, "image/jpeg"), []);
    let kept = strip_metadata(&jpeg, "image/jpeg").unwrap();
    assert!(kept.len() < jpeg.len() - 60 * 60_000);
}

#[test]
fn tiny_and_narrow_pictures_are_too_small_and_have_no_face() {
    for (width, height) in [(1, 1), (1, 800), (900, 2), (59, 59), (64, 3000)] {
        let picture = DynamicImage::ImageRgb8(image::RgbImage::new(width, height));
        let codes: Vec<_> =
            look(&encoded(&picture, ImageFormat::Png), "image/png").into_iter().map(|f| f.code).collect();
        assert!(codes.contains(&TOO_SMALL.to_owned()) && codes.contains(&NO_FACE.to_owned()), "{codes:?}");
    }
}

#[test]
fn grey_and_transparent_pictures_are_measured() {
    let good = image::load_from_memory(GOOD).unwrap();
    let grey = encoded(&DynamicImage::ImageLuma8(good.to_luma8()), ImageFormat::Png);
    assert!(look(&grey, "image/png").iter().any(|finding| finding.code == BACKDROP_MISSING));
    assert_eq!(look(&encoded(&DynamicImage::ImageRgba8(good.to_rgba8()), ImageFormat::Png), "image/png"), []);
    let mut jpeg = Vec::new();
    let luma = good.to_luma8();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .write_image(&luma, luma.width(), luma.height(), ExtendedColorType::L8)
        .unwrap();
    assert!(look(&jpeg, "image/jpeg").iter().any(|finding| finding.code == BACKDROP_MISSING));
}
