//! What to do about a stall: a table of rules, first match wins; PURE.
//!
//! A rule asks for a verdict, for a function on the stack, for the system call that is waited in, for what that waits for,
//! or for several of them; special rules stand before general ones. Every rule has a section of its name in
//! `docs/advice.md`, which says for what it is, why, and what to write instead.

use std::sync::Arc;

use super::event::{Advice, Frame};
use super::function_name::is_named;
use super::line::is_runtime;
use super::tally::Wait;
use super::verdict::Verdict;
use super::waiting::Target;

mod rules;
#[cfg(test)]
mod tests;

use rules::{RULES, SPECIAL};

/// Where the sections are.
const DOCS: &str = "docs/advice.md";

/// What is known beside verdict and stack that makes a rule of its own the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circumstance {
    /// The process's own threads take the CPUs.
    OwnThreads,
    /// The holders of the locks seem to wait for each other.
    Deadlock,
    /// A debugger is attached.
    Traced,
}

/// What is known of the wait: nothing, of a poll that computed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WaitClue<'a> {
    /// Name of the system call that is waited in.
    pub(crate) syscall: Option<&'a str>,
    /// What its descriptor stands for.
    pub(crate) target: Option<Target>,
}

impl<'a> From<&'a Option<Wait>> for WaitClue<'a> {
    fn from(wait: &'a Option<Wait>) -> Self {
        let wait = wait.as_ref();
        let object = wait.and_then(|wait| wait.object.as_ref());
        Self {
            syscall: wait.and_then(|wait| wait.syscall.as_deref()),
            target: object.and_then(|object| object.target),
        }
    }
}

struct Rule {
    id: &'static str,
    /// Verdicts it is for; empty for any that blames code.
    verdicts: &'static [Verdict],
    /// Begins of function names, or of their segments with a `::` before, one of which must be on the stack of the poll.
    functions: &'static [&'static str],
    /// System calls, in one of which the poll must wait. Beside `functions` either is enough, for a stripped program has no
    /// names on its stacks; if both are empty, any place will do.
    syscalls: &'static [&'static str],
    /// What that call's descriptor must stand for; `None` for anything.
    target: Option<Target>,
    text: &'static str,
}

/// A rule for any stall that blames code.
const ANY: Rule = Rule {
    id: "",
    verdicts: &[],
    functions: &[],
    syscalls: &[],
    target: None,
    text: "",
};

/// The advice for a verdict, its stack and its wait.
pub(crate) fn advise<'a>(
    verdict: Verdict,
    stack: &[Arc<Frame>],
    wait: impl Into<WaitClue<'a>>,
    circumstance: Option<Circumstance>,
) -> Option<Advice> {
    let wait = wait.into();
    // Beyond the runtime's frames lies who called the runtime, which did not stall it.
    let poll: Vec<&str> = stack
        .iter()
        .take_while(|frame| !is_runtime(frame))
        .map(|frame| frame.function.as_str())
        .collect();
    let special = SPECIAL
        .iter()
        .filter(|(needed, _)| circumstance == Some(*needed))
        .map(|(_, rule)| rule);
    special
        .chain(RULES)
        .find(|rule| rule.fits(verdict, &poll, wait))
        .map(|rule| Advice {
            rule: rule.id.to_owned(),
            text: rule.text.to_owned(),
            docs: format!("{DOCS}#{}", rule.id),
        })
}

impl Rule {
    fn fits(&self, verdict: Verdict, poll: &[&str], wait: WaitClue<'_>) -> bool {
        let verdict_fits = if self.verdicts.is_empty() {
            !verdict.is_machine() && verdict != Verdict::Unknown
        } else {
            self.verdicts.contains(&verdict)
        };
        let on_stack = |part: &&str| poll.iter().any(|function| is_named(function, part));
        let is_anywhere = self.functions.is_empty() && self.syscalls.is_empty();
        let waits_there = wait
            .syscall
            .is_some_and(|call| self.syscalls.contains(&call));
        verdict_fits
            && (is_anywhere || waits_there || self.functions.iter().any(on_stack))
            && self.target.is_none_or(|target| wait.target == Some(target))
    }
}
