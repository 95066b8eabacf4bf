//! The one integration binary of the command line: a module a subject.
//!
//! One binary, because every further one links both services and the toolkit again. The modules say `cfg(test)` so that
//! clippy knows their every function for test code.

#![expect(
    clippy::disallowed_methods,
    reason = "nothing else runs on the threads of these tests"
)]

#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod deployment;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod files;
#[cfg(test)]
mod load;
#[cfg(test)]
mod metrics_page;
#[cfg(test)]
mod program;
#[cfg(test)]
mod promql;
#[cfg(test)]
mod series;
#[cfg(test)]
mod services;
#[cfg(test)]
mod usage;
