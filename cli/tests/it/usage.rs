//! Wrong use, and what is not there: exit codes and one clear line.

use tokio::net::TcpListener;

use crate::program::{Said, run, run_with};

fn check(said: &Said, code: i32, expected: &[&str]) {
    assert_eq!(said.code, Some(code), "{said:?}");
    assert_eq!(said.out, "", "a failure belongs on standard error");
    assert_eq!(said.err.lines().count(), 1, "expected one line: {said:?}");
    assert!(said.err.starts_with("error: "), "{said:?}");
    for text in expected {
        assert!(said.err.contains(text), "{text:?} is not in {said:?}");
    }
}

/// Goal: what is not known is refused with what is, exit code 2.
#[tokio::test]
async fn unknown_words() {
    for (line, expected) in [
        (
            "serve mail",
            &["mail", "expected one of chat, exchange"][..],
        ),
        (
            "serve chat --irc nowhere",
            &["--irc", "nowhere", "expected ip:port"],
        ),
        (
            "serve chat --faults nap",
            &["nap", "expected one of block-sleep"],
        ),
        (
            "serve chat --runtime current --workers 2",
            &["--workers", "--runtime multi"],
        ),
        ("demo --faults nap", &["nap", "expected one of block-sleep"]),
        (
            "demo --faults task-leak",
            &["task-leak", "expected some of block-sleep"],
        ),
        ("faults on nap", &["nap", "expected one of block-sleep"]),
        (
            "faults on block-sleep --duration-ms 0",
            &["duration_ms is 0", "expected 1 to 10000"],
        ),
        (
            "faults status --service mail",
            &["mail", "expected chat, exchange, or the URL"],
        ),
        (
            "stalls --service https://127.0.0.1:1",
            &["expected chat, exchange, or the URL"],
        ),
        (
            "flamegraph --seconds 1 -o picture.png",
            &["picture.png", "expected .svg"],
        ),
        ("load chat --clients 1", &["clients is 1", "expected 2 to"]),
        (
            "load chat --profile talk",
            &["talk", "expected one of rooms, zipf, idle"],
        ),
        (
            "load chat --profile storm --closed",
            &["a storm is not a closed loop"],
        ),
    ] {
        let words: Vec<_> = line.split(' ').collect();
        check(&run(&words).await, 2, expected);
    }
}

/// Goal: a variable that cannot be used is refused at the start, naming variable, value and form.
#[tokio::test]
async fn bad_variables() {
    let serve = ["serve", "chat", "--irc", "127.0.0.1:0"];
    for (name, value, expected) in [
        ("POLLSCOPE_RECORD_MS", "soon", "whole milliseconds"),
        ("POLLSCOPE_SIGNAL", "maybe", "auto, never or always"),
        ("POLLSCOPE_ADMIN", "localhost", "ip:port"),
        ("RUST_LOG", "chat=loud", "levels such as info"),
    ] {
        check(
            &run_with(&serve, &[(name, value)]).await,
            2,
            &[name, value, expected],
        );
    }
}

/// Goal: an admin server that others could reach is refused without a token, however its address was given.
#[tokio::test]
async fn open_admin_without_token() {
    let serve = ["serve", "exchange", "--fix", "127.0.0.1:0"];
    let expected = ["0.0.0.0:0", "POLLSCOPE_ADMIN_TOKEN"];
    let by_option = [&serve[..], &["--admin", "0.0.0.0:0"]].concat();
    check(&run(&by_option).await, 2, &expected);
    check(
        &run_with(&serve, &[("POLLSCOPE_ADMIN", "0.0.0.0:0")]).await,
        2,
        &expected,
    );
}

/// Goal: a taken port is named together with the option that changes it, exit code 3.
#[tokio::test]
async fn taken_ports() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (words, option) in [
        (["serve", "chat", "--irc", &taken, "--admin", free], "--irc"),
        (
            ["serve", "chat", "--irc", free, "--admin", &taken],
            "--admin",
        ),
        (
            ["serve", "exchange", "--fix", &taken, "--admin", free],
            "--fix",
        ),
        (
            ["serve", "exchange", "--fix", free, "--console", &taken],
            "--console",
        ),
    ] {
        check(&run(&words).await, 3, &[&taken, option]);
    }
}

/// Goal: when nobody answers, every command that needs somebody says so, exit code 3.
#[tokio::test]
async fn nobody_answers() {
    // A port that was free a moment ago.
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    for (words, expected) in [
        (vec!["stalls", "--service", &gone], "nobody answers"),
        (
            vec!["stalls", "--follow", "--service", &gone],
            "nobody answers",
        ),
        (
            vec!["faults", "status", "--service", &gone],
            "nobody answers",
        ),
        (
            vec!["faults", "on", "block-sleep", "--service", &gone],
            "nobody answers",
        ),
        (
            vec!["load", "chat", "--address", &gone],
            "start one with `pollscope serve chat`",
        ),
        (
            vec!["load", "exchange", "--address", &gone],
            "start one with `pollscope serve exchange`",
        ),
    ] {
        check(&run(&words).await, 3, &[&gone, expected]);
    }
}

/// Goal: help and version are no errors.
#[tokio::test]
async fn help_is_no_error() {
    for words in [&["--help"][..], &["--version"], &["faults", "on", "--help"]] {
        let said = run(words).await;
        assert_eq!(said.code, Some(0));
        assert!(!said.out.is_empty() && said.err.is_empty(), "{said:?}");
    }
}
