//! Locks of the standard library that notice when they are held across an await.
//!
//! A guard that lives across an await keeps the lock while its task is not running: whoever wants it next blocks a worker,
//! and on a current_thread runtime the task that would let go may never run again. The compiler refuses it for spawned
//! tasks, because these guards are not `Send`, but not in `main`, in `block_on` and in a `LocalSet`.
//!
//! Only the debug mode looks: a poll does nothing for it. The guard remembers the number of the poll in which the lock
//! was taken; if that poll is over while the guard lives, there was an await between.

mod holder;
mod mutex;
mod rwlock;

pub use mutex::{Mutex, MutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
