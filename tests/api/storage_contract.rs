//! What an object store must refuse. The embedded store is tried always; a store named by
//! `CONTRACT_S3_ENDPOINT`, `CONTRACT_S3_BUCKET`, `CONTRACT_S3_REGION`, `CONTRACT_S3_ACCESS_KEY_ID` and
//! `CONTRACT_S3_SECRET_ACCESS_KEY` in its place when they are set.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use beian::config::StorageConfig;
use beian::embedded::s3::{self, EmbeddedS3, S3Options};
use beian::external::storage::{PresignedUpload, Storage, StorageError};
use sha2::{Digest, Sha256};

const JPEG: &str = "image/jpeg";
const GOOD: &[u8] = b"the good content";

/// A store for one test, removed at the end.
struct Store {
    storage: Storage,
    config: StorageConfig,
    runtime: tokio::runtime::Runtime,
    /// Only with the embedded store.
    embedded: Option<(EmbeddedS3, PathBuf)>,
    /// Keys of this test, so that a shared real store keeps tests apart.
    prefix: String,
}

impl Store {
    fn new() -> Store {
        Store::with_origins(Vec::new())
    }

    fn with_origins(cors_origins: Vec<String>) -> Store {
        let id = uuid::Uuid::now_v7();
        let (config, embedded) = match env::var("CONTRACT_S3_ENDPOINT") {
            Ok(endpoint) => (named_store(endpoint), None),
            Err(_) => {
                let data_dir = env::temp_dir().join(format!("beian-s3-{id}"));
                let server = s3::start(&S3Options {
                    data_dir: data_dir.clone(),
                    listen: "127.0.0.1:0".parse().unwrap(),
                    fall_back: false,
                    access_key: "TESTKEY".into(),
                    secret_key: "test-secret".into(),
                    buckets: vec!["contract".into()],
                    cors_origins,
                })
                .unwrap();
                let config = StorageConfig {
                    bucket: "contract".into(),
                    endpoint: Some(server.endpoint.clone()),
                    public_endpoint: None,
                    region: "us-east-1".into(),
                    access_key_id: "TESTKEY".into(),
                    secret_access_key: "test-secret".into(),
                };
                (config, Some((server, data_dir)))
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Store { storage: Storage::new(&config), config, runtime, embedded, prefix: format!("contract/{id}") }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    fn presign(&self, key: &str, content: &[u8]) -> PresignedUpload {
        let sha256 = hex::encode(Sha256::digest(content));
        let size = content.len() as u64;
        self.run(self.storage.presign_put(key, JPEG, size, &sha256, Duration::from_secs(60))).unwrap()
    }

    fn content(&self, key: &str) -> Result<Vec<u8>, StorageError> {
        self.run(self.storage.get_bytes(key, 1000))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some((server, data_dir)) = self.embedded.take() {
            server.stop();
            std::fs::remove_dir_all(data_dir).unwrap();
        }
    }
}

fn named_store(endpoint: String) -> StorageConfig {
    let var = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is needed too"));
    StorageConfig {
        endpoint: Some(endpoint),
        public_endpoint: None,
        bucket: var("CONTRACT_S3_BUCKET"),
        region: var("CONTRACT_S3_REGION"),
        access_key_id: var("CONTRACT_S3_ACCESS_KEY_ID"),
        secret_access_key: var("CONTRACT_S3_SECRET_ACCESS_KEY").into(),
    }
}

/// Sends an upload as a browser would and gives back the status. `change` alters the headers.
fn send(upload: &PresignedUpload, content: &[u8], change: &[(&str, Option<&str>)]) -> u16 {
    let mut headers = upload.headers.clone();
    // The client sets the true length, as browsers do.
    headers.remove("content-length");
    for (name, value) in change {
        headers.remove(*name);
        if let Some(value) = value {
            headers.insert((*name).to_owned(), (*value).to_owned());
        }
    }
    let mut request = agent().put(&upload.url);
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    request.send(content).unwrap().status().as_u16()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn is_refused(status: u16) -> bool {
    (400..500).contains(&status)
}

#[test]
fn a_good_upload_is_stored_with_its_type() {
    let store = Store::new();
    let key = store.key("good");
    let upload = store.presign(&key, GOOD);
    assert_eq!(upload.method, "PUT");
    for name in ["content-type", "content-length", "x-amz-checksum-sha256"] {
        assert!(upload.headers.contains_key(name), "{name} must be in {:?}", upload.headers);
        let signed = upload.url.split("X-Amz-SignedHeaders=").nth(1).unwrap().split('&').next().unwrap();
        assert!(signed.contains(name), "{name} must be signed: {signed}");
    }
    assert_eq!(send(&upload, GOOD, &[]), 200);
    assert_eq!(store.content(&key).unwrap(), GOOD);
    let info = store.run(store.storage.head(&key)).unwrap();
    assert_eq!((info.size_bytes, info.content_type.as_deref()), (GOOD.len() as u64, Some(JPEG)));
}

#[test]
fn an_upload_with_another_hash_is_refused_and_stores_nothing() {
    let store = Store::new();
    let key = store.key("hash");
    let upload = store.presign(&key, GOOD);
    let same_length = b"the evil content";
    assert_eq!(same_length.len(), GOOD.len());
    assert!(is_refused(send(&upload, same_length, &[])));
    let own_hash =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, Sha256::digest(same_length));
    assert!(is_refused(send(&upload, same_length, &[("x-amz-checksum-sha256", Some(&own_hash))])));
    assert!(is_refused(send(&upload, same_length, &[("x-amz-checksum-sha256", None)])));
    assert!(matches!(store.content(&key), Err(StorageError::NotFound)));
}

#[test]
fn a_bad_second_upload_leaves_the_good_first_one() {
    let store = Store::new();
    let key = store.key("twice");
    let upload = store.presign(&key, GOOD);
    assert_eq!(send(&upload, GOOD, &[]), 200);
    assert!(is_refused(send(&upload, b"the evil content", &[])));
    assert_eq!(store.content(&key).unwrap(), GOOD);
    assert_eq!(send(&upload, GOOD, &[]), 200, "the same content may come again, after a lost answer");
    assert_eq!(store.content(&key).unwrap(), GOOD);
}

#[test]
fn an_upload_of_another_length_is_refused() {
    let store = Store::new();
    let key = store.key("length");
    let upload = store.presign(&key, GOOD);
    assert!(is_refused(send(&upload, &GOOD[1..], &[])));
    assert!(is_refused(send(&upload, &[GOOD, GOOD].concat(), &[])));
    assert!(matches!(store.content(&key), Err(StorageError::NotFound)));
}

#[test]
fn an_upload_of_another_type_is_refused() {
    let store = Store::new();
    let key = store.key("type");
    let upload = store.presign(&key, GOOD);
    assert!(is_refused(send(&upload, GOOD, &[("content-type", Some("text/html"))])));
    assert!(is_refused(send(&upload, GOOD, &[("content-type", None)])));
    assert!(matches!(store.content(&key), Err(StorageError::NotFound)));
}

#[test]
fn an_expired_url_is_refused() {
    let store = Store::new();
    let key = store.key("expired");
    let sha256 = hex::encode(Sha256::digest(GOOD));
    let size = GOOD.len() as u64;
    let upload =
        store.run(store.storage.presign_put(&key, JPEG, size, &sha256, Duration::from_secs(1))).unwrap();
    // The store checks real time, so this test has to let it pass.
    std::thread::sleep(Duration::from_millis(2100));
    assert!(is_refused(send(&upload, GOOD, &[])));
    assert!(matches!(store.content(&key), Err(StorageError::NotFound)));
}

#[test]
fn headers_that_the_signature_does_not_cover_are_refused() {
    let store = Store::new();
    let (secret, key) = (store.key("secret"), store.key("copy"));
    store.run(store.storage.put_bytes(&secret, GOOD.to_vec(), JPEG)).unwrap();
    let upload = store.presign(&key, GOOD);
    let source = format!("{}/{secret}", store.config.bucket);
    assert!(is_refused(send(&upload, GOOD, &[("x-amz-copy-source", Some(&source))])));
    assert!(is_refused(send(&upload, GOOD, &[("x-amz-meta-note", Some("hello"))])));
    assert!(matches!(store.content(&key), Err(StorageError::NotFound)));
}

#[test]
fn a_url_is_good_for_its_own_key_only() {
    let store = Store::new();
    let (mine, other) = (store.key("mine"), store.key("other"));
    let mut upload = store.presign(&mine, GOOD);
    upload.url = upload.url.replace("/mine?", "/other?");
    assert!(is_refused(send(&upload, GOOD, &[])));
    assert!(matches!(store.content(&other), Err(StorageError::NotFound)));
    upload.url = upload.url.split('?').next().unwrap().to_owned();
    assert!(is_refused(send(&upload, GOOD, &[])), "without any signature");
}

#[test]
fn keys_that_lead_out_of_the_bucket_are_refused() {
    let store = Store::new();
    let Some((_, data_dir)) = &store.embedded else { return };
    for key in ["../outside", "a/../../outside", "..%2Foutside"] {
        // Our own client signs what it is asked to, so this is what a holder of the keys could try.
        let put = store.run(store.storage.put_bytes(key, GOOD.to_vec(), JPEG));
        let is_kept_inside = !data_dir.join("outside").exists();
        assert!(is_kept_inside, "{key}");
        assert!(put.is_err() || key.contains("%2F"), "{key}");
        if !key.contains("%2F") {
            assert!(store.content(key).is_err(), "{key}");
        }
    }
}

#[test]
fn downloads_carry_a_safe_name_and_the_declared_type() {
    let store = Store::new();
    let key = store.key("download");
    store.run(store.storage.put_bytes(&key, GOOD.to_vec(), JPEG)).unwrap();
    let url = store
        .run(store.storage.presign_get(&key, "身份证 \"1\".jpg", JPEG, Duration::from_secs(9999)))
        .unwrap();
    assert!(url.contains("X-Amz-Expires=300"), "at most five minutes");
    let mut response = agent().get(&url).call().unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(
        disposition.starts_with("attachment; filename=\"___ _1_.jpg\"; filename*=UTF-8''"),
        "{disposition}"
    );
    assert_eq!(response.headers()["content-type"], JPEG);
    assert_eq!(response.body_mut().read_to_vec().unwrap(), GOOD);
    assert!(is_refused(agent().get(url.replace("attachment", "inline")).call().unwrap().status().as_u16()));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the store keeps real time")]
fn the_client_copies_lists_and_deletes() {
    let store = Store::new();
    let (first, second) = (store.key("a/first"), store.key("b/second"));
    store.run(async {
        let storage = &store.storage;
        storage.check().await.unwrap();
        storage.put_bytes(&first, GOOD.to_vec(), JPEG).await.unwrap();
        storage.copy(&first, &second).await.unwrap();
        assert_eq!(storage.get_bytes(&second, GOOD.len()).await.unwrap(), GOOD);
        assert!(matches!(storage.get_bytes(&second, GOOD.len() - 1).await, Err(StorageError::Refused(_))));
        assert!(matches!(storage.copy(&store.key("none"), &second).await, Err(StorageError::NotFound)));
        let tomorrow = chrono::DateTime::from(SystemTime::now() + Duration::from_secs(86_400));
        let yesterday = chrono::DateTime::from(SystemTime::now() - Duration::from_secs(86_400));
        let keys = |list: Vec<beian::external::storage::ObjectInfo>| -> Vec<String> {
            list.into_iter().map(|object| object.key).collect()
        };
        let all = storage.list(&store.prefix, tomorrow, 100).await.unwrap();
        assert_eq!(keys(all), [first.clone(), second.clone()]);
        assert_eq!(storage.list(&store.prefix, tomorrow, 1).await.unwrap().len(), 1);
        assert_eq!(storage.list(&store.prefix, yesterday, 100).await.unwrap(), []);
        storage.delete(&first).await.unwrap();
        storage.delete(&first).await.unwrap();
        assert!(matches!(storage.head(&first).await, Err(StorageError::NotFound)));
        storage.delete(&second).await.unwrap();
    });
}

#[test]
fn a_store_that_is_gone_is_unavailable_and_a_missing_bucket_is_not_found() {
    let store = Store::new();
    let mut config = store.config.clone();
    config.bucket = "no-such-bucket-here".into();
    let missing = Storage::new(&config);
    let answer = store.run(missing.check());
    assert!(matches!(answer, Err(StorageError::NotFound | StorageError::Refused(_))), "{answer:?}");
    config.endpoint = Some("http://127.0.0.1:1".into());
    let gone = Storage::new(&config);
    assert!(matches!(store.run(gone.check()), Err(StorageError::Unavailable(_))));
    if store.embedded.is_some() {
        let put = store.run(missing.put_bytes("k", GOOD.to_vec(), JPEG));
        assert!(matches!(put, Err(StorageError::NotFound)), "{put:?}");
        store.run(missing.ensure_bucket()).unwrap();
        store.run(missing.ensure_bucket()).unwrap();
        store.run(missing.put_bytes("k", GOOD.to_vec(), JPEG)).unwrap();
    }
}

#[test]
fn browsers_may_upload_from_allowed_origins_only() {
    let store = Store::with_origins(vec!["https://app.example.com".into()]);
    if store.embedded.is_none() {
        return;
    }
    let upload = store.presign(&store.key("cors"), GOOD);
    let preflight = |origin: &str| {
        let request = agent().options(&upload.url).header("origin", origin);
        let request = request.header("access-control-request-method", "PUT");
        request.header("access-control-request-headers", "content-type,x-amz-checksum-sha256").call().unwrap()
    };
    let allowed = preflight("https://app.example.com");
    assert_eq!(allowed.status().as_u16(), 204);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example.com");
    assert!(allowed.headers()["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    assert_eq!(allowed.headers()["access-control-allow-headers"], "content-type,x-amz-checksum-sha256");
    let refused = preflight("https://evil.example.com");
    assert_eq!(refused.status().as_u16(), 403);
    assert!(!refused.headers().contains_key("access-control-allow-origin"));
    // A refusal must be readable by the page too, or its programmer sees only "network error".
    let bad = agent().put(&upload.url).header("origin", "https://app.example.com").send(GOOD).unwrap();
    assert!(is_refused(bad.status().as_u16()));
    assert_eq!(bad.headers()["access-control-allow-origin"], "https://app.example.com");
}

#[test]
fn curl_uploads_with_exactly_the_returned_headers() {
    let store = Store::new();
    let key = store.key("curl");
    let content = vec![7_u8; 2_000_000];
    let upload = store.presign(&key, &content);
    let file = env::temp_dir().join(format!("beian-curl-{}", uuid::Uuid::now_v7()));
    std::fs::write(&file, &content).unwrap();
    let mut curl = std::process::Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--fail-with-body",
        "--max-time",
        "20",
        "--request",
        &upload.method,
    ]);
    for (name, value) in &upload.headers {
        curl.args(["--header", &format!("{name}: {value}")]);
    }
    let output = curl.arg("--upload-file").arg(&file).arg(&upload.url).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(store.run(store.storage.head(&key)).unwrap().size_bytes, 2_000_000);
}
