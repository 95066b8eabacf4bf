//! Command lines that are documented, and wrong ones with their answers.

use super::*;

fn check(line: &str) -> Result<Command, String> {
    let words = line.split_whitespace().map(OsString::from);
    parse(std::iter::once("pollscope".into()).chain(words)).map_err(|failure| failure.to_string())
}

/// Goal: the definition itself is sound.
#[test]
fn definition_is_sound() {
    CommandLine::command().debug_assert();
}

/// Goal: what the documentation shows is understood.
#[test]
fn accepts_what_is_documented() {
    for line in [
        "demo",
        "demo --faults none --duration 60 --json",
        "demo --faults block-cpu,std-mutex --runtime current --stay --any-port",
        "drill --quick --json --markdown docs/drill.md",
        "drill --scenario sleep,cpu-loop --runtime multi --tier t2 --jobs 1",
        "drill --silent-jobs 24",
        "serve chat --irc 0.0.0.0:6667 --admin 127.0.0.1:0 --workers 1 --faults block-sleep",
        "serve chat --console",
        "serve chat --motd motd.txt --password-file secret --client-rate 0",
        "serve exchange --fix 127.0.0.1:0 --console 127.0.0.1:7000 --runtime current",
        "load chat --clients 20 --room-size 10 --rate 50 --duration 30s --json",
        "load exchange --sessions 4 --rate 100 --symbols 2 --duration 5",
        "load chat --profile slow --against rooms --runs 5 --warm-up 0 --svg slow.svg",
        "load chat --sweep --goal-ms 20 --processes 2 --clients 10000 --json",
        "load chat --closed --constant --burst --hlog run.hlog",
        "load exchange --sweep --goal-ms 5",
        "load-null --service-us 500 --supervised",
        "faults list",
        "faults on block-sleep --duration-ms 200 --pause-ms 500 --service chat",
        "faults off block-sleep",
        "faults status --service http://127.0.0.1:7667 --json",
        "stalls --follow --json",
        "flamegraph --seconds 5 -o out.svg",
    ] {
        check(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// Goal: each wrong use is answered in one line that says what was expected.
#[test]
fn refuses_in_one_line() {
    for (line, expected) in [
        ("serve chat --irc localhost", "expected ip:port such as"),
        ("serve mail", "expected one of chat, exchange"),
        ("serve chat --faults nap", "expected one of block-sleep"),
        ("demo --duration soon", "expected whole seconds"),
        ("demo --faults nap", "expected one of block-sleep"),
        (
            "stalls --service mail",
            "expected chat, exchange, or the URL",
        ),
        ("flamegraph --seconds 5", "--output"),
        ("flamegraph --seconds 90 -o x.svg", "1..=60"),
        ("serve chat --runtime both", "multi, current"),
        (
            "load chat --profile talk",
            "expected one of rooms, zipf, idle, storm",
        ),
        ("load chat --sweep --runs 3", "cannot be used with"),
        ("load chat --warm-up soon", "expected whole seconds from 0"),
        (
            "dmeo",
            "expected one of demo, drill, serve, load, faults, stalls, flamegraph",
        ),
    ] {
        let error = check(line).unwrap_err();
        assert!(
            error.contains(expected) && !error.contains('\n'),
            "{line}: {error}"
        );
    }
}
