//! A stripped program: no names, no lines, but every frame can be found again by build id and address.
#![expect(
    clippy::disallowed_methods,
    reason = "the stall under test, and a test that waits for its child"
)]

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pollscope::stall::{Phase, Stall, Verdict};
use pollscope::{Config, Scope};
use tokio::runtime::Builder;

/// Set in the child, which is this very program without its symbols.
const CHILD: &str = "POLLSCOPE_TEST_STRIPPED";

/// Before the child's event in its output, which holds the test harness's lines too.
const MARK: &str = "stripped stall: ";

/// A stall in a stripped program is judged the same; its stack is whole and names module, address and build id.
#[test]
fn stripped_program() {
    if std::env::var_os(CHILD).is_some() {
        println!("{MARK}{}", serde_json::to_string(&own_stall()).unwrap());
        return;
    }
    let program = stripped_copy();
    let run = Command::new(&program)
        .args(["--exact", "stripped::stripped_program", "--nocapture"])
        .env(CHILD, "1")
        .output();
    std::fs::remove_file(&program).unwrap();
    let output = String::from_utf8(run.unwrap().stdout).unwrap();
    let stall = output
        .lines()
        .find_map(|line| line.split_once(MARK))
        .unwrap_or_else(|| panic!("no event in {output}"));
    let stall: Stall = serde_json::from_str(stall.1).unwrap();
    assert_eq!(stall.verdict, Verdict::Sleep);
    assert!(stall.stack_complete && stall.line.is_none(), "{stall:#?}");
    let module = program.file_name().unwrap().to_str().unwrap();
    let own: Vec<_> = stall
        .stack
        .iter()
        .filter(|frame| frame.module == module)
        .collect();
    assert!(own.len() > 3, "{stall:#?}");
    for frame in own {
        let address = frame.address.as_deref().unwrap();
        assert_eq!(frame.function, format!("{module}+{address}"), "{stall:#?}");
        assert_eq!(frame.build_id, own_build_id(), "{stall:#?}");
    }
    let said = |evidence: &String| evidence.contains("no debug information");
    assert!(stall.evidence.iter().any(said), "{stall:#?}");
}

/// A copy of this program without symbols, in the directory of the build, where programs may be run.
fn stripped_copy() -> PathBuf {
    let copy = std::env::current_exe()
        .unwrap()
        .with_file_name(format!("pollscope-stripped-{}", std::process::id()));
    let status = Command::new("strip")
        .arg("-o")
        .arg(&copy)
        .arg(std::env::current_exe().unwrap())
        .status();
    match status {
        Ok(status) if status.success() => copy,
        failed => panic!("strip gave {failed:?}, expected the one of Debian's package binutils"),
    }
}

/// What `readelf` reads in this program's file.
fn own_build_id() -> Option<String> {
    let output = Command::new("readelf")
        .arg("--notes")
        .arg(std::env::current_exe().unwrap())
        .output()
        .expect("readelf, of Debian's package binutils");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let id = text.split("Build ID: ").nth(1)?;
    id.split_whitespace().next().map(str::to_owned)
}

fn own_stall() -> Stall {
    let scope = Scope::start(Config::default()).unwrap();
    let runtime = scope
        .runtime(Builder::new_current_thread())
        .name("stripped")
        .build()
        .unwrap();
    runtime.block_on(async {
        pollscope::spawn(async { std::thread::sleep(Duration::from_millis(300)) })
            .await
            .unwrap()
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let whole = scope
            .stalls()
            .into_iter()
            .find(|stall| stall.phase == Phase::Again && stall.stack_complete);
        if let Some(stall) = whole {
            return Stall::clone(&stall);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nothing found in {:#?}", scope.stalls());
}
