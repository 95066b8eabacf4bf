//! `/`: one page for a person, complete in itself.
//!
//! The page is a file with two marks in it. Nothing is loaded from elsewhere, and the policy header makes the browser
//! hold to that; everything the script shows is set as text, never as markup.

use std::fmt::Write as _;

use axum::extract;
use axum::http::header;
use axum::response::IntoResponse;

use super::catalogue::ENDPOINTS;
use super::router::Shared;

/// Only what stands in the page itself, and requests to the same server.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

pub(super) async fn page(
    extract::State(shared): extract::State<Shared>,
) -> impl IntoResponse + use<> {
    (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ],
        html(&shared.state.service),
    )
}

fn html(service: &str) -> String {
    let mut endpoints = String::new();
    for endpoint in ENDPOINTS {
        // Relative, so that the page also works below a proxy's prefix. Writing to a String cannot fail.
        let _ = writeln!(
            endpoints,
            "<dt><a href=\".{path}\">{path}</a></dt><dd>{what}</dd>",
            path = endpoint.path,
            what = escape(endpoint.what)
        );
    }
    include_str!("page.html")
        .replace("{{endpoints}}", &endpoints)
        .replace("{{service}}", &escape(service))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page is filled in wholly, and a service's name cannot bring markup into it.
    #[test]
    fn fills_every_mark() {
        let page = html("<b>orders & co</b>");
        assert!(!page.contains("{{"), "an unfilled mark");
        assert!(page.contains("&lt;b&gt;orders &amp; co&lt;/b&gt;"));
        for endpoint in ENDPOINTS {
            assert!(
                page.contains(&format!("href=\".{}\"", endpoint.path)),
                "{}",
                endpoint.path
            );
        }
        for foreign in ["http://", "https://", "//cdn", "<link", "<img"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
