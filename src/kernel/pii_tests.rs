use proptest::prelude::*;

use super::*;

fn ring() -> Keyring {
    Keyring::new([7; 32], vec![(1, [8; 32])]).unwrap()
}

#[test]
fn masks_are_the_ones_that_chinese_sites_show() {
    assert_eq!(CertificateNumber::mask("11010519491231002X"), "110***********002X");
    assert_eq!(CertificateNumber::mask("E12345678"), "E*******8");
    assert_eq!(CertificateNumber::mask("12345"), "***");
    assert_eq!(Phone::mask("13800138000"), "138****8000");
    assert_eq!(Phone::mask("62345678"), "6*****78");
    assert_eq!(Phone::mask("110"), "****");
    assert_eq!(Email::mask("zhang.san@example.com"), "z***@example.com");
    assert_eq!(Email::mask("z@example.com"), "***@example.com");
    assert_eq!(Email::mask("nonsense"), "***");
    assert_eq!(Address::mask("北京市朝阳区建国路1号院2号楼"), "北京市朝阳区***");
    assert_eq!(Address::mask("建国路"), "***");
    assert_eq!(PersonName::mask("张三"), "张*");
    assert_eq!(PersonName::mask("欧阳小明"), "欧***");
    assert_eq!(PersonName::mask("张"), "*");
}

#[test]
fn everything_that_prints_prints_the_mask() {
    let phone = Sensitive::<Phone>::new("13800138000");
    assert_eq!(format!("{phone} {phone:?}"), "138****8000 138****8000");
    assert_eq!(serde_json::to_string(&phone).unwrap(), "\"138****8000\"");
    assert_eq!(Clear::of(&phone).unwrap().expose(), "13800138000");
    assert_eq!(serde_json::to_string(&phone).unwrap(), "\"138****8000\"", "only Clear::of may show it");
    assert!(!format!("{:?}", ring()).contains("08"), "keys are not printed");
}

#[test]
fn a_mask_that_comes_back_is_refused() {
    let fault = serde_json::from_str::<Sensitive<Phone>>("\"138****8000\"").unwrap_err().to_string();
    assert!(fault.contains("masked_value") && !fault.contains("138"), "{fault}");
    assert_eq!(serde_json::from_str::<Sensitive<Phone>>("\"13800138000\"").unwrap().expose(), "13800138000");
}

#[test]
fn several_keys_open_and_the_first_seals() {
    let old = ring();
    let both = Keyring::new([7; 32], vec![(2, [9; 32]), (1, [8; 32])]).unwrap();
    let sealed = old.seal::<Phone>("13800138000").unwrap();
    assert_eq!(both.open::<Phone>(&sealed).unwrap().expose(), "13800138000");
    let newer = both.seal::<Phone>("13800138000").unwrap();
    assert_eq!(newer[HASH_LEN], 2);
    assert_eq!(newer[..HASH_LEN], sealed[..HASH_LEN], "the hash survives a change of keys");
    assert_eq!(old.open::<Phone>(&newer).unwrap_err(), PiiError::UnknownKey(2));
}

#[test]
fn a_value_cannot_be_altered_cut_or_used_as_another_kind() {
    let ring = ring();
    let sealed = ring.seal::<Phone>("13800138000").unwrap();
    for position in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[position] ^= 1;
        assert!(ring.open::<Phone>(&altered).is_err(), "byte {position}");
    }
    assert_eq!(ring.open::<Phone>(&sealed[..40]).unwrap_err(), PiiError::Damaged);
    assert_eq!(ring.open::<Email>(&sealed).unwrap_err(), PiiError::Damaged);
}

#[test]
fn values_that_mean_the_same_have_the_same_hash() {
    let ring = ring();
    assert_eq!(ring.hash::<Phone>("+86 138-0013-8000"), ring.hash::<Phone>("13800138000"));
    assert_eq!(ring.hash::<Email>(" Zhang@Example.COM"), ring.hash::<Email>("zhang@example.com"));
    assert_eq!(ring.hash::<CertificateNumber>("x1"), ring.hash::<CertificateNumber>("X1"));
    assert_ne!(ring.hash::<Phone>("123"), ring.hash::<CertificateNumber>("123"));
}

#[test]
fn a_keyring_needs_numbered_keys_once_each() {
    assert!(Keyring::new([0; 32], vec![]).is_err());
    assert!(Keyring::new([0; 32], vec![(1, [1; 32]), (1, [2; 32])]).is_err());
}

#[test]
fn keys_are_installed_once() {
    install_for_tests();
    install_for_tests();
    let other = Keyring::new([1; 32], vec![(1, [2; 32])]).unwrap();
    assert_eq!(install(other).unwrap_err(), PiiError::AlreadyInstalled);
    assert_ne!(keyed_hash("person", &["ab", "c"]), keyed_hash("person", &["a", "bc"]));
    assert_ne!(keyed_hash("person", &["ab"]), keyed_hash("contact", &["ab"]));
}

proptest! {
    #[test]
    fn what_is_sealed_opens(text in "\\PC{0,60}") {
        let sealed = ring().seal::<Address>(&text).unwrap();
        let opened = ring().open::<Address>(&sealed).unwrap();
        prop_assert_eq!(opened.expose(), text.as_str());
    }

    #[test]
    fn no_mask_shows_the_whole_value(text in "[0-9A-Za-z]{1,40}") {
        for mask in [CertificateNumber::mask(&text), Phone::mask(&text), Email::mask(&text),
                     Address::mask(&text), PersonName::mask(&text)] {
            prop_assert!(mask.contains('*') && !mask.contains(&text), "{}", mask);
        }
    }
}
