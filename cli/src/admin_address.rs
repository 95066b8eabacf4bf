//! Where an admin server is, as a user says it: a service's name, a URL, or an address. PURE.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::service::Service;

/// An admin server that commands talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminAddress {
    /// The reference service, if it was named rather than addressed.
    pub(crate) service: Option<Service>,
    /// `http://host:port`, without a slash at the end.
    pub(crate) url: String,
}

impl AdminAddress {
    /// The default address of a reference service.
    pub(crate) fn of(service: Service) -> Self {
        Self::at(service, service.admin())
    }

    /// A reference service at an address of its own.
    pub(crate) fn at(service: Service, admin: SocketAddr) -> Self {
        Self {
            service: Some(service),
            url: format!("http://{admin}"),
        }
    }

    /// The given one, or both reference services.
    pub(crate) fn given_or_all(given: Option<Self>) -> Vec<Self> {
        given.map_or_else(|| Service::ALL.map(Self::of).to_vec(), |one| vec![one])
    }

    /// What to do when nobody answers there.
    pub(crate) fn remedy(&self) -> String {
        match self.service {
            Some(service) => {
                format!(
                    "start it with `pollscope serve {service}`, or both with `pollscope demo --keep`"
                )
            }
            None => {
                "expected the admin server of a service that runs, see POLLSCOPE_ADMIN".to_owned()
            }
        }
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.service {
            Some(service) => write!(f, "{service} at {}", self.url),
            None => f.write_str(&self.url),
        }
    }
}

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(service) = Service::ALL
            .into_iter()
            .find(|service| service.name() == text)
        {
            return Ok(Self::of(service));
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if has_host_and_port(authority) {
            return Ok(Self {
                service: None,
                url: format!("http://{authority}"),
            });
        }
        Err(format!(
            "expected chat, exchange, or the URL of an admin server such as http://{}",
            Service::Chat.admin()
        ))
    }
}

/// `host:port`, where the host is a name, an IPv4 address or an IPv6 address in brackets.
fn has_host_and_port(authority: &str) -> bool {
    let Some((host, port)) = authority.rsplit_once(':') else {
        return false;
    };
    let is_name = |host: &str| {
        !host.is_empty()
            && host
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || char == '-' || char == '.')
    };
    let is_v6 = authority.starts_with('[') && authority.parse::<SocketAddr>().is_ok();
    port.parse::<u16>().is_ok_and(|port| port > 0) && (is_name(host) || is_v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: names, URLs and addresses are understood; the rest is refused with the forms that are.
    #[test]
    fn forms() {
        for (text, url) in [
            ("chat", "http://127.0.0.1:7667"),
            ("exchange", "http://127.0.0.1:7878"),
            ("http://localhost:9000/", "http://localhost:9000"),
            ("10.0.0.7:9000", "http://10.0.0.7:9000"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ] {
            assert_eq!(text.parse::<AdminAddress>().unwrap().url, url, "{text}");
        }
        for text in [
            "",
            "chats",
            "https://x:1",
            "http://",
            "http://x",
            "x:0",
            "x:99999",
            ":80",
            "a b:80",
            "http://x:80/stalls",
            "user@x:80",
            "::1:80",
        ] {
            let error = text.parse::<AdminAddress>().unwrap_err();
            assert!(
                error.starts_with("expected chat, exchange, or the URL"),
                "{text}: {error}"
            );
        }
    }
}
