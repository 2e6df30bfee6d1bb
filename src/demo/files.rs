//! The demo data's objects in the store: pictures that differ in their last bytes, so that no file counts as used before.

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::catalogue::data;
use crate::external::storage::Storage;
use crate::photo_verifications::precheck::{self, BackdropProfile};

/// One object and where it lies.
pub(super) struct File {
    pub sha256: String,
    pub size: i64,
    /// As if the client had just uploaded it.
    pub upload_key: String,
    /// As if it had been completed.
    pub object_key: String,
    /// What the check saw, for photos.
    pub preview_key: String,
}

/// The objects of the demo data.
pub(super) struct Files;

/// A photo that passes the check: a person in the public domain before a drawn cloth (docs/photo-precheck.md).
const PHOTO: &[u8] = include_bytes!("../../examples/files/photo.jpg");

fn bytes(picture: &[u8], name: &str) -> Vec<u8> {
    [picture, name.as_bytes()].concat()
}

fn file(picture: &[u8], name: &str, folder: &str) -> File {
    let bytes = bytes(picture, name);
    File {
        sha256: hex::encode(Sha256::digest(&bytes)),
        size: bytes.len() as i64,
        upload_key: format!("uploads/demo/{name}"),
        object_key: format!("{folder}/{name}"),
        preview_key: format!("photo-previews/{name}"),
    }
}

impl Files {
    pub fn photo(&self, number: u128) -> File {
        file(PHOTO, &format!("demo-photo-{number}"), "photos")
    }

    pub fn material(&self, number: u128) -> File {
        file(data::photo_guide_example(), &format!("demo-material-{number}"), "attachments")
    }

    /// Puts every object into the store, under both of its keys.
    pub async fn store(&self, storage: &Storage) -> anyhow::Result<()> {
        let preview = preview().context("the demo's photo can be drawn")?;
        for number in 1..=super::filed::SITES.len() as u128 {
            let file = self.photo(number);
            let content = bytes(PHOTO, &format!("demo-photo-{number}"));
            for key in [&file.upload_key, &file.object_key] {
                storage.put_bytes(key, content.clone(), "image/jpeg").await?;
            }
            storage.put_bytes(&file.preview_key, preview.clone(), "image/jpeg").await?;
        }
        for number in 1..=3 {
            let file = self.material(number);
            let content = bytes(data::photo_guide_example(), &format!("demo-material-{number}"));
            for key in [&file.upload_key, &file.object_key] {
                storage.put_bytes(key, content.clone(), "image/jpeg").await?;
            }
        }
        Ok(())
    }
}

/// What the check sees in the demo's photo.
fn preview() -> Option<Vec<u8>> {
    let seen = precheck::examine(PHOTO, "image/jpeg", BackdropProfile::shipped()).ok()?;
    precheck::preview(PHOTO, "image/jpeg", &seen)
}
