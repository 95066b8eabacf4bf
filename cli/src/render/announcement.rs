//! Where a service is, once it listens.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::style::{FAINT, STRONG, styled};
use crate::service::Service;

/// The addresses of a running service. Field names are a promise: never renamed, only added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "service")]
pub(crate) struct Announcement {
    /// Which service.
    pub(crate) service: Service,
    /// Its process.
    pub(crate) pid: u32,
    /// Where its clients connect.
    pub(crate) listen: SocketAddr,
    /// Its admin server's URL, unless it is off.
    pub(crate) admin: Option<String>,
    /// Where tokio-console connects, if it is served.
    pub(crate) console: Option<String>,
}

impl Announcement {
    /// One line an address.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![line(
            &format!("{} {}", self.service, self.service.protocol()),
            &self.listen.to_string(),
            "",
        )];
        if let Some(admin) = &self.admin {
            lines.push(line(
                &format!("{} admin", self.service),
                &format!("{admin}/"),
                "stalls, live; /metrics for Prometheus",
            ));
        }
        if let Some(console) = &self.console {
            lines.push(line(
                &format!("{} console", self.service),
                &format!("tokio-console {console}"),
                "",
            ));
        }
        lines.join("\n")
    }
}

fn line(name: &str, value: &str, note: &str) -> String {
    let note = if note.is_empty() {
        String::new()
    } else {
        format!("  {}", styled(FAINT, note))
    };
    format!("{name:<17}{}{note}", styled(STRONG, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what is printed for scripts can be read back, and keeps its shape.
    #[test]
    fn json_shape_is_kept() {
        let announcement = Announcement {
            service: Service::Chat,
            pid: 7,
            listen: "127.0.0.1:6667".parse().unwrap(),
            admin: Some("http://127.0.0.1:7667".to_owned()),
            console: None,
        };
        let text = serde_json::to_string(&announcement).unwrap();
        assert_eq!(
            text,
            r#"{"kind":"service","service":"chat","pid":7,"listen":"127.0.0.1:6667","admin":"http://127.0.0.1:7667","console":null}"#
        );
        assert_eq!(
            serde_json::from_str::<Announcement>(&text).unwrap(),
            announcement
        );
    }
}
