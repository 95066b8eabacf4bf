//! From a recording to what the live readers read: texts in their places, and a refusal of what the kernel does not write.
//!
//! Live, a text that makes no sense is as good as none. A recording with one is broken, and says so instead of judging by half.

use std::sync::Arc;
use std::time::Duration;

use super::recording::{
    MachineRecording, MomentRecording, PollRecording, Recording, StackRecording,
};
use crate::Error;
use crate::capture::Captured;
use crate::procfs::{
    Environment, MachineTexts, RecordedDescriptor, RecordedSurroundings, ThreadFiles, ThreadTexts,
};
use crate::stall::Frame;

/// Bytes of a text that an error shows.
const SHOWN_MAX: usize = 40;

impl Recording {
    pub(super) fn check(&self) -> Result<(), Error> {
        if !self.is_native() {
            return Err(refused(format!(
                "it was made on {}, and system calls have other numbers on {}",
                self.architecture,
                std::env::consts::ARCH
            )));
        }
        if self.threshold_ms == 0 || self.cpus == 0 {
            return Err(refused("expected a threshold and at least one CPU"));
        }
        if self.moments.is_empty() {
            return Err(refused("it has no moments"));
        }
        let runs_backwards = |pair: &[MomentRecording]| pair[1].monotonic <= pair[0].monotonic;
        if let Some(index) = self.moments.windows(2).position(runs_backwards) {
            return Err(refused(format!("moment {} is no later", index + 2)));
        }
        for (moment, number) in self.moments.iter().zip(1..) {
            moment
                .check()
                .map_err(|why| refused(format!("moment {number}: {why}")))?;
        }
        Ok(())
    }

    pub(super) fn surroundings(&self) -> Result<RecordedSurroundings, Error> {
        let bytes = |digits: &String| {
            hex(digits).ok_or_else(|| refused(format!("{} are no hex digits", shown(digits))))
        };
        let mut surroundings = RecordedSurroundings::default();
        for descriptor in &self.waits.descriptors {
            surroundings.descriptors.push(RecordedDescriptor {
                number: descriptor.number,
                link: descriptor.link.clone(),
                info: descriptor.info.clone(),
                peer: descriptor.peer.as_ref().map(bytes).transpose()?,
            });
        }
        for piece in &self.waits.memory {
            let piece = (piece.address, bytes(&piece.bytes)?);
            surroundings.memory.push(piece);
        }
        Ok(surroundings)
    }
}

impl MomentRecording {
    /// The time, on the clock that stands still in a suspend.
    pub(super) fn now(&self) -> Duration {
        Duration::from_nanos(self.monotonic)
    }

    pub(super) fn environment(&self) -> Environment {
        let machine = &self.machine;
        Environment::recorded(MachineTexts {
            now: self.now(),
            suspended: Some(Duration::from_nanos(
                self.boottime.saturating_sub(self.monotonic),
            )),
            process_cpu: machine.process_cpu.map(Duration::from_nanos),
            cpu_stat: machine.cpu_stat.clone(),
            pressure: machine.pressure.clone(),
            stat: machine.stat.clone(),
            status: machine.status.clone(),
        })
    }

    /// The watchdog's own files.
    pub(super) fn own_files(&self) -> ThreadFiles {
        ThreadFiles::recorded(ThreadTexts {
            schedstat: self.round.schedstat.clone(),
            cpu: self.round.cpu.map(Duration::from_nanos),
            ..ThreadTexts::default()
        })
    }

    fn check(&self) -> Result<(), String> {
        let own = self.own_files();
        whole("the watchdog's schedstat", &self.round.schedstat, |_| {
            own.schedule().is_some()
        })?;
        self.machine.check(&self.environment())?;
        self.poll.as_ref().map_or(Ok(()), PollRecording::check)
    }
}

impl MachineRecording {
    fn check(&self, environment: &Environment) -> Result<(), String> {
        let usage = environment.totals();
        whole("cpu.stat", &self.cpu_stat, |_| !usage.quotas.are_unknown())?;
        whole("/proc/pressure/cpu", &self.pressure, |_| {
            usage.pressure.is_some()
        })?;
        whole("/proc/stat", &self.stat, |_| usage.steal.is_some())?;
        whole("the process's status", &self.status, |status| {
            status.contains("TracerPid:\t")
        })?;
        for stat in &self.tasks {
            let files = ThreadFiles::recorded(ThreadTexts {
                stat: Some(stat.clone()),
                ..ThreadTexts::default()
            });
            whole("a thread's stat", &Some(stat.clone()), |_| {
                files.stat().is_some()
            })?;
        }
        Ok(())
    }
}

impl PollRecording {
    pub(super) fn files(&self, surroundings: &Arc<RecordedSurroundings>) -> ThreadFiles {
        ThreadFiles::recorded(ThreadTexts {
            stat: self.stat.clone(),
            syscall: self.syscall.clone(),
            wchan: self.wchan.clone(),
            schedstat: self.schedstat.clone(),
            status: self.status.clone(),
            cpu: self.cpu.map(Duration::from_nanos),
            surroundings: Arc::clone(surroundings),
        })
    }

    fn check(&self) -> Result<(), String> {
        let files = self.files(&Arc::default());
        whole("stat", &self.stat, |_| files.stat().is_some())?;
        whole("syscall", &self.syscall, |_| files.syscall().is_some())?;
        whole("schedstat", &self.schedstat, |_| files.schedule().is_some())?;
        whole("status", &self.status, |_| files.switches().is_some())
    }
}

impl StackRecording {
    /// As the watchdog hands it on.
    pub(super) fn captured(&self) -> Captured {
        Captured {
            addresses: Vec::new(),
            complete: self.complete,
            confirmed: self.confirmed,
            via: self.via,
            note: None,
            call: self.call,
            in_kernel: false,
        }
    }

    /// As the symboliser hands it on.
    pub(super) fn shared_frames(&self) -> Vec<Arc<Frame>> {
        self.frames.iter().cloned().map(Arc::new).collect()
    }
}

/// Whether a text, if there is one, is read and ends as the kernel ends it: a number that is cut is still a number.
fn whole(
    file: &str,
    text: &Option<String>,
    is_read: impl FnOnce(&str) -> bool,
) -> Result<(), String> {
    match text {
        Some(text) if !text.ends_with('\n') => Err(format!(
            "{file} does not end with a line break: {}",
            shown(text)
        )),
        Some(text) if !is_read(text) => Err(format!("{file} cannot be read: {}", shown(text))),
        _ => Ok(()),
    }
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    (digits.is_ascii() && digits.len().is_multiple_of(2)).then_some(())?;
    let pairs = (0..digits.len()).step_by(2);
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    pairs.map(byte).collect()
}

pub(super) fn refused(why: impl std::fmt::Display) -> Error {
    Error::configuration(format!("the recording cannot be judged: {why}"))
}
