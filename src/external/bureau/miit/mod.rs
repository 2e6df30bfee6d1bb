//! The ministry's interface for providers (企业系统接口): five SOAP operations over HTTP.
//!
//! `isp_upload` takes one filing a file, under the next number of the lane. `isp_download` brings results, the same file again
//! until `isp_downloadack`. `isp_querypreviousupload` says what arrived last: how a lost reply is found again.
//! `isp_querybeianstatus` asks the public record. The envelope is code, the form of the XML inside is configuration:
//! `docs/bureau-gateway.md`.

mod call;
mod codes;
mod envelope;
mod form;
mod password;
mod soap;

use async_trait::async_trait;

pub use codes::is_approval;
pub use envelope::AesKey;
pub use form::{ResultForm, UploadForm};
pub use password::is_writable;

use self::call::{Caller, Failure};
use self::codes::Meaning;
use self::envelope::{Labels, Sealed};
use self::soap::{Answer, Element};
use super::{
    BureauGateway, Fetched, FiledStatus, Inbound, Known, LastUpload, Package, Pause, Receipt, Sent, Silence,
};
use crate::config::MiitConfig;

/// How long after maintenance, or outside the bureau's hours, it is tried again.
const MAINTENANCE_SECONDS: i64 = 300;
/// How long after nobody answered the telephone, so to speak.
const UNREACHABLE_SECONDS: i64 = 60;
/// `hashAlgorithm` and `compressionFormat`: MD5 and zip, the only ones that the interface names.
const ONLY: &str = "0";
/// `queryConditionType`: by domain.
const BY_DOMAIN: &str = "0";

/// The gateway.
pub struct MiitGateway {
    config: MiitConfig,
    caller: Caller,
    lane: String,
}

impl MiitGateway {
    /// With settings that were checked at the start.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(config: MiitConfig) -> anyhow::Result<Self> {
        Ok(Self { caller: Caller::new()?, lane: format!("miit:{}", config.isp_id), config })
    }

    /// Calls an operation of the service for files.
    async fn call(&self, operation: &str, more: &[(&str, String)]) -> Result<Answer, Failure> {
        self.call_at(&self.config.url, operation, more).await
    }

    async fn call_at(&self, url: &str, operation: &str, more: &[(&str, String)]) -> Result<Answer, Failure> {
        let config = &self.config;
        let random = password::random_value();
        let proof = password::hash(secrecy::ExposeSecret::expose_secret(&config.password), &random);
        let mut parameters = vec![
            ("ispId", config.isp_id.to_string()),
            ("userName", config.user.clone()),
            ("randVal", random),
            ("pwdHash", proof),
        ];
        parameters.extend(more.iter().map(|(name, value)| (*name, value.clone())));
        self.caller.call(url, &soap::request(&config.namespace, operation, &parameters)).await
    }

    fn labels(element: &Element) -> Labels {
        let text = |name: &str| element.text_of(name).unwrap_or_default();
        Labels {
            encrypt: text("encryptAlgorithm"),
            hash: text("hashAlgorithm"),
            compression: text("compressionFormat"),
        }
    }

    /// Opens the file in a `fileInfos`.
    async fn open(&self, files: &Element) -> Result<String, Silence> {
        let sealed = Sealed {
            info: files.text_of("beianInfo").unwrap_or_default(),
            hash: files.text_of("beianInfoHash").unwrap_or_default(),
        };
        let (labels, key) = (Self::labels(files), self.config.aes.clone());
        // Megabytes to decipher and unpack would hold up everything else on this thread.
        tokio::task::spawn_blocking(move || envelope::open(&sealed, &labels, key.as_ref()))
            .await
            .map_err(|error| Silence::NoAnswer(error.to_string()))?
            .map_err(|error| Silence::NoAnswer(error.to_string()))
    }
}

fn told(answer: &Answer) -> String {
    format!("code {}: {}", answer.code, answer.message)
}

fn maintenance(answer: &Answer) -> Pause {
    Pause { reason: told(answer), seconds: MAINTENANCE_SECONDS }
}

/// An answer that is no answer to what was asked.
fn silence(answer: &Answer) -> Silence {
    match codes::meaning(answer.code) {
        Meaning::Authentication => Silence::Stop(told(answer)),
        Meaning::Maintenance | Meaning::Window => Silence::Later(maintenance(answer)),
        _ => Silence::NoAnswer(told(answer)),
    }
}

impl From<Failure> for Silence {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent(reason) | Failure::Refused(reason) => {
                Self::Later(Pause { reason, seconds: UNREACHABLE_SECONDS })
            }
            Failure::NoReply(reason) => Self::NoAnswer(reason),
        }
    }
}

#[async_trait]
impl BureauGateway for MiitGateway {
    fn is_automatic(&self) -> bool {
        true
    }

    fn lane(&self) -> Option<&str> {
        Some(&self.lane)
    }

    fn reference(&self, data_sequence: i64) -> String {
        format!("{}/{data_sequence}", self.lane)
    }

    async fn submit(&self, package: &Package) -> Sent {
        let Some(data_sequence) = package.data_sequence else {
            return Sent::NotSent("the package has no number".to_owned());
        };
        let xml = match self.config.upload_form.write(package, data_sequence) {
            Ok(xml) => zeroize::Zeroizing::new(xml),
            Err(reason) => return Sent::NotSent(reason),
        };
        let key = self.config.aes.clone();
        let sealed = tokio::task::spawn_blocking(move || envelope::seal(&xml, key.as_ref())).await;
        let sealed = match sealed {
            Ok(Ok(sealed)) => sealed,
            Ok(Err(error)) => return Sent::NotSent(error.to_string()),
            Err(error) => return Sent::NotSent(error.to_string()),
        };
        let encrypt = if self.config.aes.is_some() { "1" } else { "0" };
        let parameters = [
            ("beianInfo", sealed.info),
            ("beianInfoHash", sealed.hash),
            ("dataSequence", data_sequence.to_string()),
            ("encryptAlgorithm", encrypt.to_owned()),
            ("hashAlgorithm", ONLY.to_owned()),
            ("compressionFormat", ONLY.to_owned()),
        ];
        let answer = match self.call("isp_upload", &parameters).await {
            Ok(answer) => answer,
            Err(Failure::NotSent(reason) | Failure::Refused(reason)) => {
                return Sent::Later(Pause { reason, seconds: UNREACHABLE_SECONDS });
            }
            Err(Failure::NoReply(reason)) => return Sent::NoReply(reason),
        };
        match codes::meaning(answer.code) {
            Meaning::Done | Meaning::More => {
                Sent::Accepted(Receipt { external_reference: self.reference(data_sequence) })
            }
            Meaning::Authentication => Sent::Stop(told(&answer)),
            Meaning::Maintenance | Meaning::Window => Sent::Later(maintenance(&answer)),
            Meaning::Gap => {
                let mut numbers = Vec::new();
                answer.document.find_all("dataSequence", &mut numbers);
                let mut missing: Vec<i64> =
                    numbers.iter().filter_map(|number| number.text.trim().parse().ok()).collect();
                missing.sort_unstable();
                Sent::Gap(missing)
            }
            Meaning::Nothing | Meaning::Other => Sent::NotSent(told(&answer)),
        }
    }

    async fn query(&self, _order_no: &str) -> Known {
        Known::NoAnswer("this gateway is asked for its last file".to_owned())
    }

    async fn last_upload(&self) -> Result<LastUpload, Silence> {
        let answer = self.call("isp_querypreviousupload", &[("hashAlgorithm", ONLY.to_owned())]).await?;
        match codes::meaning(answer.code) {
            // Nothing was ever sent.
            Meaning::Nothing => return Ok(LastUpload::new(0, None)),
            Meaning::Done | Meaning::More => {}
            _ => return Err(silence(&answer)),
        }
        let unreadable = || Silence::NoAnswer("the bureau's record has no dataSequence".to_owned());
        let files = answer.document.find("fileInfos").unwrap_or(&answer.document);
        let number: i64 =
            files.text_of("dataSequence").and_then(|number| number.parse().ok()).ok_or_else(unreadable)?;
        if number == 0 {
            return Ok(LastUpload::new(0, None));
        }
        Ok(LastUpload::new(number, Some(self.open(files).await?)))
    }

    async fn fetch(&self) -> Result<Fetched, Silence> {
        let answer = self.call("isp_download", &[("hashAlgorithm", ONLY.to_owned())]).await?;
        let has_more = match codes::meaning(answer.code) {
            Meaning::Nothing => return Ok(Fetched::Nothing),
            Meaning::Done => false,
            Meaning::More => true,
            _ => return Err(silence(&answer)),
        };
        let files = answer.document.find("fileInfos").unwrap_or(&answer.document);
        let file_name = files
            .text_of("return_FileName")
            .ok_or_else(|| Silence::NoAnswer("the file has no return_FileName".to_owned()))?;
        let xml = zeroize::Zeroizing::new(self.open(files).await?);
        let verdicts = self
            .config
            .result_form
            .read(&file_name, &xml)
            .map_err(|fault| Silence::NoAnswer(format!("the results in {file_name}: {fault}")))?;
        Ok(Fetched::File(Inbound { file_name, verdicts, has_more }))
    }

    async fn acknowledge(&self, file_name: &str) -> Result<(), Silence> {
        let parameters = [("hashAlgorithm", ONLY.to_owned()), ("fileName", file_name.to_owned())];
        let answer = self.call("isp_downloadack", &parameters).await?;
        match codes::meaning(answer.code) {
            Meaning::Done | Meaning::More | Meaning::Nothing => Ok(()),
            _ => Err(silence(&answer)),
        }
    }

    async fn filed_status(&self, domain: &str) -> Result<Option<FiledStatus>, Silence> {
        let parameters = [
            ("hashAlgorithm", ONLY.to_owned()),
            ("queryConditionType", BY_DOMAIN.to_owned()),
            ("queryCondition", domain.to_owned()),
        ];
        let answer = self.call_at(&self.config.status_url, "isp_querybeianstatus", &parameters).await?;
        if codes::meaning(answer.code) != Meaning::Done {
            return Err(silence(&answer));
        }
        let unreadable = || Silence::NoAnswer("the bureau's record has no Bazt".to_owned());
        let status = answer.document.text_of("Bazt").ok_or_else(unreadable)?;
        Ok(Some(FiledStatus {
            is_filed: status == "0",
            website_name: answer.document.text_of("Wzmc"),
            subject_icp_number: answer.document.text_of("Ztbah"),
            website_icp_number: answer.document.text_of("Wzbah"),
        }))
    }
}
