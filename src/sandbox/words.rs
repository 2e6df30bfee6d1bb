//! The words. Pure.
//!
//! | word | what happens |
//! |---|---|
//! | `sim:review` | the initial review and the photo review are approved |
//! | `sim:review-reject` | the initial review is rejected: `SITE_NAME_INVALID` at `/website/name` |
//! | `sim:photo-reject` | the initial review is approved, the check lets any readable picture through, and the reviewer rejects the photo: `PHOTO_NOT_PERSON` |
//! | `sim:photo-pass` | the check lets any readable picture through |
//! | `sim:photo-fail` | the check finds no face |
//! | `sim:parcel-delivered`, `-returned`, `-lost` | an ordered backdrop is packed, shipped, and ends so |

use crate::backdrop_shipments::ParcelEnd;
use crate::external::bureau::simulator::{self, WORD_PREFIX, says};
use crate::filings::rejections::{NewItem, TargetKind};
use crate::reviews::Stage;

/// Every word begins so.
pub const PREFIX: &str = WORD_PREFIX;

/// The words of this module; those of the bureau are its own.
const WORDS: [&str; 8] = [
    "review",
    "review-reject",
    "photo-reject",
    "photo-pass",
    "photo-fail",
    "parcel-delivered",
    "parcel-returned",
    "parcel-lost",
];
/// Characters of a word that are shown.
const SHOWN: usize = 40;

/// What the check of a photo shall find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoWord {
    /// Nothing, as long as the picture can be read.
    Pass,
    /// No face.
    Fail,
}

/// What looks like a word of a remark and means nothing, in the order of the remark, at most ten.
pub fn unknown(remark: &str) -> Vec<String> {
    let looks_like_a_word = |part: &&str| {
        let plain = part.replace('：', ":").to_lowercase();
        plain.starts_with(PREFIX)
    };
    let is_known = |part: &&str| {
        part.strip_prefix(PREFIX).is_some_and(|word| WORDS.contains(&word) || simulator::is_word(word))
    };
    simulator::parts(remark)
        .filter(looks_like_a_word)
        .filter(|part| !is_known(part))
        .take(10)
        .map(|part| part.chars().take(SHOWN).collect())
        .collect()
}

/// What the reviewer does at a stage: approves (no items), or rejects with these items. None: leaves it to people.
pub fn review(remark: &str, stage: Stage) -> Option<Vec<NewItem>> {
    let rejects_photo = says(remark, "photo-reject");
    match stage {
        Stage::InitialReview if says(remark, "review-reject") => Some(vec![item(
            TargetKind::Field,
            Some("/website/name"),
            "SITE_NAME_INVALID",
            "网站名称不符合规范（模拟审核） / The name breaks the rules (simulated reviewer)",
        )]),
        Stage::PhotoReview if rejects_photo => Some(vec![item(
            TargetKind::Photo,
            None,
            "PHOTO_NOT_PERSON",
            "照片人物与负责人不一致（模拟审核） / Not the responsible person (simulated reviewer)",
        )]),
        Stage::InitialReview | Stage::PhotoReview => (rejects_photo || says(remark, "review")).then(Vec::new),
    }
}

fn item(target_kind: TargetKind, pointer: Option<&str>, code: &str, reason: &str) -> NewItem {
    NewItem {
        target_kind,
        pointer: pointer.map(str::to_owned),
        material_code: None,
        code: code.to_owned(),
        reason: reason.to_owned(),
        suggestion: None,
    }
}

/// What the check of the photo finds. None: what it sees.
pub fn photo(remark: &str) -> Option<PhotoWord> {
    if says(remark, "photo-fail") {
        Some(PhotoWord::Fail)
    } else {
        // A photo that a reviewer shall reject has to reach the reviewer.
        let passes = ["photo-pass", "photo-reject"].into_iter().any(|word| says(remark, word));
        passes.then_some(PhotoWord::Pass)
    }
}

/// How the journey of a backdrop ends. None: it is left to people.
pub fn parcel(remark: &str) -> Option<ParcelEnd> {
    [
        ("parcel-delivered", ParcelEnd::Delivered),
        ("parcel-returned", ParcelEnd::Returned),
        ("parcel-lost", ParcelEnd::Lost),
    ]
    .into_iter()
    .find(|(word, _)| says(remark, word))
    .map(|(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(remark: &str, stage: Stage) -> Option<Vec<String>> {
        review(remark, stage).map(|items| items.into_iter().map(|item| item.code).collect())
    }

    #[test]
    fn a_word_stands_alone() {
        let (data, photo_stage) = (Stage::InitialReview, Stage::PhotoReview);
        for nothing in ["", "更名", "sim:reviewed", "xsim:review", "sim: review", "review"] {
            assert_eq!(codes(nothing, data), None, "{nothing}");
            assert_eq!((photo(nothing), parcel(nothing)), (None, None), "{nothing}");
        }
        for approved in ["sim:review", "更名，sim:review", "a sim:review\nb", "sim:photo-reject"] {
            assert_eq!(codes(approved, data), Some(Vec::new()), "{approved}");
        }
        assert_eq!(codes("sim:review", photo_stage), Some(Vec::new()));
        assert_eq!(
            codes("sim:review sim:photo-reject", photo_stage),
            Some(vec!["PHOTO_NOT_PERSON".to_owned()])
        );
        assert_eq!(codes("sim:review sim:review-reject", data), Some(vec!["SITE_NAME_INVALID".to_owned()]));
        assert_eq!(codes("sim:review-reject", photo_stage), None);
        assert_eq!(photo("sim:photo-pass"), Some(PhotoWord::Pass));
        assert_eq!(photo("sim:photo-reject"), Some(PhotoWord::Pass));
        assert_eq!(photo("sim:photo-pass；sim:photo-fail"), Some(PhotoWord::Fail));
        assert_eq!(photo("sim:photo-reject sim:photo-fail"), Some(PhotoWord::Fail));
        assert_eq!(parcel("sim:review sim:parcel-lost"), Some(ParcelEnd::Lost));
    }

    #[test]
    fn what_looks_like_a_word_and_is_none_is_found() {
        for word in WORDS {
            assert_eq!(unknown(&format!("更名，sim:{word}")), Vec::<String>::new(), "{word}");
        }
        for fine in ["", "更名", "simulated", "sim:bureau-reject:1041，sim:sms-fail"] {
            assert_eq!(unknown(fine), Vec::<String>::new(), "{fine}");
        }
        assert_eq!(unknown("sim: review"), ["sim:"]);
        assert_eq!(
            unknown("a sim:reveiw，SIM:review sim：review sim:bureau-reject:1001 sim:review. sim:photo-pass"),
            ["sim:reveiw", "SIM:review", "sim：review", "sim:bureau-reject:1001", "sim:review."]
        );
        assert_eq!(unknown(&format!("sim:{}", "x".repeat(500)))[0].chars().count(), SHOWN);
    }

    /// The page for partners has a row for each word.
    #[test]
    fn the_page_for_partners_names_every_word() {
        let page = include_str!("../../docs/partners.md");
        for word in WORDS {
            assert!(page.contains(&format!("`sim:{word}`")), "{word}");
        }
    }
}
