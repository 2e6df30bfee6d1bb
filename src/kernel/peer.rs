//! The address of the client. `X-Forwarded-For` counts only as far as trusted proxies wrote it.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::config::IpRange;

/// The nearest address that is not a trusted proxy.
pub fn address(req: &HttpRequest, trusted: &[IpRange]) -> Option<IpAddr> {
    let peer = req.peer_addr().map(|addr| addr.ip())?;
    let is_trusted = |addr: IpAddr| trusted.iter().any(|range| range.contains(addr));
    if !is_trusted(peer) {
        return Some(peer);
    }
    let forwarded = req.headers().get_all("X-Forwarded-For").filter_map(|value| value.to_str().ok());
    let mut hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    // Read from the right: what stands further left was written by somebody we do not trust.
    while let Some(hop) = hops.pop() {
        match hop.parse::<IpAddr>() {
            Ok(addr) if is_trusted(addr) => {}
            Ok(addr) => return Some(addr),
            Err(_) => break,
        }
    }
    Some(peer)
}
