//! The real binary, run to its end or kept running under supervision.
//!
//! No test leaves a process behind: what is kept running ends when its standard input closes, which is when the test does.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before it counts as never. Generous: a missing answer is the failure, a slow one is not.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary with these words, and an environment in which no variable of ours is set.
fn command(words: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pollscope"));
    for (name, _) in std::env::vars() {
        if name.starts_with("POLLSCOPE_") || name.starts_with("OTEL_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
        .args(words)
        .envs(variables.iter().copied())
        .kill_on_drop(true);
    command
}

/// What a command that ended said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its output as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its output as one JSON value a line.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.out.lines().map(parse).collect()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the binary to its end.
pub(crate) async fn run(words: &[&str]) -> Said {
    run_with(words, &[]).await
}

/// Runs the binary to its end with these variables set.
pub(crate) async fn run_with(words: &[&str], variables: &[(&str, &str)]) -> Said {
    let output = command(words, variables).stdin(Stdio::null()).output();
    timeout(2 * PATIENCE, output)
        .await
        .unwrap_or_else(|_| panic!("{words:?} did not end"))
        .unwrap()
        .into()
}

/// The binary while it runs.
pub(crate) struct Program {
    pub(crate) process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts the binary; its standard error is the test's own.
    pub(crate) fn start(words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut process = command(words, variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next line of its output.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("no line in time")
            .unwrap()
            .expect("the output has ended")
    }

    /// The next line of its output as JSON.
    pub(crate) async fn json_line(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("it has ended")
    }

    /// Sends it a signal by name, as a terminal or a service manager would.
    pub(crate) async fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status();
        assert!(status.await.unwrap().success());
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) async fn code(&mut self) -> Option<i32> {
        let status = timeout(PATIENCE, self.process.wait()).await;
        status.expect("it did not end in time").unwrap().code()
    }
}

/// A service that runs on ports of its own.
pub(crate) struct Served {
    pub(crate) program: Program,
    /// Where its clients connect.
    pub(crate) listen: String,
    /// URL of its admin server.
    pub(crate) admin: String,
}

impl Served {
    /// `serve chat` with these further words.
    pub(crate) async fn chat(words: &[&str]) -> Self {
        Self::start("chat", "--irc", words, &[]).await
    }

    /// `serve exchange` with these further words.
    pub(crate) async fn exchange(words: &[&str]) -> Self {
        Self::start("exchange", "--fix", words, &[]).await
    }

    /// A service with these further words and variables.
    pub(crate) async fn start(
        service: &str,
        option: &str,
        words: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let own = [
            "serve",
            service,
            option,
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--supervised",
        ];
        let mut program = Program::start(&[&own[..], words].concat(), variables);
        let announced = program.json_line().await;
        assert_eq!(announced["service"], service);
        assert_eq!(announced["pid"], program.pid());
        Self {
            program,
            listen: announced["listen"].as_str().unwrap().to_owned(),
            admin: announced["admin"].as_str().unwrap().to_owned(),
        }
    }

    /// The body of an admin page that must be there.
    pub(crate) async fn get(&self, path: &str) -> String {
        let request = client().get(format!("{}{path}", self.admin)).send();
        let response = timeout(PATIENCE, request).await.unwrap().unwrap();
        assert!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
        response.text().await.unwrap()
    }

    /// As [`Served::get`], parsed.
    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    /// A request with a body: status and answer.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client()
            .request(method, format!("{}{path}", self.admin))
            .body(body.to_owned())
            .send();
        let response = timeout(PATIENCE, request).await.unwrap().unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_str(&response.text().await.unwrap()).unwrap(),
        )
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Joins a room of the chat and says something there, which visits the place where faults act.
pub(crate) async fn talk(address: &str, nick: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let lines =
        format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nJOIN #room\r\nPRIVMSG #room :hello\r\n");
    stream.write_all(lines.as_bytes()).await.unwrap();
    stream
}

/// Asks until the answer is good.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "{what} never came");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a process of this id lives. One that has ended but was not waited for does not.
pub(crate) fn is_alive(pid: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    !state.starts_with(['Z', 'X'])
}

/// The children of a process.
pub(crate) fn children_of(pid: u32) -> Vec<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    let pids = lists.flat_map(|list| {
        list.split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect::<Vec<u64>>()
    });
    pids.collect()
}
