//! What stands between the protocol and the files: the few operations that Beian uses, each checked
//! before anything is written. All others answer "not implemented".

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use s3s::dto::*;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use sha2::{Digest, Sha256};

/// Largest object in bytes. The API takes 10 MiB, a bureau's package holds up to 50 MB.
const MAX_OBJECT: usize = 64 * 1024 * 1024;
/// Longest name that common file systems take.
const MAX_FILE_NAME: usize = 255;

/// [`FileSystem`] with checks in front.
pub struct Careful {
    files: FileSystem,
}

impl Careful {
    pub fn new(files: FileSystem) -> Self {
        Careful { files }
    }
}

/// Keys become paths: nothing in them may lead out of the bucket or name something special.
fn check_key(bucket: &str, key: &str) -> S3Result<()> {
    let is_bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.len() > MAX_FILE_NAME;
    if key.split('/').any(is_bad) || key.chars().any(|c| c.is_control() || c == '\\') {
        return Err(s3_error!(InvalidArgument, "not a valid key"));
    }
    // `s3s-fs` keeps facts about an object in a file with both names in its own.
    let encoded = URL_SAFE_NO_PAD.encode(bucket).len() + URL_SAFE_NO_PAD.encode(key).len();
    if encoded + ".bucket-.object-.metadata.json".len() > MAX_FILE_NAME {
        return Err(s3_error!(KeyTooLongError));
    }
    Ok(())
}

/// Reads the whole upload and compares it with what its sender declared, before a byte is stored.
async fn checked_body(input: &mut PutObjectInput) -> S3Result<Vec<u8>> {
    let Some(body) = input.body.take() else { return Err(s3_error!(IncompleteBody)) };
    let declared = input.content_length.and_then(|length| usize::try_from(length).ok());
    if declared.is_some_and(|length| length > MAX_OBJECT) {
        return Err(s3_error!(EntityTooLarge));
    }
    // The reader of `s3s` checks x-amz-content-sha256 while it is read, so an error here is a refusal.
    let bytes = Body::from(body)
        .store_all_limited(MAX_OBJECT)
        .await
        .map_err(|_| s3_error!(BadDigest, "the content is cut off, too large or not what was signed"))?;
    if declared.is_some_and(|length| length != bytes.len()) {
        return Err(s3_error!(IncompleteBody));
    }
    if let Some(expected) = &input.checksum_sha256
        && *expected != STANDARD.encode(Sha256::digest(&bytes))
    {
        return Err(s3_error!(BadDigest, "the SHA-256 is not that of the content"));
    }
    Ok(bytes.to_vec())
}

#[async_trait::async_trait]
impl S3 for Careful {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(req).await
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(req).await
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        check_key(&req.input.bucket, &req.input.key)?;
        // `s3s-fs` would make the missing bucket by the way.
        let bucket = HeadBucketInput { bucket: req.input.bucket.clone(), ..Default::default() };
        self.files.head_bucket(request(&req, bucket)).await?;
        let bytes = checked_body(&mut req.input).await?;
        req.input.body = Some(StreamingBlob::from(Body::from(bytes)));
        self.files.put_object(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        check_key(&req.input.bucket, &req.input.key)?;
        let content_type = req.input.response_content_type.clone();
        let disposition = req.input.response_content_disposition.clone();
        let cache_control = req.input.response_cache_control.clone();
        let mut response = self.files.get_object(req).await?;
        // Parts of the signed URL, which `s3s-fs` leaves out.
        let output = &mut response.output;
        output.content_type = content_type.or(output.content_type.take());
        output.content_disposition = disposition.or(output.content_disposition.take());
        output.cache_control = cache_control.or(output.cache_control.take());
        Ok(response)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        check_key(&req.input.bucket, &req.input.key)?;
        self.files.head_object(req).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        check_key(&req.input.bucket, &req.input.key)?;
        match &req.input.copy_source {
            CopySource::Bucket { bucket, key, .. } => check_key(bucket, key)?,
            _ => return Err(s3_error!(NotImplemented)),
        }
        self.files.copy_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        check_key(&req.input.bucket, &req.input.key)?;
        self.files.delete_object(req).await
    }
}

/// A request for a second operation on behalf of the same caller.
fn request<A, B>(like: &S3Request<A>, input: B) -> S3Request<B> {
    S3Request {
        input,
        method: like.method.clone(),
        uri: like.uri.clone(),
        headers: like.headers.clone(),
        extensions: like.extensions.clone(),
        credentials: like.credentials.clone(),
        region: like.region.clone(),
        service: like.service.clone(),
        trailing_headers: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_lead_elsewhere_are_refused() {
        for key in ["", "..", "../x", "a/../../x", "a//b", "/a", "a/", ".", "a/./b", "a\\b", "a\0b", "a\nb"] {
            assert!(check_key("beian", key).is_err(), "{key:?}");
        }
        assert!(check_key("beian", &"k".repeat(300)).is_err());
        assert!(check_key("beian", "attachments/0190f3a0-7b1c-7000-8000-000000000001/original").is_ok());
        assert!(check_key("beian", "a/..b/c...d").is_ok());
    }
}
