//! The smallest useful set-up: one line in `main`, and a careless task to be found.
//!
//! `cargo run --release --example quickstart`
#![expect(clippy::print_stdout, reason = "an example shows what was found")]

use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), pollscope::Error> {
    let scope = pollscope::install()?;
    let mut stalls = scope.subscribe();
    pollscope::spawn(async { careless() });
    while let Ok(stall) = stalls.recv().await {
        let line = stall.line.as_ref().map_or_else(
            || "no line".to_owned(),
            |line| format!("{}:{}", line.file, line.line),
        );
        println!(
            "{:?} {}: {:.0} ms at {line}",
            stall.phase,
            stall.verdict.name(),
            stall.duration_ms
        );
        if stall.phase == pollscope::stall::Phase::Close {
            break;
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the mistake that the example is about"
)]
fn careless() {
    std::thread::sleep(Duration::from_millis(200));
}
