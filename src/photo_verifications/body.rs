//! Bodies of photo verifications.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::precheck::{self, Finding, Severity};
use super::{PhotoRow, PhotoState};
use crate::catalogue::data;
use crate::external::uploads::Upload;
use crate::filings::Status;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{FilingId, PhotoVerificationId};
use crate::websites::next_action::NextAction;

/// An attempt at the photo of the responsible person.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PhotoVerification)]
pub struct PhotoVerificationBody {
    /// Its id.
    #[schema(example = "0193a000-0000-7000-8000-000000018001")]
    pub id: PhotoVerificationId,
    /// The filing.
    #[schema(example = "0193a000-0000-7000-8000-000000015001")]
    pub filing_id: FilingId,
    /// From 1.
    #[schema(example = 1)]
    pub attempt_no: i32,
    /// Where it stands.
    pub state: PhotoState,
    /// Label of the state.
    #[schema(example = "人工审核中")]
    pub state_label: String,
    /// Name of the file.
    #[schema(example = "核验照片.jpg")]
    pub file_name: String,
    /// Media type.
    #[schema(example = "image/jpeg")]
    pub content_type: String,
    /// Length in bytes.
    #[schema(example = 2048000)]
    pub size_bytes: i64,
    /// What the check found.
    pub findings: Vec<PhotoFinding>,
    /// Whether there is a drawing of what the check saw: `createPhotoPreview` gives its address.
    pub has_preview: bool,
    /// When it was declared.
    pub created_at: DateTime<Utc>,
    /// When the photo was handed in.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When the check ended.
    pub checked_at: Option<DateTime<Utc>>,
    /// When a reviewer decided, or the attempt ended without a decision.
    pub decided_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// What the owner can do with it now. Empty for others, and inside a filing, which names its own next actions.
    pub next_actions: Vec<NextAction>,
    /// How to upload the file: only in the reply that created it, null everywhere else.
    pub upload: Option<Upload>,
}

/// Something that the check found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PhotoFinding {
    /// Code of a rejection reason, or `PRECHECK_UNAVAILABLE`; may grow.
    #[schema(example = "PHOTO_TOO_SMALL")]
    pub code: String,
    /// `block`: take another photo. `warn`: the reviewer looks closely.
    pub severity: Severity,
    /// What was measured.
    #[schema(example = "400×500 px")]
    pub measured: Option<String>,
    /// What it should be.
    #[schema(example = "600×800 px")]
    pub limit: Option<String>,
    /// What is wrong.
    #[schema(example = "照片尺寸过小")]
    pub message: String,
    /// What to do.
    #[schema(example = "请上传不小于 600×800 像素的照片，不要上传缩略图或截图。")]
    pub suggestion: String,
    /// Where in the picture; null when it concerns the whole.
    pub region: Option<PhotoRegion>,
}

/// A rectangle in the picture, in pixels of the upright picture (as browsers show it), from the upper left corner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PhotoRegion {
    /// Distance from the left edge.
    #[schema(example = 420)]
    pub x: u32,
    /// Distance from the upper edge.
    #[schema(example = 310)]
    pub y: u32,
    /// Width.
    #[schema(example = 260)]
    pub width: u32,
    /// Height.
    #[schema(example = 260)]
    pub height: u32,
}

impl PhotoFinding {
    pub(super) fn of(finding: Finding, locale: Locale) -> Self {
        let (message, suggestion) = match data::rejection_reason(&finding.code) {
            Some(reason) => (
                reason.title.get(locale.as_str()).to_owned(),
                reason.suggestion.get(locale.as_str()).to_owned(),
            ),
            None if finding.code == precheck::UNAVAILABLE => (
                locale.pick("自动检查未能完成", "The automatic check could not run").to_owned(),
                locale
                    .pick(
                        "照片已转人工审核，无需操作。",
                        "The photo went to review; nothing needs to be done.",
                    )
                    .to_owned(),
            ),
            None => (finding.code.clone(), String::new()),
        };
        Self {
            code: finding.code,
            severity: finding.severity,
            measured: finding.measured,
            limit: finding.limit,
            message,
            suggestion,
            region: finding.region.map(|region| PhotoRegion {
                x: region.x,
                y: region.y,
                width: region.width,
                height: region.height,
            }),
        }
    }
}

impl PhotoVerificationBody {
    /// The attempt as shown, without next actions and upload.
    pub fn of(row: &PhotoRow, locale: Locale) -> Self {
        Self {
            id: row.id,
            filing_id: row.filing_id,
            attempt_no: row.attempt_no,
            state: row.state,
            state_label: data::status_label("photo_verification", row.state.as_str(), locale.as_str())
                .to_owned(),
            file_name: row.file_name.clone(),
            content_type: row.content_type.clone(),
            size_bytes: row.size_bytes,
            findings: row.findings().into_iter().map(|finding| PhotoFinding::of(finding, locale)).collect(),
            has_preview: row.preview_key.is_some(),
            created_at: row.created_at,
            submitted_at: row.submitted_at,
            checked_at: row.checked_at,
            decided_at: row.decided_at,
            version: row.version,
            next_actions: Vec::new(),
            upload: None,
        }
    }

    /// The attempt as its owner sees it while the filing has this status.
    pub fn for_owner(row: &PhotoRow, locale: Locale, status: Status) -> Self {
        let is_photo_step = matches!(status, Status::PhotoRequired | Status::PhotoRejected);
        let next_actions = match row.state {
            PhotoState::AwaitingUpload if is_photo_step => {
                let href = format!("/v1/photo-verifications/{}/submit", row.id);
                vec![
                    NextAction::new(locale, "submit_photo", "submitPhotoVerification", "POST", href)
                        .primary(),
                ]
            }
            PhotoState::PrecheckFailed | PhotoState::Rejected if is_photo_step => {
                let href = format!("/v1/filings/{}/photo-verifications", row.filing_id);
                vec![
                    NextAction::new(locale, "upload_photo", "createPhotoVerification", "POST", href)
                        .primary(),
                ]
            }
            _ => Vec::new(),
        };
        Self { next_actions, ..Self::of(row, locale) }
    }
}

/// One page of a filing's attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoVerificationPage {
    /// The attempts, the newest first.
    pub items: Vec<PhotoVerificationBody>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

crate::text_enum! {
    /// Kinds of pictures that are taken.
    pub enum PhotoType {
        /// JPEG
        Jpeg = "image/jpeg",
        /// PNG
        Png = "image/png",
    }
}

/// A photo that is to be uploaded.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "file_name": "核验照片.jpg",
    "content_type": "image/jpeg",
    "size_bytes": 77500,
    "sha256": "d6a21b710b82a230785aa9754ebff35ae6cc4b7ef8536d1e19e106ba9ea4befa"
}))]
pub struct NewPhotoVerification {
    /// Name of the file, without folders.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^/\\\x00-\x1F\x7F]+$")]
    pub file_name: String,
    /// Media type; the content must agree.
    pub content_type: PhotoType,
    /// Length in bytes, up to 10 MiB.
    #[schema(minimum = 1, maximum = 10485760)]
    pub size_bytes: i64,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
}
