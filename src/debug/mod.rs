//! The debug mode: a service under development is watched as closely as it can be, whatever that costs.
//!
//! One switch for the process, as there is one scope. It lowers the threshold to what a developer wants to hear of, takes
//! a stack of every stall, and has the instrumented parts of pollscope look for mistakes that stall nobody yet. This room
//! knows them as numbers and places; words are made on the reporter's thread.

mod inbox;
mod lint;
mod switch;
mod task_pass;

pub(crate) use inbox::{take_lints, tell, untold};
pub(crate) use lint::Lint;
pub(crate) use switch::{CAPTURES_BURST, CAPTURES_PER_SECOND, is_on, set, threshold};
pub(crate) use task_pass::TaskPass;
