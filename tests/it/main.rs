//! The library through its public API, in one binary.
//!
//! One, because every further one links Tokio and the toolkit again. The module of plain functions says `cfg(test)` so
//! that clippy knows them for test code.

#[cfg(test)]
mod findings;
#[cfg(test)]
mod flavours;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod short;
#[cfg(test)]
mod stalls;
#[cfg(test)]
mod standstill;
#[cfg(test)]
mod stripped;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod undumpable;
#[cfg(test)]
mod victims;
#[cfg(test)]
mod waits;
