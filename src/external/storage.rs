//! The object store: one S3 client for AWS and for every store that speaks its protocol.
//!
//! Files never pass through the API. A client uploads with a presigned PUT that is good for one content
//! type, length and SHA-256, and downloads with a presigned GET of a few minutes. Keys carry no personal
//! data, and every upload gets a fresh key: not every store honours `If-None-Match`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::config::StorageConfig;

mod file_name;

/// Longest life of a download URL.
pub const DOWNLOAD_URL_MAX: Duration = Duration::from_secs(300);
/// Longest life of an upload URL.
pub const UPLOAD_URL_MAX: Duration = Duration::from_secs(3600);

/// Why the store did not do what was asked. Only the class of the answer counts: stores differ in codes.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such object (or bucket).
    #[error("the object does not exist")]
    NotFound,
    /// The store, or this client, refused; trying again will not help.
    #[error("the store refused: {0}")]
    Refused(String),
    /// The store did not answer, or not now; trying again may help. API callers get 503.
    #[error("the store is not available: {0}")]
    Unavailable(String),
}

/// What a client needs to upload one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresignedUpload {
    /// Always `PUT`.
    pub method: String,
    pub url: String,
    /// Headers to send exactly as they stand. Browsers set `content-length` themselves.
    pub headers: BTreeMap<String, String>,
    /// Real time, since the store checks it.
    pub expires_at: DateTime<Utc>,
}

/// What the store tells about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    pub key: String,
    pub size_bytes: u64,
    /// `None` in lists.
    pub content_type: Option<String>,
    /// Real time of the store.
    pub last_modified: Option<DateTime<Utc>>,
}

/// A client for one bucket. Cheap to clone; every call has a time limit.
#[derive(Debug, Clone)]
pub struct Storage {
    bucket: String,
    client: Client,
    /// Signs for the address that browsers reach; never sends anything.
    public: Client,
}

impl Storage {
    /// Makes the client; nothing is sent yet.
    #[must_use]
    pub fn new(config: &StorageConfig) -> Self {
        let public = config.public_endpoint.as_ref().or(config.endpoint.as_ref());
        let http = http_client(config.endpoint.as_deref());
        Storage {
            bucket: config.bucket.clone(),
            client: client(config, config.endpoint.as_ref(), http.clone()),
            public: client(config, public, http),
        }
    }

    /// Allows one upload of exactly this content to `key`. The signature covers type, length and
    /// checksum, so that the store refuses anything else. `sha256_hex` is 64 hexadecimal digits.
    ///
    /// # Errors
    /// When an argument is out of range.
    pub async fn presign_put(
        &self,
        key: &str,
        content_type: &str,
        size_bytes: u64,
        sha256_hex: &str,
        expires_in: Duration,
    ) -> Result<PresignedUpload, StorageError> {
        let digest = hex::decode(sha256_hex)
            .ok()
            .filter(|digest| digest.len() == 32)
            .ok_or_else(|| StorageError::Refused("not a SHA-256".into()))?;
        let size = i64::try_from(size_bytes).map_err(|_| StorageError::Refused("too large".into()))?;
        let (presigning, expires_at) = presigning(expires_in.min(UPLOAD_URL_MAX))?;
        let request = self
            .public
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .content_length(size)
            .checksum_sha256(STANDARD.encode(digest))
            .presigned(presigning)
            .await
            .map_err(classify)?;
        Ok(PresignedUpload {
            method: request.method().to_owned(),
            url: request.uri().to_owned(),
            headers: headers(&request),
            expires_at,
        })
    }

    /// A URL that downloads `key` under a safe file name, for at most [`DOWNLOAD_URL_MAX`].
    ///
    /// # Errors
    /// When the URL cannot be signed.
    pub async fn presign_get(
        &self,
        key: &str,
        file_name: &str,
        content_type: &str,
        expires_in: Duration,
    ) -> Result<String, StorageError> {
        let (presigning, _) = presigning(expires_in.min(DOWNLOAD_URL_MAX))?;
        let request = self
            .public
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .response_content_type(content_type)
            .response_content_disposition(file_name::content_disposition(file_name))
            .response_cache_control("private, no-store")
            .presigned(presigning)
            .await
            .map_err(classify)?;
        Ok(request.uri().to_owned())
    }

    /// Size and type of an object.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn head(&self, key: &str) -> Result<ObjectInfo, StorageError> {
        let output =
            self.client.head_object().bucket(&self.bucket).key(key).send().await.map_err(classify)?;
        Ok(ObjectInfo {
            key: key.to_owned(),
            size_bytes: size(output.content_length()),
            content_type: output.content_type().map(str::to_owned),
            last_modified: output.last_modified().and_then(time),
        })
    }

    /// The whole content, if it is not larger than `max_bytes`.
    ///
    /// # Errors
    /// `Refused` when it is larger; it is not read to the end then.
    pub async fn get_bytes(&self, key: &str, max_bytes: usize) -> Result<Vec<u8>, StorageError> {
        let too_large = || StorageError::Refused(format!("the object is larger than {max_bytes} bytes"));
        let mut output =
            self.client.get_object().bucket(&self.bucket).key(key).send().await.map_err(classify)?;
        if output
            .content_length()
            .is_some_and(|length| usize::try_from(length).unwrap_or(usize::MAX) > max_bytes)
        {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let broken = |error| StorageError::Unavailable(format!("reading stopped: {error}"));
        while let Some(part) = output.body.try_next().await.map_err(broken)? {
            if bytes.len() + part.len() > max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// Stores `bytes` under `key`, replacing what was there.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub async fn put_bytes(&self, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<(), StorageError> {
        let digest = STANDARD.encode(Sha256::digest(&bytes));
        let request = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type);
        request.checksum_sha256(digest).body(ByteStream::from(bytes)).send().await.map_err(classify)?;
        Ok(())
    }

    /// Copies an object inside the bucket.
    ///
    /// # Errors
    /// `NotFound` when there is nothing under `from`.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let source = format!("{}/{from}", self.bucket);
        let request = self.client.copy_object().copy_source(source).bucket(&self.bucket).key(to);
        request.send().await.map_err(classify)?;
        Ok(())
    }

    /// Deletes an object; succeeds as well when there is none.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        match self.client.delete_object().bucket(&self.bucket).key(key).send().await.map_err(classify) {
            Ok(_) | Err(StorageError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Objects below `prefix` last changed before `older_than`, at most `limit` of them, in the order
    /// of their keys.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub async fn list(
        &self,
        prefix: &str,
        older_than: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<ObjectInfo>, StorageError> {
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
            let page = request.set_continuation_token(next).send().await.map_err(classify)?;
            for object in page.contents() {
                let last_modified = object.last_modified().and_then(time);
                let Some(key) = object.key() else { continue };
                if last_modified.is_some_and(|at| at < older_than) {
                    found.push(ObjectInfo {
                        key: key.to_owned(),
                        size_bytes: size(object.size()),
                        content_type: None,
                        last_modified,
                    });
                }
                if found.len() >= limit {
                    return Ok(found);
                }
            }
            next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// Whether the store answers for our bucket, within two seconds: for readiness.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check(&self) -> Result<(), StorageError> {
        let request = self.client.head_bucket().bucket(&self.bucket).send();
        match tokio::time::timeout(Duration::from_secs(2), request).await {
            Ok(answer) => answer.map(|_| ()).map_err(classify),
            Err(_) => Err(StorageError::Unavailable("no answer within 2 seconds".into())),
        }
    }

    /// Makes the bucket unless it exists: for the embedded store. A real one is made by its operator.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub async fn ensure_bucket(&self) -> Result<(), StorageError> {
        match self.check().await {
            Err(StorageError::NotFound) => {
                self.client.create_bucket().bucket(&self.bucket).send().await.map(|_| ()).map_err(classify)
            }
            other => other,
        }
    }
}

/// Reading the system's certificates takes time, so that is left out where there is no TLS.
fn http_client(endpoint: Option<&str>) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        builder.build_http()
    } else {
        builder.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https()
    }
}

fn client(config: &StorageConfig, endpoint: Option<&String>, http: SharedHttpClient) -> Client {
    let secret = config.secret_access_key.expose_secret();
    let credentials = Credentials::new(&config.access_key_id, secret, None, None, "settings");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(15))
        .operation_timeout(Duration::from_secs(25))
        .build();
    let builder = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .credentials_provider(credentials)
        .region(Region::new(config.region.clone()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        // Stores other than AWS do not know the checksums that the client adds by default.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let builder = match endpoint {
        // Only AWS has a host name for every bucket.
        Some(endpoint) => builder.endpoint_url(endpoint).force_path_style(true),
        None => builder,
    };
    Client::from_conf(builder.build())
}

/// Presigning starts now in real time, whatever the clock of the application says: the store checks it.
#[allow(clippy::disallowed_methods, reason = "the store compares with real time")]
fn presigning(expires_in: Duration) -> Result<(PresigningConfig, DateTime<Utc>), StorageError> {
    let now = SystemTime::now();
    let config = PresigningConfig::builder()
        .start_time(now)
        .expires_in(expires_in)
        .build()
        .map_err(|error| StorageError::Refused(error.to_string()))?;
    Ok((config, DateTime::<Utc>::from(now + expires_in)))
}

/// Headers that the sender must repeat; `host` follows from the URL.
fn headers(request: &PresignedRequest) -> BTreeMap<String, String> {
    let all = request.headers().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
    all.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

fn size(length: Option<i64>) -> u64 {
    length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
}

fn time(at: &aws_sdk_s3::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

/// Sorts an error by the class of its status. The text is for the log, never for API callers.
fn classify<E>(error: SdkError<E>) -> StorageError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let text = format!("status {status}, {}", answer.err().code().unwrap_or("no code"));
            match status {
                404 => StorageError::NotFound,
                408 | 429 | 500.. => StorageError::Unavailable(text),
                _ => StorageError::Refused(text),
            }
        }
        SdkError::ConstructionFailure(_) => StorageError::Refused("the request cannot be built".into()),
        SdkError::TimeoutError(_) => StorageError::Unavailable("no answer in time".into()),
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().map(ToString::to_string).unwrap_or_default();
            StorageError::Unavailable(format!("no connection: {cause}"))
        }
        _ => StorageError::Unavailable("the answer cannot be understood".into()),
    }
}
