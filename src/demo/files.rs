//! The demo data's objects in the store: pictures that differ in their last bytes, so that no photo counts as used before.

use sha2::{Digest, Sha256};

use crate::catalogue::data;
use crate::external::storage::Storage;

/// One object and where it lies.
pub(super) struct File {
    pub sha256: String,
    pub size: i64,
    /// As if the client had just uploaded it.
    pub upload_key: String,
    /// As if it had been completed.
    pub object_key: String,
}

/// The objects of the demo data.
pub(super) struct Files;

fn bytes(name: &str) -> Vec<u8> {
    let mut bytes = data::photo_guide_example().to_vec();
    bytes.extend(name.as_bytes());
    bytes
}

fn file(name: &str, folder: &str) -> File {
    let bytes = bytes(name);
    File {
        sha256: hex::encode(Sha256::digest(&bytes)),
        size: bytes.len() as i64,
        upload_key: format!("uploads/demo/{name}"),
        object_key: format!("{folder}/{name}"),
    }
}

impl Files {
    pub fn photo(&self, number: u128) -> File {
        file(&format!("demo-photo-{number}"), "photos")
    }

    pub fn material(&self, number: u128) -> File {
        file(&format!("demo-material-{number}"), "attachments")
    }

    /// Puts every object into the store, under both of its keys.
    pub async fn store(&self, storage: &Storage) -> anyhow::Result<()> {
        let photos = (1..=super::filed::SITES.len() as u128)
            .map(|number| (format!("demo-photo-{number}"), self.photo(number)));
        let materials = (1..=3).map(|number| (format!("demo-material-{number}"), self.material(number)));
        for (name, file) in photos.chain(materials) {
            for key in [&file.upload_key, &file.object_key] {
                storage.put_bytes(key, bytes(&name), "image/jpeg").await?;
            }
        }
        Ok(())
    }
}
