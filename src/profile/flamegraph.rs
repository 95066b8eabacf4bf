//! A profile as an SVG to look at, drawn by inferno as pprof brings it along.
//!
//! Drawn from our own folded lines, not by pprof's `Report`: that one panics when the drawing fails and writes nothing
//! for an empty profile.

use pprof::flamegraph::color::{MultiPalette, Palette};
use pprof::flamegraph::{Options, from_lines};

use super::{EMPTY, PRECISION, Profile, folded};
use crate::Error;

/// The SVG of `profile`; the title tells service, length and rate.
///
/// # Errors
///
/// When inferno cannot draw the stacks.
pub(crate) fn flamegraph(service: &str, profile: &Profile) -> Result<Vec<u8>, Error> {
    let title = format!(
        "{service}: CPU, {:.1} s at {} Hz",
        profile.length.as_secs_f64(),
        profile.hz
    );
    if profile.samples.is_empty() {
        return Ok(empty(&title).into_bytes());
    }
    let mut options = Options::default();
    options.title = title;
    options.subtitle = Some(format!(
        "{} samples of {:.1} ms CPU time each; {PRECISION}",
        profile.total(),
        profile.period.as_secs_f64() * 1000.0
    ));
    options.colors = Palette::Multi(MultiPalette::Rust);
    options.deterministic = true;
    let lines = folded(profile);
    let mut svg = Vec::new();
    from_lines(&mut options, lines.lines(), &mut svg)
        .map_err(|source| Error::setup("the flamegraph cannot be drawn").because(source))?;
    Ok(svg)
}

fn empty(title: &str) -> String {
    format!(
        r##"<?xml version="1.0" standalone="no"?>
<svg version="1.1" width="1200" height="120" viewBox="0 0 1200 120" xmlns="http://www.w3.org/2000/svg">
<rect width="100%" height="100%" fill="#f8f8f8"/>
<g font-family="monospace" text-anchor="middle" fill="#222">
<text x="600" y="45" font-size="17">{}</text>
<text x="600" y="80" font-size="13">{EMPTY}</text>
</g>
</svg>
"##,
        title
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    )
}

#[cfg(test)]
mod tests {
    use super::super::pprof_proto::tests::profile;
    use super::*;

    fn draw(samples: &[(&str, &[&str], u64)]) -> String {
        String::from_utf8(flamegraph("orders <a&b>", &profile(samples)).unwrap()).unwrap()
    }

    /// Functions, title and the note about precision are in the picture.
    #[test]
    fn draws_the_stacks() {
        let svg = draw(&[("worker", &["<[u8; 4] as Hash>::hash", "main"], 2)]);
        for part in [
            "&lt;[u8, 4] as Hash&gt;::hash",
            "orders &lt;a&amp;b&gt;: CPU, 2.0 s at 99 Hz",
            PRECISION,
        ] {
            assert!(svg.contains(part), "{part}");
        }
    }

    /// An empty profile is a picture too.
    #[test]
    fn draws_nothing_as_a_note() {
        let svg = draw(&[]);
        assert!(svg.ends_with("</svg>\n") && svg.contains(EMPTY), "{svg}");
        assert!(svg.contains("orders &lt;a&amp;b&gt;"), "{svg}");
    }
}
