//! The ministry's interface for providers: addresses, account, key, and the two files that say what is not public.

use secrecy::SecretString;

use super::{Reader, SecretBytes, network};
use crate::external::bureau::miit::{AesKey, ResultForm, UploadForm, is_writable};

/// Settings of the ministry's interface.
#[derive(Debug, Clone)]
pub struct MiitConfig {
    /// Address of the service for files (`…/ISPWebService/upDownLoad`).
    pub url: String,
    /// Address of the service for the public record (`…/BeianStatusWebService/queryBeianStatus`).
    pub status_url: String,
    /// Target namespace of the operations, as the service's WSDL says.
    pub namespace: String,
    /// `ispId`, the provider's number.
    pub isp_id: i64,
    /// `userName`.
    pub user: String,
    /// The password of the account.
    pub password: SecretString,
    /// The key agreed with the bureau; none means that files are not encrypted.
    pub aes: Option<AesKey>,
    /// How a change is written.
    pub upload_form: UploadForm,
    /// How the bureau's results are read.
    pub result_form: ResultForm,
}

/// The settings, if they are needed; every fault is noted with the others.
pub(super) fn read(r: &Reader, is_needed: bool) -> Option<MiitConfig> {
    const WHY: &str = "BUREAU_GATEWAY=miit";
    let url = r.needed(is_needed, "MIIT_URL", WHY, r.parsed("MIIT_URL", network::http_url));
    let status_url =
        r.needed(is_needed, "MIIT_STATUS_URL", WHY, r.parsed("MIIT_STATUS_URL", network::http_url));
    let namespace = r.needed(is_needed, "MIIT_NAMESPACE", WHY, r.text("MIIT_NAMESPACE"));
    let isp_id = r.parsed("MIIT_ISP_ID", |text| match text.parse::<i64>() {
        Ok(id) if id > 0 => Ok(id),
        _ => Err("the provider's number is expected".to_owned()),
    });
    let isp_id = r.needed(is_needed, "MIIT_ISP_ID", WHY, isp_id);
    let user = r.needed(is_needed, "MIIT_USER", WHY, r.text("MIIT_USER"));
    let password = r.parsed("MIIT_PASSWORD", |text| {
        let is_good = is_writable(text);
        is_good
            .then(|| text.to_owned())
            .ok_or_else(|| "only characters that GBK can write are expected".into())
    });
    let password = r.needed(is_needed, "MIIT_PASSWORD", WHY, password);
    let key = r.parsed("MIIT_AES_KEY", |text| match text.len() {
        16 | 24 | 32 => Ok(SecretBytes::new(text.as_bytes().to_vec())),
        _ => Err("16, 24 or 32 bytes are expected, as the bureau gave them".to_owned()),
    });
    let iv = r.parsed("MIIT_AES_IV", |text| match text.len() {
        16 => Ok(SecretBytes::new(text.as_bytes().to_vec())),
        _ => Err("16 bytes are expected, as the bureau gave them".to_owned()),
    });
    r.needed(is_needed && key.is_some(), "MIIT_AES_IV", "MIIT_AES_KEY", iv.as_ref());
    r.needed(is_needed && iv.is_some(), "MIIT_AES_KEY", "MIIT_AES_IV", key.as_ref());
    // Files are opened only if they count.
    let upload = r.parsed("MIIT_UPLOAD_TEMPLATE", |path| match is_needed {
        true => UploadForm::parse(&file(path)?).map(Some),
        false => Ok(None),
    });
    let upload_form = r.needed(is_needed, "MIIT_UPLOAD_TEMPLATE", WHY, upload.flatten());
    let results = r.parsed("MIIT_RESULT_NAMES", |path| match is_needed {
        true => ResultForm::parse(&file(path)?).map(Some),
        false => Ok(None),
    });
    let result_form = r.needed(is_needed, "MIIT_RESULT_NAMES", WHY, results.flatten());
    if !is_needed {
        return None;
    }
    Some(MiitConfig {
        url: url?,
        status_url: status_url?,
        namespace: namespace?,
        isp_id: isp_id?,
        user: user?,
        password: password?.into(),
        aes: key.zip(iv).map(|(key, iv)| AesKey { key, iv }),
        upload_form: upload_form?,
        result_form: result_form?,
    })
}

fn file(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("the file cannot be read: {error}"))
}
