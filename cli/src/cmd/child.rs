//! A process of our own program that cannot outlive us.
//!
//! The child ends when its standard input does. We hold the other end, so closing it is how we ask for an orderly stop, and
//! the kernel closes it for us if we are killed. In a process group of its own the child does not get the terminal's
//! Ctrl-C, so that we can stop clients before services. Dropping a child kills it.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use crate::ending::Failure;

/// Lines of a child's log that are kept to explain its failure.
const LOG_LEN_MAX: usize = 20;

/// Longest wait for a child that was asked to stop; it gives up by itself some time after.
const STOP_PATIENCE: Duration = Duration::from_secs(12);

/// A running child.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: tokio::process::Child,
    /// Dropped to ask for the end.
    lifeline: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Child {
    /// Starts this program with these words.
    ///
    /// # Errors
    ///
    /// When the process cannot be started.
    pub(crate) fn start(words: &[String]) -> Result<Self, Failure> {
        let name = words[..2.min(words.len())].join(" ");
        let unable = |error: std::io::Error| {
            Failure::unable(format!("`pollscope {name}` cannot be started"), &error)
        };
        let mut process = Command::new(std::env::current_exe().map_err(unable)?)
            .args(words)
            // One name would be given to both services.
            .env_remove("POLLSCOPE_SERVICE")
            .env_remove("OTEL_SERVICE_NAME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(unable)?;
        let lifeline = process.stdin.take();
        let (Some(output), Some(log)) = (process.stdout.take(), process.stderr.take()) else {
            return Err(Failure::Unable(format!("`pollscope {name}` has no pipes")));
        };
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let keep = Arc::clone(&kept);
        tokio::spawn(async move {
            let mut lines = BufReader::new(log).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LOG_LEN_MAX {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Ok(Self {
            name,
            process,
            lifeline,
            lines: BufReader::new(output).lines(),
            log: kept,
        })
    }

    /// The next line of its output as JSON.
    ///
    /// # Errors
    ///
    /// When there is none within `patience`: with the end of the child's log, which says why.
    pub(crate) async fn json<T: DeserializeOwned>(
        &mut self,
        patience: Duration,
    ) -> Result<T, Failure> {
        let line = tokio::time::timeout(patience, self.lines.next_line()).await;
        let parsed = match line {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).ok(),
            _ => None,
        };
        match parsed {
            Some(value) => Ok(value),
            None => Err(self.said_nothing().await),
        }
    }

    /// As [`Child::json`], but that there is nothing within `patience` is no failure.
    ///
    /// # Errors
    ///
    /// When its output has ended or is no JSON of that form.
    pub(crate) async fn json_within<T: DeserializeOwned>(
        &mut self,
        patience: Duration,
    ) -> Result<Option<T>, Failure> {
        let Ok(line) = tokio::time::timeout(patience, self.lines.next_line()).await else {
            return Ok(None);
        };
        match line {
            Ok(Some(line)) if serde_json::from_str::<T>(&line).is_ok() => {
                Ok(serde_json::from_str(&line).ok())
            }
            _ => Err(self.said_nothing().await),
        }
    }

    /// Tells it a line.
    ///
    /// # Errors
    ///
    /// When it does not listen any more.
    pub(crate) async fn say(&mut self, line: &str) -> Result<(), Failure> {
        let unheard = || Failure::Unable(format!("`pollscope {}` has ended by itself", self.name));
        let lifeline = self.lifeline.as_mut().ok_or_else(unheard)?;
        let line = format!("{line}\n");
        lifeline
            .write_all(line.as_bytes())
            .await
            .map_err(|_| unheard())
    }

    /// Its process number, until it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Ends it at once.
    pub(crate) async fn kill(mut self) {
        // An error means that it has ended by itself.
        let _ = self.process.kill().await;
    }

    /// Asks it to stop.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.lifeline.take());
    }

    /// Asks it to stop, waits for its end within a limit, and kills it then.
    pub(crate) async fn stop(mut self) {
        self.ask_to_stop();
        if tokio::time::timeout(STOP_PATIENCE, self.process.wait())
            .await
            .is_err()
        {
            // An error means that it has ended just now.
            let _ = self.process.kill().await;
        }
    }

    async fn said_nothing(&mut self) -> Failure {
        self.ask_to_stop();
        // Its last words come with its end.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.process.wait()).await;
        tokio::task::yield_now().await;
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let last = log.back().map_or("it said nothing", String::as_str);
        Failure::Unable(format!(
            "`pollscope {}` did not do its part: {last}",
            self.name
        ))
    }
}
