//! From which local address a client connects. Pure.
//!
//! One address has some 28,000 ports for outgoing connections to one service. On the loopback network every address of
//! 127.0.0.0/8 is ours, so more clients take the next ones.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Clients of one address: below the 28,232 ports of Linux's default range, so that some are left for everybody else.
const CLIENTS_PER_ADDRESS: usize = 25_000;

/// Addresses used at most, 127.0.0.1 to 127.0.0.10.
const ADDRESSES_LEN_MAX: usize = 10;

/// Most clients of one service on this machine.
pub(crate) const CLIENTS_LEN_MAX: usize = CLIENTS_PER_ADDRESS * ADDRESSES_LEN_MAX;

/// The address that the client with this number, among all of the run, binds to before it connects to `service`. `None` where
/// the kernel may choose.
pub(crate) fn address_of(service: SocketAddr, number: usize) -> Option<IpAddr> {
    let further = u8::try_from(number / CLIENTS_PER_ADDRESS).ok()?;
    (service.is_ipv4() && service.ip().is_loopback() && further > 0)
        .then(|| IpAddr::V4(Ipv4Addr::new(127, 0, 0, further.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the first clients connect as any would, further ones take further addresses, and only on the loopback network.
    #[test]
    fn further_clients_take_further_addresses() {
        for (service, number, expect) in [
            ("127.0.0.1:6667", 0, None),
            ("127.0.0.1:6667", 24_999, None),
            ("127.0.0.1:6667", 25_000, Some("127.0.0.2")),
            ("127.0.0.1:6667", 74_999, Some("127.0.0.3")),
            ("127.0.0.1:6667", CLIENTS_LEN_MAX - 1, Some("127.0.0.10")),
            ("10.0.0.1:6667", 25_000, None),
            ("[::1]:6667", 25_000, None),
        ] {
            let address = address_of(service.parse().unwrap(), number);
            let expect: Option<IpAddr> = expect.map(|expect| expect.parse().unwrap());
            assert_eq!(address, expect, "{service} {number}");
        }
    }
}
