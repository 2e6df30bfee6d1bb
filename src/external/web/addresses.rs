//! Which addresses a receiver of webhooks may have: public ones. Everything else would let a partner reach into the
//! networks that this server stands in (SSRF). Deny by default: an IPv6 address must lie in the part that is given out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// IPv4 blocks that are not public: IANA's special-purpose registry (RFC 6890 and its updates), multicast, reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Blocks inside 2000::/3 that are not public: protocol assignments with Teredo and ORCHID, documentation (two), 6to4,
/// the AS112 anycast block.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// What receivers may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Also the loopback, and plain HTTP there: for trying out and for tests.
    pub allow_loopback: bool,
}

impl Policy {
    /// Whether a connection to this address may be made.
    pub fn admits(self, address: IpAddr) -> bool {
        // An IPv4 address in IPv6 clothes is the IPv4 address that it is.
        match address.to_canonical() {
            IpAddr::V4(address) => is_public_v4(address) || self.allow_loopback && address.is_loopback(),
            IpAddr::V6(address) => is_public_v6(address) || self.allow_loopback && address.is_loopback(),
        }
    }

    /// Checks an address that somebody typed; nothing is looked up.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self, text: &str) -> Result<Url, UrlFault> {
        let url = Url::parse(text).map_err(|_| UrlFault::Unreadable)?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(UrlFault::Unreadable);
        }
        let is_loopback = match url.host().ok_or(UrlFault::Unreadable)? {
            Host::Ipv4(address) => self.ip(address.into())?,
            Host::Ipv6(address) => self.ip(address.into())?,
            Host::Domain(name) => self.name(name)?,
        };
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_loopback => Ok(url),
            _ => Err(UrlFault::NotHttps),
        }
    }

    /// Whether it is the loopback.
    fn ip(self, address: IpAddr) -> Result<bool, UrlFault> {
        if self.admits(address) { Ok(address.to_canonical().is_loopback()) } else { Err(UrlFault::NotPublic) }
    }

    fn name(self, name: &str) -> Result<bool, UrlFault> {
        let name = name.trim_end_matches('.');
        if name == "localhost" && self.allow_loopback {
            return Ok(true);
        }
        let is_inside = |suffix: &&str| name.strip_suffix(*suffix).is_some_and(|rest| rest.ends_with('.'));
        let is_private =
            ["localhost", "local", "internal", "intranet", "lan", "home.arpa"].iter().any(is_inside);
        if is_private || !name.contains('.') { Err(UrlFault::NotPublic) } else { Ok(false) }
    }
}

/// Why an address cannot be a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlFault {
    /// Not a URL, or one with a user name, a password or a fragment.
    Unreadable,
    /// Not `https`.
    NotHttps,
    /// A private, loopback, link-local or otherwise not public host.
    NotPublic,
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    NOT_PUBLIC_V4.iter().all(|(first, prefix)| (first.to_bits() ^ address.to_bits()) >> (32 - prefix) != 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // 2000::/3 is all that is given out. Unique local, link-local, multicast and NAT64 lie outside.
    address.to_bits() >> 125 == 0b001
        && NOT_PUBLIC_V6
            .iter()
            .all(|(first, prefix)| (first.to_bits() ^ address.to_bits()) >> (128 - prefix) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Policy = Policy { allow_loopback: false };
    const LOOSE: Policy = Policy { allow_loopback: true };

    #[test]
    fn only_public_addresses_are_admitted() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.32.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "240e::1",
            "::ffff:8.8.8.8",
        ];
        for address in public {
            assert!(STRICT.admits(address.parse().expect(address)), "{address}");
        }
        let refused = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        for address in refused {
            assert!(!STRICT.admits(address.parse().expect(address)), "{address}");
        }
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(LOOSE.admits(address.parse().expect(address)), "{address}");
        }
        for address in ["10.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0"] {
            assert!(!LOOSE.admits(address.parse().expect(address)), "{address}");
        }
    }

    #[test]
    fn addresses_are_judged_in_every_spelling() {
        for text in
            ["https://hooks.example.com/a?b=c", "https://hooks.example.com:8443/", "https://8.8.8.8/x"]
        {
            assert!(STRICT.check(text).is_ok(), "{text}");
        }
        for text in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://intranet/",
            "https://127.1/",
            "https://１２７.0.0.1/",
        ] {
            assert_eq!(STRICT.check(text), Err(UrlFault::NotPublic), "{text}");
        }
        for text in ["http://hooks.example.com/", "ftp://hooks.example.com/"] {
            assert_eq!(STRICT.check(text), Err(UrlFault::NotHttps), "{text}");
        }
        for text in [
            "hooks.example.com",
            "https://",
            "https://u:p@example.com/",
            "https://u@example.com/",
            "https://example.com/#x",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(STRICT.check(text), Err(UrlFault::Unreadable), "{text}");
        }
        for text in ["http://127.0.0.1:9000/", "http://localhost:9000/", "https://[::1]/"] {
            assert!(LOOSE.check(text).is_ok(), "{text}");
        }
        assert_eq!(LOOSE.check("http://10.0.0.1/"), Err(UrlFault::NotPublic));
        assert_eq!(LOOSE.check("http://example.com/"), Err(UrlFault::NotHttps));
    }
}
