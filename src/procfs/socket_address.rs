//! Addresses as the kernel keeps them (`struct sockaddr`, ip(7), ipv6(7), unix(7)), in words; PURE.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// An address in words, with the port of an internet address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// `127.0.0.1:80`, `[::1]:80`, or the path of a Unix socket.
    pub(crate) text: String,
    /// Port, if it has one.
    pub(crate) port: Option<u16>,
}

/// Reads the raw bytes of a `sockaddr`; `None` for other families and for bytes cut short.
pub(crate) fn address(bytes: &[u8]) -> Option<Address> {
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let port = || Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?));
    match family {
        AF_INET => {
            let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(internet(Ipv4Addr::from(octets).into(), port()?))
        }
        AF_INET6 => {
            let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(internet(Ipv6Addr::from(octets).into(), port()?))
        }
        AF_UNIX => Some(Address {
            text: unix_path(bytes.get(2..)?),
            port: None,
        }),
        _ => None,
    }
}

fn internet(ip: IpAddr, port: u16) -> Address {
    Address {
        text: SocketAddr::new(ip, port).to_string(),
        port: Some(port),
    }
}

fn unix_path(path: &[u8]) -> String {
    match path {
        [] => "an unnamed unix socket".to_owned(),
        // A leading zero marks a name outside the file system, usually written with an @.
        [0, name @ ..] => format!("@{}", text_until_zero(name)),
        path => text_until_zero(path),
    }
}

fn text_until_zero(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The families that services wait for, and bytes cut short.
    #[test]
    fn reads_addresses() {
        let v4 = [
            &2_u16.to_ne_bytes()[..],
            &53_u16.to_be_bytes(),
            &[127, 0, 0, 53],
            &[0; 8],
        ]
        .concat();
        let v6 = [
            &10_u16.to_ne_bytes()[..],
            &80_u16.to_be_bytes(),
            &[0; 4],
            &[0; 15],
            &[1],
            &[0; 4],
        ]
        .concat();
        let unix = [&1_u16.to_ne_bytes()[..], b"/run/db.sock\0junk"].concat();
        let hidden = [&1_u16.to_ne_bytes()[..], b"\0bus"].concat();
        let unnamed = 1_u16.to_ne_bytes().to_vec();
        for (bytes, text, port) in [
            (&v4, "127.0.0.53:53", Some(53)),
            (&v6, "[::1]:80", Some(80)),
            (&unix, "/run/db.sock", None),
            (&hidden, "@bus", None),
            (&unnamed, "an unnamed unix socket", None),
        ] {
            assert_eq!(
                address(bytes),
                Some(Address {
                    text: text.to_owned(),
                    port
                })
            );
        }
        for cut in [&v4[..7], &v6[..20], &v4[..1], &[], &99_u16.to_ne_bytes()] {
            assert_eq!(address(cut), None, "{cut:?}");
        }
    }
}
