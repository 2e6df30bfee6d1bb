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
