//! Bodies of attachments.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AttachmentRow, AttachmentState};
use crate::catalogue::data;
use crate::error::{ApiError, ApiResult, FieldError};
use crate::external::uploads::{Fault, FileType, Upload};
use crate::kernel::i18n::{Bilingual, Locale};
use crate::kernel::ids::{AttachmentId, FilingId};

/// A material of a filing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Attachment {
    /// Its id.
    #[schema(example = "0193a000-0000-7000-8000-000000016001")]
    pub id: AttachmentId,
    /// The filing that it belongs to.
    #[schema(example = "0193a000-0000-7000-8000-000000015001")]
    pub filing_id: FilingId,
    /// Code of the material, as in the filing's requirements; may grow.
    #[schema(example = "identity_card_front")]
    pub purpose: String,
    /// Label of the purpose.
    #[schema(example = "网站负责人身份证人像面")]
    pub purpose_label: String,
    /// Where it stands; only `ready` ones count.
    pub state: AttachmentState,
    /// Label of the state.
    #[schema(example = "可用")]
    pub state_label: String,
    /// Why it was refused: `size_mismatch`, `checksum_mismatch`, `type_mismatch`, `malware`; may grow.
    pub refused_code: Option<String>,
    /// What that means and what to do.
    pub refused_text: Option<String>,
    /// Name of the file.
    #[schema(example = "身份证人像面.jpg")]
    pub file_name: String,
    /// Media type.
    #[schema(example = "image/jpeg")]
    pub content_type: String,
    /// Length in bytes.
    #[schema(example = 204800)]
    pub size_bytes: i64,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// When it was declared.
    pub created_at: DateTime<Utc>,
    /// When the file was looked at.
    pub completed_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// How to upload the file: only in the reply that created it, null everywhere else.
    pub upload: Option<Upload>,
}

impl Attachment {
    /// The attachment as shown, without its upload.
    pub fn of(row: &AttachmentRow, locale: Locale) -> Self {
        Self {
            id: row.id,
            filing_id: row.filing_id,
            purpose: row.purpose.clone(),
            purpose_label: data::label("material", &row.purpose, locale.as_str()).to_owned(),
            state: row.state,
            state_label: data::status_label("attachment", row.state.as_str(), locale.as_str()).to_owned(),
            refused_code: row.refused_code.clone(),
            refused_text: row.refused_code.as_deref().map(|code| refused_text(code, locale).to_owned()),
            file_name: row.file_name.clone(),
            content_type: row.content_type.clone(),
            size_bytes: row.size_bytes,
            sha256: row.sha256.clone(),
            created_at: row.created_at,
            completed_at: row.completed_at,
            version: row.version,
            upload: None,
        }
    }
}

fn refused_text(code: &str, locale: Locale) -> &'static str {
    match code.parse() {
        Ok(Fault::Size) => locale.pick(
            "文件大小与声明不符，请重新上传。",
            "The file's length is not the declared one; upload it again.",
        ),
        Ok(Fault::Checksum) => locale.pick(
            "文件校验和与声明不符，请重新上传。",
            "The file's checksum is not the declared one; upload it again.",
        ),
        Ok(Fault::Type) => locale.pick(
            "文件内容不是所声明的格式，请上传 JPEG、PNG 或 PDF 原文件。",
            "The content is not of the declared type; upload the original JPEG, PNG or PDF.",
        ),
        Ok(Fault::Malware) => locale
            .pick("文件含有恶意内容，请上传安全的文件。", "The file contains malware; upload a clean one."),
        Err(_) => locale.pick("文件不合格，请重新上传。", "The file is not acceptable; upload another one."),
    }
}

/// One page of a filing's attachments.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttachmentPage {
    /// The attachments, oldest first.
    pub items: Vec<Attachment>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// An address from which a file can be downloaded for a few minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileDownload {
    /// The address: a plain GET without further headers.
    pub url: String,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// A file that is to be uploaded.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "purpose": "identity_card_front",
    "file_name": "身份证人像面.jpg",
    "content_type": "image/jpeg",
    "size_bytes": 28254,
    "sha256": "a743443d90ce98354351ed02623889f5d07c58f8c0b9e1c95bbf1ae08452e9bf"
}))]
pub struct NewAttachment {
    /// Code of the dictionary `material`: what the file proves.
    #[schema(min_length = 1, max_length = 64)]
    pub purpose: String,
    /// Name of the file, without folders.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^/\\\x00-\x1F\x7F]+$")]
    pub file_name: String,
    /// Media type; the content must agree.
    pub content_type: FileType,
    /// Length in bytes, up to 10 MiB.
    #[schema(minimum = 1, maximum = 10485760)]
    pub size_bytes: i64,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
}

impl NewAttachment {
    /// What the dictionary says about the purpose.
    ///
    /// # Errors
    /// 422 with every faulty field.
    pub(super) fn check(&self) -> ApiResult<()> {
        let Some(material) = data::dictionaries().find("material", &self.purpose) else {
            return Err(ApiError::invalid(vec![FieldError::pointer("/purpose", "not_in_list")]));
        };
        let mut faults = Vec::new();
        let accepted = material.list("accepted_types");
        if !accepted.is_empty() && !accepted.contains(&self.content_type.as_str()) {
            faults.push(FieldError::new(
                crate::error::Place::Pointer("/content_type".to_owned()),
                "not_in_list",
                Bilingual::new(
                    format!("该材料只接受：{}", accepted.join("、")),
                    format!("this material must be one of {}", accepted.join(", ")),
                ),
            ));
        }
        if material.number("max_bytes").is_some_and(|most| self.size_bytes as u64 > most) {
            faults.push(FieldError::pointer("/size_bytes", "out_of_range"));
        }
        if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
    }
}

/// Whether a completed file of this purpose takes the place of the one before.
pub(super) fn has_room_for_one(purpose: &str) -> bool {
    data::dictionaries().find("material", purpose).and_then(|entry| entry.number("max_count")) == Some(1)
}
