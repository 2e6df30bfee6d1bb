//! The words. Pure.
//!
//! | word | what happens |
//! |---|---|
//! | `sim:review` | the initial review and the photo review are approved |
//! | `sim:review-reject` | the initial review is rejected: `SITE_NAME_INVALID` at `/website/name` |
//! | `sim:photo-reject` | the initial review is approved, the photo rejected by the reviewer: `PHOTO_NOT_PERSON` |
//! | `sim:photo-pass` | the check lets any readable picture through |
//! | `sim:photo-fail` | the check finds no face |
//! | `sim:parcel-delivered`, `-returned`, `-lost` | an ordered backdrop is packed, shipped, and ends so |

use crate::backdrop_shipments::ParcelEnd;
use crate::filings::rejections::{NewItem, TargetKind};
use crate::reviews::Stage;

/// Every word begins so.
pub const PREFIX: &str = "sim:";

/// What the check of a photo shall find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoWord {
    /// Nothing, as long as the picture can be read.
    Pass,
    /// No face.
    Fail,
}

fn says(remark: &str, word: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | '，' | ';' | '；' | '、' | '。');
    remark.split(is_separator).any(|part| part.strip_prefix(PREFIX) == Some(word))
}

/// What the reviewer does at a stage: approves (no items), or rejects with these items. None: leaves it to people.
pub fn review(remark: &str, stage: Stage) -> Option<Vec<NewItem>> {
    let rejects_photo = says(remark, "photo-reject");
    match stage {
        Stage::InitialReview if says(remark, "review-reject") => Some(vec![item(
            TargetKind::Field,
            Some("/website/name"),
            "SITE_NAME_INVALID",
            "网站名称不符合规范（模拟审核）",
        )]),
        Stage::PhotoReview if rejects_photo => Some(vec![item(
            TargetKind::Photo,
            None,
            "PHOTO_NOT_PERSON",
            "照片人物与负责人不一致（模拟审核）",
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
        says(remark, "photo-pass").then_some(PhotoWord::Pass)
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
        assert_eq!(photo("sim:photo-pass；sim:photo-fail"), Some(PhotoWord::Fail));
        assert_eq!(parcel("sim:review sim:parcel-lost"), Some(ParcelEnd::Lost));
    }
}
