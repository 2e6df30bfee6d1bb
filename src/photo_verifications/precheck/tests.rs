//! The check on composed photos of real people. How often it is right is measured by `benches/photo`.

use chrono::NaiveDate;
use image::GenericImageView;

use super::*;

macro_rules! photo {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/api/fixtures/photos/", $name))
    };
}

const GOOD: &[u8] = photo!("good-1.jpg");

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn with<R>(used: &[Fingerprint], is_used_exactly: bool, judge: impl FnOnce(&Context<'_>) -> R) -> R {
    judge(&Context {
        today: day("2026-01-21"),
        reviewed_on: Some(day("2026-01-10")),
        switches: &Switches::default(),
        is_used_exactly,
        used_fingerprints: used,
    })
}

fn findings(bytes: &[u8]) -> Vec<Finding> {
    with(&[], false, |context| check(bytes, "image/jpeg", BackdropProfile::shipped(), context))
}

fn codes(bytes: &[u8]) -> Vec<String> {
    findings(bytes).into_iter().map(|finding| finding.code).collect()
}

fn seen(bytes: &[u8]) -> Examination {
    examine(bytes, "image/jpeg", BackdropProfile::shipped()).unwrap()
}

fn jpeg(picture: &image::DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.to_rgb8().write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

#[test]
fn good_photos_have_no_findings() {
    assert_eq!(codes(GOOD), [""; 0]);
    assert_eq!(codes(photo!("good-2.jpg")), [""; 0]);
    assert_eq!(codes(photo!("gps-and-serial-number.jpg")), [""; 0]);
    assert_eq!(codes(include_bytes!("../../../examples/files/photo.jpg")), [""; 0]);
    assert_eq!(codes(include_bytes!("../../../examples/files/photo-retake.jpg")), [""; 0]);
}

#[test]
fn each_fault_is_found_and_nothing_else() {
    assert_eq!(codes(photo!("no-face.jpg")), [NO_FACE]);
    assert_eq!(codes(photo!("two-faces.jpg")), [SEVERAL_FACES]);
    assert_eq!(codes(photo!("no-backdrop.jpg")), [BACKDROP_MISSING]);
    assert_eq!(codes(photo!("red-top.jpg")), [CLOTHES_COLOUR]);
    assert_eq!(codes(photo!("blurred.jpg")), [BLURRED]);
    assert_eq!(codes(include_bytes!("../../../examples/files/photo-too-small.jpg")), [TOO_SMALL]);
}

#[test]
fn a_finding_tells_its_number_its_limit_and_its_place() {
    let two = findings(photo!("two-faces.jpg"));
    assert_eq!((two[0].measured.as_deref(), two[0].limit.as_deref()), (Some("2"), Some("1")));
    let region = two[0].region.unwrap();
    assert!(
        region.width > 50 && region.x + region.width <= 720 && region.y + region.height <= 960,
        "{region:?}"
    );
    let red = findings(photo!("red-top.jpg"));
    assert!(red[0].measured.as_deref().is_some_and(|measured| measured.starts_with("R ")), "{red:?}");
    let small = findings(include_bytes!("../../../examples/files/photo-too-small.jpg"));
    assert_eq!(small[0].measured.as_deref(), Some("375×500 px"));
    assert_eq!(small[0].limit.as_deref(), Some("600×800 px"));
    assert!(is_blocked(&small) && !is_blocked(&red) && !is_blocked(&[Finding::unavailable()]));
}

#[test]
fn the_picture_is_turned_upright_before_anything_is_measured() {
    let turned = photo!("rotated-exif-6.jpg");
    assert_eq!(image::load_from_memory(turned).unwrap().dimensions(), (960, 720));
    assert_eq!((seen(turned).width, seen(turned).height), (720, 960));
    assert_eq!(codes(turned), [""; 0]);
}

#[test]
fn a_shift_a_cut_and_light_are_found() {
    let good = image::load_from_memory(GOOD).unwrap();
    let (width, height) = good.dimensions();
    // The person stands a little right of the middle: without the left part, far left.
    let shifted = good.crop_imm(width * 36 / 100, 0, width * 64 / 100, height);
    assert!(codes(&jpeg(&shifted)).contains(&NOT_CENTERED.to_owned()));
    let face = seen(GOOD).faces[0].region;
    let close = good.crop_imm(face.x, face.y, face.width, face.height).resize(
        900,
        900,
        image::imageops::FilterType::Triangle,
    );
    let found = codes(&jpeg(&close));
    assert!(found.contains(&NOT_UPPER_BODY.to_owned()) || found.contains(&NO_FACE.to_owned()), "{found:?}");
    assert_eq!(codes(&jpeg(&image::DynamicImage::ImageRgb8(good.to_rgb8()).brighten(-5))), [""; 0]);
    let scaled = |factor: f32| {
        let mut dark = good.to_rgb8();
        dark.pixels_mut()
            .for_each(|pixel| pixel.0 = pixel.0.map(|value| (f32::from(value) * factor).min(255.0) as u8));
        codes(&jpeg(&image::DynamicImage::ImageRgb8(dark)))
    };
    assert!(scaled(0.2).contains(&EXPOSURE.to_owned()));
    assert!(scaled(2.6).contains(&EXPOSURE.to_owned()));
}

#[test]
fn a_wall_beside_the_cloth_is_named_with_its_edge() {
    let mut walled = image::load_from_memory(GOOD).unwrap().to_rgb8();
    let width = walled.width();
    walled
        .enumerate_pixels_mut()
        .filter(|(x, _, _)| *x < width / 10)
        .for_each(|(_, _, pixel)| pixel.0 = [200, 190, 170]);
    let found = findings(&jpeg(&image::DynamicImage::ImageRgb8(walled)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, BACKDROP_CROPPED);
    assert_eq!(found[0].measured.as_deref(), Some("← 10 %"));
}

#[test]
fn the_text_is_judged_only_with_its_template() {
    let template = serde_json::from_slice(photo!("text-template.json")).unwrap();
    let profile = BackdropProfile { text: Some(template), ..BackdropProfile::shipped().clone() };
    assert_eq!(profile.validate(), Ok(()));
    let look = |bytes: &[u8], profile: &BackdropProfile| {
        let found = with(&[], false, |context| check(bytes, "image/jpeg", profile, context));
        found.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    let good = image::load_from_memory(GOOD).unwrap();
    let mirrored = jpeg(&good.fliph());
    assert_eq!(look(GOOD, &profile), [""; 0]);
    assert_eq!(look(&mirrored, &profile), [MIRRORED]);
    assert_eq!(look(&mirrored, BackdropProfile::shipped()), [""; 0]);
    // A cloth without its text.
    let mut blank = good.to_rgb8();
    let cloth = *blank.get_pixel(20, 20);
    blank.enumerate_pixels_mut().filter(|(_, y, _)| *y < 90).for_each(|(_, _, pixel)| *pixel = cloth);
    assert_eq!(look(&jpeg(&image::DynamicImage::ImageRgb8(blank)), &profile), [TEXT_UNCLEAR]);
}

#[test]
fn a_copy_is_a_reuse_and_another_photo_of_the_same_person_is_none() {
    let used = [seen(GOOD).fingerprint];
    let good = image::load_from_memory(GOOD).unwrap();
    let cropped = good.crop_imm(12, 10, good.width() - 30, good.height() - 32).resize(
        600,
        900,
        image::imageops::FilterType::Triangle,
    );
    for copy in [good.brighten(15), good.resize(660, 880, image::imageops::FilterType::Triangle), cropped] {
        let found = with(&used, false, |context| judge(&seen(&jpeg(&copy)), context));
        assert!(
            found.iter().any(|finding| finding.code == REUSED && finding.severity == Severity::Block),
            "{found:?}"
        );
    }
    for other in [
        &include_bytes!("../../../examples/files/photo.jpg")[..],
        include_bytes!("../../../examples/files/photo-retake.jpg"),
        photo!("good-2.jpg"),
        photo!("rotated-exif-6.jpg"),
    ] {
        assert_eq!(with(&used, false, |context| judge(&seen(other), context)), []);
    }
}

#[test]
fn the_same_file_is_a_reuse_without_saying_whose_it_was() {
    let found = with(&[], true, |context| judge(&seen(GOOD), context));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code.as_str(), &found[0].measured, &found[0].limit), (REUSED, &None, &None));
}

#[test]
fn old_photos_and_those_of_another_season_are_told_with_their_dates() {
    let seen = seen(photo!("gps-and-serial-number.jpg"));
    assert_eq!(seen.facts.taken_on, Some(day("2026-01-12")));
    let judged = |today: &str, reviewed_on: Option<&str>| {
        let switches = Switches::default();
        let context = Context {
            today: day(today),
            reviewed_on: reviewed_on.map(day),
            switches: &switches,
            is_used_exactly: false,
            used_fingerprints: &[],
        };
        judge(&seen, &context)
            .into_iter()
            .map(|finding| (finding.code, finding.limit.unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(judged("2026-01-20", Some("2026-01-12")), []);
    assert_eq!(
        judged("2026-01-20", Some("2026-01-13")),
        [(CLOTHES_SEASON.to_owned(), "≥ 2026-01-13".to_owned())]
    );
    assert_eq!(judged("2026-02-27", None), []);
    assert_eq!(judged("2026-03-05", None), [(CLOTHES_SEASON.to_owned(), "≥ 2026-03-05".to_owned())]);
    // The camera's clock is ahead: nothing is said.
    assert_eq!(judged("2026-01-02", Some("2026-01-01")), []);
}

#[test]
fn a_switch_turns_a_warning_into_a_block_or_off() {
    let seen = seen(photo!("red-top.jpg"));
    let mut switches = Switches::default();
    let severities = |switches: &Switches| {
        let context = Context {
            today: day("2026-01-21"),
            reviewed_on: None,
            switches,
            is_used_exactly: false,
            used_fingerprints: &[],
        };
        judge(&seen, &context).iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(severities(&switches), [Severity::Warn]);
    switches.set(CLOTHES_COLOUR, PrecheckMode::Block);
    assert_eq!(severities(&switches), [Severity::Block]);
    switches.set(CLOTHES_COLOUR, PrecheckMode::Off);
    assert_eq!(severities(&switches), []);
}

#[test]
fn findings_stored_before_regions_existed_stay_readable() {
    let old = r#"{"code":"PHOTO_TOO_SMALL","severity":"block","measured":"1×1 px","limit":null}"#;
    let finding: Finding = serde_json::from_str(old).unwrap();
    assert_eq!(finding.region, None);
}

#[test]
fn the_preview_is_a_jpeg_with_the_drawing_and_without_metadata() {
    let photo = photo!("gps-and-serial-number.jpg");
    let drawn = preview(photo, "image/jpeg", &seen(photo)).unwrap();
    let picture = image::load_from_memory(&drawn).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (720, 960));
    let yellow = picture.pixels().filter(|p| p[0] > 200 && p[1] > 160 && p[2] < 90).count();
    assert!(yellow > 600, "the face's box has {yellow} pixels");
    assert!(!contains(&drawn, b"Exif") && !contains(&drawn, b"SN-0123456789"));
    let turned = photo!("rotated-exif-6.jpg");
    let drawn = preview(turned, "image/jpeg", &seen(turned)).unwrap();
    assert_eq!(image::load_from_memory(&drawn).unwrap().dimensions(), (720, 960));
}

#[test]
fn stripping_keeps_pixels_orientation_date_and_camera_and_nothing_private() {
    let photo = photo!("gps-and-serial-number.jpg");
    for private in [&b"SN-0123456789"[..], b"Owner Name", b"a comment"] {
        assert!(contains(photo, private), "the fixture holds {private:?}");
    }
    let kept = strip_metadata(&[photo, &b"trailer with a place"[..]].concat(), "image/jpeg").unwrap();
    for private in [&b"SN-0123456789"[..], b"Owner Name", b"a comment", b"trailer"] {
        assert!(!contains(&kept, private), "{private:?}");
    }
    let fields = exif::parse(raw_exif(&kept)).unwrap();
    assert!(fields.fields().all(|field| field.tag.context() != ::exif::Context::Gps));
    assert_eq!(image::load_from_memory(&kept).unwrap(), image::load_from_memory(photo).unwrap());
    assert_eq!(seen(&kept).facts, seen(photo).facts);
    assert_eq!(seen(&kept).facts.camera.as_deref(), Some("Example Camera 12"));
    let turned = strip_metadata(photo!("rotated-exif-6.jpg"), "image/jpeg").unwrap();
    assert_eq!(seen(&turned).height, 960);
    assert_eq!(strip_metadata(&photo[..2000], "image/jpeg"), None);
    assert_eq!(strip_metadata(photo, "image/png"), None);
}

#[test]
fn stripping_a_png_keeps_its_pixels() {
    use super::containers::{PNG_SIGNATURE, png_chunk};
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, 90]));
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let png = png.into_inner();
    let header = PNG_SIGNATURE.len() + 25;
    let exif = raw_exif(photo!("gps-and-serial-number.jpg"));
    let mut full = png[..header].to_vec();
    full.extend(png_chunk(*b"tEXt", b"Author\0Owner Name"));
    full.extend(png_chunk(*b"eXIf", &exif));
    full.extend(&png[header..]);
    let kept = strip_metadata(&full, "image/png").unwrap();
    assert!(
        contains(&full, b"Owner Name") && !contains(&kept, b"Owner Name") && !contains(&kept, b"SN-0123")
    );
    assert!(contains(&kept, b"Camera 12"));
    assert_eq!(image::load_from_memory(&kept).unwrap(), image::load_from_memory(&png).unwrap());
}

fn raw_exif(jpeg: &[u8]) -> Vec<u8> {
    use image::ImageDecoder;
    let mut decoder = image::codecs::jpeg::JpegDecoder::new(std::io::Cursor::new(jpeg)).unwrap();
    decoder.exif_metadata().unwrap().unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
