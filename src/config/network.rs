//! Settings that are addresses: what a valid one looks like.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use actix_web::http::Uri;

/// One address or a block of them, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    first: IpAddr,
    prefix: u8,
}

impl IpRange {
    /// Whether `addr` lies in the range. An IPv4 address that came in over an IPv6 socket
    /// (`::ffff:10.0.0.1`) counts as the IPv4 address that it is.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        match (self.first, addr.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(addr)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                (first.to_bits() ^ addr.to_bits()) & mask == 0
            }
            (IpAddr::V6(first), IpAddr::V6(addr)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                (first.to_bits() ^ addr.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for IpRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || "addresses or blocks such as 10.0.0.0/8 are expected, with commas between".to_owned();
        let (addr, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let first = addr.parse::<IpAddr>().map_err(|_| expected())?;
        let widest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => widest,
            Some(text) => text.parse().ok().filter(|n| *n <= widest).ok_or_else(expected)?,
        };
        Ok(IpRange { first, prefix })
    }
}

pub fn socket_addr(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address with a port is expected, such as 127.0.0.1:8080".into())
}

/// A host name or address with a port.
pub fn host_and_port(text: &str) -> Result<String, String> {
    let is_valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if is_valid {
        Ok(text.to_owned())
    } else {
        Err("a host with a port is expected, such as clamav:3310".into())
    }
}

/// An http or https URL without query; a final slash is taken off.
pub fn http_url(text: &str) -> Result<String, String> {
    let expected = || "a URL such as https://beian.example.com is expected".to_owned();
    let uri = text.parse::<Uri>().map_err(|_| expected())?;
    let http = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.query().is_none() && !uri.authority().is_some_and(|host| host.as_str().contains('@'));
    if !http || !plain || uri.host().is_none_or(str::is_empty) {
        return Err(expected());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// What a browser sends as `Origin`: scheme, host and port, nothing more.
pub fn origin(text: &str) -> Result<String, String> {
    let expected =
        || "exact origins such as https://app.example.com are expected, with commas between".to_owned();
    let url = http_url(text).map_err(|_| expected())?;
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    if host.contains('/') || host.contains('*') { Err(expected()) } else { Ok(url.to_ascii_lowercase()) }
}

pub fn postgres_url(text: &str) -> Result<String, String> {
    if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        Ok(text.to_owned())
    } else {
        Err("a URL that begins with postgres:// is expected".into())
    }
}

/// Bucket names as AWS allows them, without the rare forms that some stores refuse.
pub fn bucket_name(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edges = !text.starts_with('-') && !text.ends_with('-');
    if (3..=63).contains(&text.len()) && text.chars().all(good) && edges {
        Ok(text.to_owned())
    } else {
        Err("3 to 63 lower-case letters, digits and '-' are expected".into())
    }
}
