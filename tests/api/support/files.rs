//! Files that tests upload.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Client, Response};

/// A JPEG of this size; another `seed` makes another file.
pub fn jpeg(width: u32, height: u32, seed: u8) -> Vec<u8> {
    picture(width, height, seed, ImageFormat::Jpeg)
}

/// A PNG of this size.
pub fn png(width: u32, height: u32, seed: u8) -> Vec<u8> {
    picture(width, height, seed, ImageFormat::Png)
}

fn picture(width: u32, height: u32, seed: u8, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, seed]))
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

/// A file of `tests/api/fixtures/photos`.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/api/fixtures/photos/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A photo that passes the pre-check. Another `seed` (below 16) makes another photo: another person, place, cloth and light,
/// so that none is taken for a copy of another.
pub fn good_photo(seed: u8) -> Vec<u8> {
    const WIDTH: u32 = 600;
    const HEIGHT: u32 = 800;
    assert!(seed < 16, "there are 16 good photos that differ");
    let people: [&[u8]; 2] =
        [include_bytes!("../fixtures/photos/good-1.jpg"), include_bytes!("../fixtures/photos/good-2.jpg")];
    let person = image::load_from_memory(people[usize::from(seed % 2)]).unwrap().into_rgb8();
    let number = u32::from(seed / 2);
    let zoom = f64::from(person.width()) / f64::from(WIDTH);
    let right = f64::from(number / 2) * 20.0 - 40.0;
    // Folds of the cloth: some waves whose direction and place follow from the seed.
    let waves: Vec<[f64; 3]> = (0..5_u32)
        .map(|wave| {
            let roll = |salt: u32| {
                f64::from((u32::from(seed) * 7919 + wave * 104_729 + salt * 1_299_709) % 97) / 97.0
            };
            [1.0 + 5.0 * roll(1), 8.0 * roll(2) - 4.0, 6.3 * roll(3)]
        })
        .collect();
    let shade: Vec<f64> = (0..60 * 80)
        .map(|cell| {
            let (x, y) = (f64::from(cell % 60) / 60.0, f64::from(cell / 60) / 80.0);
            1.0 + waves
                .iter()
                .map(|[fx, fy, phase]| 0.07 * (std::f64::consts::TAU * (fx * x + fy * y) + phase).sin())
                .sum::<f64>()
        })
        .collect();
    let photo = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let column = if number % 2 == 1 { WIDTH - 1 - x } else { x };
        let (sx, sy) = ((f64::from(column) - right) * zoom, f64::from(y) * zoom);
        let inside = sx >= 0.0 && sy >= 0.0 && (sx as u32) < person.width() && (sy as u32) < person.height();
        let pixel = inside.then(|| person.get_pixel(sx as u32, sy as u32));
        match pixel {
            Some(pixel) if i16::from(pixel[2]) - i16::from(pixel[0]) < 50 => *pixel,
            _ => {
                let light = shade[(y / 10 * 60 + x / 10) as usize];
                image::Rgb([30.0, 90.0, 185.0].map(|channel| (channel * light) as u8))
            }
        }
    });
    let mut bytes = Cursor::new(Vec::new());
    photo.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// The smallest thing that begins like a PDF.
pub fn pdf(text: &str) -> Vec<u8> {
    format!("%PDF-1.7\n% {text}\n%%EOF\n").into_bytes()
}

/// What a client declares about these bytes.
pub fn declaration(bytes: &[u8], content_type: &str) -> Value {
    json!({
        "file_name": "测试文件.bin",
        "content_type": content_type,
        "size_bytes": bytes.len(),
        "sha256": hex::encode(Sha256::digest(bytes)),
    })
}

/// Declares an attachment and uploads it; it is not completed yet.
pub fn upload_attachment(
    client: &Client,
    filing: &str,
    purpose: &str,
    bytes: &[u8],
    content_type: &str,
) -> Response {
    let mut body = declaration(bytes, content_type);
    body["purpose"] = json!(purpose);
    let made = client.post(&format!("/v1/filings/{filing}/attachments"), body).expect_status(201);
    Client::upload(&made.at("/upload"), bytes).expect_status(200);
    made
}

/// Declares, uploads and completes an attachment. Returns its id.
pub fn attach(client: &Client, filing: &str, purpose: &str, bytes: &[u8], content_type: &str) -> String {
    let id = upload_attachment(client, filing, purpose, bytes, content_type).text("/id");
    client.act(&format!("/v1/attachments/{id}/complete")).expect_status(200).expect("/state", "ready");
    id
}

/// Declares and uploads a photo; it is not submitted yet. Returns its id.
pub fn upload_photo(client: &Client, filing: &str, bytes: &[u8], content_type: &str) -> String {
    let path = format!("/v1/filings/{filing}/photo-verifications");
    let made = client.post(&path, declaration(bytes, content_type)).expect_status(201);
    Client::upload(&made.at("/upload"), bytes).expect_status(200);
    made.text("/id")
}

/// Declares, uploads and submits a photo. Returns its id; the check has not run yet.
pub fn submit_photo(client: &Client, filing: &str, bytes: &[u8], content_type: &str) -> String {
    let id = upload_photo(client, filing, bytes, content_type);
    client.act(&format!("/v1/photo-verifications/{id}/submit")).expect_status(202);
    id
}

#[test]
fn good_photos_pass_the_pre_check_and_none_is_a_copy_of_another() {
    use beian::photo_verifications::precheck::{BackdropProfile, Context, Switches, examine, judge};
    let switches = Switches::default();
    let mut used = Vec::new();
    for seed in 0..16 {
        let seen = examine(&good_photo(seed), "image/jpeg", BackdropProfile::shipped()).unwrap();
        let context = Context {
            today: "2026-03-11".parse().unwrap(),
            reviewed_on: None,
            switches: &switches,
            is_used_exactly: false,
            used_fingerprints: &used,
        };
        assert_eq!(judge(&seen, &context), [], "seed {seed}");
        used.push(seen.fingerprint);
    }
}
