//! Evidence from `/proc/self`: pure parsers over text, and thin readers with kept descriptors.
//!
//! Every file may be missing (hidepid, gVisor, an undumpable process); each value then is `None` by itself and the
//! report says what was missing.

mod census;
mod cgroup;
mod descriptor;
mod environment;
#[cfg(any(test, fuzzing))]
pub(crate) mod garbage;
mod lock_owner;
mod machine;
mod mapping;
mod parse;
mod process;
mod recorded;
mod socket_address;
mod surroundings;
mod syscall_names;
mod thread;
mod wait_object;

pub(crate) use census::{ThreadLook, census, ready_among, ready_threads};
pub(crate) use cgroup::Quotas;
pub(crate) use environment::{Environment, EnvironmentTotals};
pub(crate) use lock_owner::owner_at;
pub(crate) use mapping::mapping_of;
pub(crate) use parse::{Switches, SyscallState, ticks};
pub(crate) use process::{ProcessUsage, open_descriptors};
pub(crate) use recorded::{MachineTexts, RecordedDescriptor, RecordedSurroundings, ThreadTexts};
pub(crate) use syscall_names::syscall_name;
pub(crate) use thread::ThreadFiles;
