//! The service that follows parcels.

use secrecy::SecretString;

use super::{Reader, network};

/// Settings of Kuaidi100.
#[derive(Debug, Clone)]
pub struct Kuaidi100Config {
    /// Address of the service, without a final slash.
    pub url: String,
    /// `customer`, the company's number there.
    pub customer: String,
    /// The key.
    pub key: SecretString,
    /// What the service signs its own calls with; we choose it.
    pub salt: SecretString,
}

/// The settings, if a key is set; every fault is noted with the others.
pub(super) fn read(r: &Reader) -> Option<Kuaidi100Config> {
    let url = r.parsed("KUAIDI100_URL", network::http_url);
    let (customer, key, salt) =
        (r.text("KUAIDI100_CUSTOMER"), r.text("KUAIDI100_KEY"), r.text("KUAIDI100_SALT"));
    let is_on = customer.is_some() || key.is_some() || salt.is_some();
    let why = "following parcels";
    let customer = r.needed(is_on, "KUAIDI100_CUSTOMER", why, customer);
    let key = r.needed(is_on, "KUAIDI100_KEY", why, key);
    let salt = r.needed(is_on, "KUAIDI100_SALT", why, salt);
    Some(Kuaidi100Config {
        url: url.unwrap_or_else(|| "https://poll.kuaidi100.com".to_owned()),
        customer: customer?,
        key: key?.into(),
        salt: salt?.into(),
    })
}
