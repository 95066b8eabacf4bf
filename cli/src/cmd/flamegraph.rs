//! `pollscope flamegraph`: where a service spends its CPU time, as a file.

use std::path::Path;
use std::time::Duration;

use super::runtime;
use crate::args::{Flamegraph, ProfileFormat};
use crate::client::Client;
use crate::ending::{Ending, Failure};
use crate::render;
use crate::stop::{Stop, Supervision};

/// Records, writes the file, and says what was hot.
pub(crate) fn run(flamegraph: Flamegraph) -> Result<Ending, Failure> {
    let path = &flamegraph.output;
    let format = match flamegraph.format {
        Some(format) => format,
        None => by_name(path)?,
    };
    let client = Client::new(
        flamegraph.service,
        flamegraph.token.or_environment().as_deref(),
    )?;
    let stop = Stop::listen(Supervision::None)?;
    let recording = async {
        let profile = client.profile(flamegraph.seconds, flamegraph.hz, word(format));
        let mut profile = std::pin::pin!(profile);
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut elapsed = 0;
        loop {
            tokio::select! {
                profile = &mut profile => return profile,
                _ = tick.tick() => {
                    render::recording(client.address(), elapsed, flamegraph.seconds);
                    elapsed += 1;
                }
            }
        }
    };
    let body = runtime()?.block_on(async {
        tokio::select! {
            profile = recording => profile,
            () = stop.asked() => Err(Failure::Unable("stopped before the profile was complete".to_owned())),
        }
    });
    render::progress_end();
    let body = body?;
    write(path, &body)?;
    render::profile(path, format, &body)?;
    Ok(Ending::Expected)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the last act of a command that serves nobody"
)]
fn write(path: &Path, body: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, body)
        .map_err(|error| Failure::unable(format!("cannot write {}", path.display()), &error))
}

/// The format that the file's name asks for.
fn by_name(path: &Path) -> Result<ProfileFormat, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".svg"]) {
        Ok(ProfileFormat::Svg)
    } else if ends(&[".folded", ".txt"]) {
        Ok(ProfileFormat::Folded)
    } else if ends(&[".pb.gz", ".pprof"]) {
        Ok(ProfileFormat::Pprof)
    } else {
        Err(Failure::Usage(format!(
            "the name {name:?} does not say which format is wanted, expected .svg, .folded or .pb.gz, or --format"
        )))
    }
}

const fn word(format: ProfileFormat) -> &'static str {
    match format {
        ProfileFormat::Svg => "svg",
        ProfileFormat::Folded => "folded",
        ProfileFormat::Pprof => "pprof",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the file's name decides; one that says nothing is refused with the names that do.
    #[test]
    fn name_decides() {
        for (name, expect) in [
            ("a.svg", Some(ProfileFormat::Svg)),
            ("x/b.folded", Some(ProfileFormat::Folded)),
            ("b.txt", Some(ProfileFormat::Folded)),
            ("c.pb.gz", Some(ProfileFormat::Pprof)),
            ("c.pprof", Some(ProfileFormat::Pprof)),
            ("d", None),
            ("d.png", None),
        ] {
            assert_eq!(by_name(Path::new(name)).ok(), expect, "{name}");
        }
    }
}
