use std::collections::HashMap;

use super::*;

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let map: HashMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&|name| map.get(name).cloned())
}

fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    load(pairs).expect_err("the settings must be refused").faults
}

fn production() -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", "postgres://beian:secret@db/beian".into()),
        ("S3_BUCKET", "beian".into()),
        ("S3_ENDPOINT", "http://store:3900/".into()),
        ("S3_ACCESS_KEY_ID", "id".into()),
        ("S3_SECRET_ACCESS_KEY", "secret".into()),
        ("JWT_KEYS", format!("new:{KEY},old:{KEY}")),
        ("PII_KEYS", format!("2:{KEY},1:{KEY}")),
        ("PII_HASH_KEY", KEY.into()),
        ("PUBLIC_URL", "https://beian.example.com".into()),
        ("SMTP_URL", "smtp://mail:25".into()),
        ("MAIL_FROM", "备案 <icp@example.com>".into()),
    ]
}

fn load_production(change: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
    let mut all = production();
    for (name, value) in change {
        all.retain(|(known, _)| known != name);
        all.push((name, (*value).to_owned()));
    }
    let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    load(&pairs)
}

#[test]
fn nothing_set_is_embedded_mode_on_the_loopback() {
    let config = load(&[]).unwrap();
    assert_eq!(config.mode, Mode::Embedded);
    assert_eq!(config.http.listen_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(config.worker, WorkerMode::Inline);
    assert_eq!(config.bureau_gateway, BureauGateway::Simulator);
    assert!(config.swagger_password_login && config.storage.is_none() && config.keys.jwt_keys.is_none());
    assert!(config.http.metrics.unwrap().fall_back);
}

#[test]
fn empty_values_count_as_absent() {
    assert_eq!(load(&[("DATABASE_URL", ""), ("S3_BUCKET", " ")]).unwrap().mode, Mode::Embedded);
}

#[test]
fn embedded_mode_refuses_every_address_off_the_loopback() {
    let found = faults(&[("LISTEN_ADDR", "0.0.0.0:8080"), ("METRICS_ADDR", "10.0.0.1:9464")]);
    assert!(found[0].starts_with("LISTEN_ADDR") && found[1].starts_with("METRICS_ADDR"), "{found:?}");
    assert!(load(&[("LISTEN_ADDR", "[::1]:0")]).is_ok());
}

#[test]
fn a_database_without_a_store_or_the_reverse_is_refused() {
    assert!(
        load_production(&[("S3_BUCKET", "")]).unwrap_err().to_string().contains("S3_BUCKET: DATABASE_URL")
    );
    assert!(
        load_production(&[("DATABASE_URL", "")]).unwrap_err().to_string().contains("DATABASE_URL: S3_BUCKET")
    );
}

#[test]
fn outside_embedded_mode_every_missing_secret_is_named_at_once() {
    let found = faults(&[("DATABASE_URL", "postgres://db/beian"), ("S3_BUCKET", "beian")]).join("\n");
    for name in [
        "S3_REGION",
        "S3_ACCESS_KEY_ID",
        "S3_SECRET_ACCESS_KEY",
        "JWT_KEYS",
        "PII_KEYS",
        "PII_HASH_KEY",
        "PUBLIC_URL",
        "SMTP_URL",
        "MAIL_FROM",
    ] {
        assert_eq!(found.matches(&format!("{name}: missing")).count(), 1, "{name} in\n{found}");
    }
}

#[test]
fn a_complete_deployment_has_careful_defaults() {
    let config = load_production(&[]).unwrap();
    assert_eq!(config.mode, Mode::External);
    assert_eq!(config.worker, WorkerMode::Off);
    assert_eq!(config.bureau_gateway, BureauGateway::Manual);
    assert!(!config.swagger_password_login && config.http.metrics.is_none());
    let storage = config.storage.unwrap();
    assert_eq!(storage.endpoint.as_deref(), Some("http://store:3900"));
    let keys = config.keys.jwt_keys.unwrap();
    assert_eq!((keys[0].kid.as_str(), keys[1].kid.as_str()), ("new", "old"));
    assert_eq!(config.keys.pii_keys.unwrap()[0].number, 2);
}

#[test]
fn without_an_endpoint_the_store_is_aws_and_needs_its_region() {
    assert!(load_production(&[("S3_ENDPOINT", "")]).unwrap_err().faults[0].starts_with("S3_REGION"));
    let aws = load_production(&[("S3_ENDPOINT", ""), ("S3_REGION", "cn-north-1")]).unwrap().storage.unwrap();
    assert_eq!((aws.endpoint, aws.region.as_str()), (None, "cn-north-1"));
}

#[test]
fn faults_name_the_setting_and_never_a_secret() {
    let short = "c2hvcnQ=";
    for (name, value) in [
        ("JWT_KEYS", "no-colon"),
        ("JWT_KEYS", &format!("a:{short}")),
        ("JWT_KEYS", &format!("a:{KEY},a:{KEY}")),
        ("PII_KEYS", &format!("0:{KEY}")),
        ("PII_KEYS", &format!("256:{KEY}")),
        ("PII_KEYS", &format!("1:{short}")),
        ("PII_HASH_KEY", short),
        ("PUBLIC_URL", "beian.example.com"),
        ("CORS_ORIGINS", "https://a.example.com,*"),
        ("CORS_ORIGINS", "https://a.example.com/path"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("SMTP_URL", "mail.example.com"),
        ("MAIL_FROM", "nobody"),
        ("WORKER", "maybe"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_POOL_SIZE", "0"),
        ("REQUEST_TIMEOUT_SECONDS", "-1"),
        ("RATE_LIMIT_PER_SECOND", "many"),
        ("LISTEN_ADDR", "8080"),
        ("S3_BUCKET", "Not_A_Bucket"),
        ("DATABASE_URL", "mysql://db"),
        ("SWAGGER_PASSWORD_LOGIN", "yes"),
    ] {
        let error = load_production(&[(name, value)]).expect_err(name);
        assert_eq!(error.faults.len(), 1, "{error}");
        assert!(error.faults[0].starts_with(name), "{error}");
        assert!(!error.to_string().contains(short) && !error.to_string().contains(KEY), "{error}");
    }
}

/// JD Cloud as it must be set at least.
fn jdcloud() -> Vec<(&'static str, &'static str)> {
    vec![
        ("SMS_PROVIDER", "jdcloud"),
        ("JDCLOUD_ACCESS_KEY_ID", "JDC_1"),
        ("JDCLOUD_SECRET_ACCESS_KEY", "a-secret-of-jd"),
        ("JDCLOUD_SMS_SIGN_ID", "S1"),
        (
            "JDCLOUD_SMS_TEMPLATES",
            r#"{"*": {"template_id": "T1", "params": ["order_no"]}, "account.contact_code": {"template_id": "T2"}}"#,
        ),
    ]
}

#[test]
fn a_provider_of_sms_names_everything_that_it_lacks() {
    let found = faults(&[("SMS_PROVIDER", "jdcloud")]).join("\n");
    for (name, _) in jdcloud().iter().skip(1) {
        assert_eq!(found.matches(&format!("{name}: missing")).count(), 1, "{name} in\n{found}");
    }
    assert!(faults(&[("SMS_PROVIDER", "http")])[0].starts_with("SMS_HTTP_URL: missing"));
    let config = load(&jdcloud()).unwrap();
    let SmsProvider::JdCloud(own) = &config.sms.provider else { panic!("{:?}", config.sms) };
    assert_eq!((own.region.as_str(), own.endpoint.as_str()), ("cn-north-1", "https://sms.jdcloud-api.com"));
    assert!(!format!("{config:?}").contains("a-secret-of-jd"));
    assert!(matches!(load(&[]).unwrap().sms.provider, SmsProvider::Outbox));
    assert!(matches!(load_production(&[]).unwrap().sms.provider, SmsProvider::None));
}

#[test]
fn faulty_settings_of_messages_are_named() {
    for (name, value) in [
        ("JDCLOUD_SMS_TEMPLATES", "T1"),
        ("JDCLOUD_SMS_TEMPLATES", r#"{"*": {"template_id": "T1"}}"#),
        ("JDCLOUD_SMS_TEMPLATES", r#"{"account.contact_code": {"template_id": "T1"}}"#),
        ("JDCLOUD_SMS_TEMPLATES", r#"{"filing.invented": {"template_id": "T1"}}"#),
        ("JDCLOUD_SMS_TEMPLATES", r#"{"*": {"template_id": "T1", "params": ["mobile"]}}"#),
        ("JDCLOUD_SMS_REGION", "cn/north"),
        ("JDCLOUD_SMS_ENDPOINT", "sms.jdcloud-api.com"),
        ("JDCLOUD_SMS_ENDPOINT", "https://sms.jdcloud-api.com/v1"),
        ("JDCLOUD_SIGNATURE", "HMAC"),
        ("SMS_PROVIDER", "pigeon"),
        ("SMS_PER_HOUR", "0"),
        ("EMAILS_PER_HOUR", "-1"),
        ("CHANNEL_BREAKER_FAILURES", "x"),
        ("CHANNEL_BREAKER_PAUSE_SECONDS", "0"),
        ("SMS_HTTP_URL", "ftp://x"),
        ("SMS_HTTP_BODY", "{{ to"),
        ("SMS_HTTP_HEADERS", "Authorization: x"),
        ("SMS_HTTP_SUCCESS", "status =="),
        ("SMS_HTTP_REFUSED", "("),
        ("SMS_HTTP_METHOD", "DELETE"),
    ] {
        let mut all: Vec<_> = jdcloud().into_iter().filter(|(known, _)| *known != name).collect();
        all.push((name, value));
        let found = faults(&all);
        let named = found.iter().filter(|fault| fault.starts_with(name)).count();
        assert!(named == 1, "{name}={value}: {found:?}");
    }
    let secret = [
        ("SMS_PROVIDER", "http"),
        ("SMS_HTTP_URL", "https://sms.example.com"),
        ("SMS_RECEIPT_SECRET", "short"),
    ];
    assert!(faults(&secret)[0].starts_with("SMS_RECEIPT_SECRET"));
    assert!(faults(&[("SMS_RECEIPT_SECRET", "0123456789abcdef")])[0].starts_with("SMS_RECEIPT_SECRET"));
}

fn examples() -> [(&'static str, &'static str); 2] {
    [
        ("MIIT_UPLOAD_TEMPLATE", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bureau/upload.xml")),
        ("MIIT_RESULT_NAMES", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bureau/results.json")),
    ]
}

#[test]
fn the_ministrys_gateway_names_everything_that_it_lacks_at_once() {
    let found = load_production(&[("BUREAU_GATEWAY", "miit")]).unwrap_err().faults;
    let names: Vec<&str> = found.iter().filter_map(|fault| fault.split(':').next()).collect();
    assert_eq!(
        names,
        [
            "MIIT_URL",
            "MIIT_STATUS_URL",
            "MIIT_NAMESPACE",
            "MIIT_ISP_ID",
            "MIIT_USER",
            "MIIT_PASSWORD",
            "MIIT_UPLOAD_TEMPLATE",
            "MIIT_RESULT_NAMES"
        ]
    );
    let complete = [
        ("BUREAU_GATEWAY", "miit"),
        ("MIIT_URL", "https://bureau.example.com/ISPWebService/upDownLoad"),
        ("MIIT_STATUS_URL", "https://bureau.example.com/BeianStatusWebService/queryBeianStatus"),
        ("MIIT_NAMESPACE", "urn:example"),
        ("MIIT_ISP_ID", "110000123"),
        ("MIIT_USER", "provider"),
        ("MIIT_PASSWORD", "s3cret-password"),
        examples()[0],
        examples()[1],
    ];
    let with = |change: &[(&'static str, &'static str)]| {
        load_production(&complete.iter().chain(change).copied().collect::<Vec<_>>())
    };
    let config = with(&[]).unwrap();
    assert!(config.miit.as_ref().unwrap().aes.is_none());
    assert!(!format!("{config:?}").contains("s3cret-password"));
    for (name, value, words) in [
        ("MIIT_ISP_ID", "x", "number is expected"),
        ("MIIT_PASSWORD", "🔑", "GBK"),
        ("MIIT_AES_KEY", "short", "16, 24 or 32 bytes"),
        ("MIIT_AES_KEY", "0123456789abcdef", "MIIT_AES_IV: missing"),
        ("MIIT_AES_IV", "0102030405060708", "MIIT_AES_KEY: missing"),
        ("MIIT_UPLOAD_TEMPLATE", "/nowhere/upload.xml", "cannot be read"),
        ("MIIT_UPLOAD_TEMPLATE", examples()[1].1, "does not give XML"),
        ("MIIT_RESULT_NAMES", examples()[0].1, "not the expected JSON"),
        ("MIIT_URL", "bureau", "a URL such as"),
    ] {
        let faults = with(&[(name, value)]).unwrap_err().faults;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(words), "{faults:?}");
    }
    // Without the gateway its files are not opened.
    assert!(load_production(&[("MIIT_UPLOAD_TEMPLATE", "/nowhere/upload.xml")]).unwrap().miit.is_none());
}

#[test]
fn parcels_are_followed_with_a_whole_account_or_not_at_all() {
    assert!(load_production(&[]).unwrap().kuaidi100.is_none());
    let found = load_production(&[("KUAIDI100_KEY", "k3y-k3y")]).unwrap_err();
    assert!(found.faults[0].starts_with("KUAIDI100_CUSTOMER: missing"), "{found}");
    assert!(found.faults[1].starts_with("KUAIDI100_SALT: missing"), "{found}");
    let all = [("KUAIDI100_KEY", "k3y-k3y"), ("KUAIDI100_CUSTOMER", "c"), ("KUAIDI100_SALT", "s4lt-s4lt")];
    let config = load_production(&all).unwrap();
    assert_eq!(config.kuaidi100.as_ref().unwrap().url, "https://poll.kuaidi100.com");
    let printed = format!("{config:?}");
    assert!(!printed.contains("k3y-k3y") && !printed.contains("s4lt-s4lt"), "{printed}");
}

#[test]
fn keys_are_not_printed() {
    let printed = format!("{:?}", load_production(&[]).unwrap());
    assert!(!printed.contains("secret@") && !printed.contains("0123456789"), "{printed}");
}

#[test]
fn proxy_ranges_cover_blocks_and_mapped_addresses() {
    let range: IpRange = "10.1.0.0/16".parse().unwrap();
    assert!(range.contains("10.1.255.3".parse().unwrap()));
    assert!(range.contains("::ffff:10.1.2.3".parse().unwrap()));
    assert!(!range.contains("10.2.0.1".parse().unwrap()));
    assert!("0.0.0.0/0".parse::<IpRange>().unwrap().contains("203.0.113.9".parse().unwrap()));
    assert!("fd00::/8".parse::<IpRange>().unwrap().contains("fd12::1".parse().unwrap()));
    assert!(!"::1".parse::<IpRange>().unwrap().contains("::2".parse().unwrap()));
}

#[test]
fn env_example_lists_exactly_the_settings_that_the_code_reads() {
    let nothing = |_: &str| None;
    let reader = Reader::new(&nothing);
    read_all(&reader);
    let listed: BTreeSet<String> = include_str!("../../.env.example")
        .lines()
        .filter_map(|line| line.trim_start_matches('#').trim().split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
        })
        .collect();
    assert_eq!(listed, reader.asked.into_inner());
}
