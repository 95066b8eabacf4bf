//! Evidence that was recorded, judged as if it happened now.
//!
//! Some stalls cannot be made at will: a suspended machine, a CPU quota, a disk that is slow. What the kernel wrote when one
//! happened is kept as it was written and goes through the readers, the judge and the composer of the live watchdog; there
//! are no others. What is recorded beside the texts is what the watchdog gets without parsing: clocks, the token of the poll,
//! symbolised stacks.
//!
//! Locks are judged without the looks at other threads, and there are no victims: a recording is of one worker.

mod player;
mod reading;
mod recording;
#[cfg(test)]
mod tests;

pub use recording::{
    DescriptorRecording, MachineRecording, MemoryRecording, MomentRecording, PollRecording,
    Recording, RoundRecording, StackRecording, WaitRecording,
};

use crate::Error;
use crate::stall::Stall;

/// What a recording made pollscope tell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Replayed {
    /// Every event, in the order in which it was told.
    pub stalls: Vec<Stall>,
}

impl Recording {
    /// Judges the recording from its first moment to its last.
    ///
    /// # Errors
    ///
    /// When it was made on another architecture, whose system calls have other numbers, or when a text is none that the kernel
    /// writes: cut short, or of another file. The error says which moment and which file.
    pub fn replay(&self) -> Result<Replayed, Error> {
        self.check()?;
        Ok(Replayed {
            stalls: player::play(self)?,
        })
    }

    /// Whether it can be replayed by this program: system calls have other numbers on other architectures.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.architecture == std::env::consts::ARCH
    }
}
