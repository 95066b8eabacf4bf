//! Which task a worker of an attached runtime is polling, without a hook and without a signal.
//!
//! Tokio keeps the id of the current task in a thread-local of each worker. A probe task knows its own id, so it finds
//! the word by looking for it in its own thread-local storage; two probes with different ids leave one place, whose
//! distance to the thread pointer is the same in every thread. From then on the watchdog reads that word of any worker
//! from outside. Should Tokio keep the id elsewhere, no place survives and the id is simply not known.

use std::sync::{Mutex, PoisonError};

use crate::capture::sys;

/// Probes with different ids that must agree on a place before it is believed.
const AGREEMENT: u32 = 3;

/// Probes after which the search ends without a place: Tokio keeps the id elsewhere, and each try reads the whole storage.
const PROBES_MAX: usize = 32;

/// Bytes of thread-local storage searched; executables ask for a few KiB.
const SEARCH_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug)]
enum Search {
    /// Distances below the thread pointer that have held the right id so far.
    Candidates {
        places: Option<Vec<u64>>,
        seen: Vec<u64>,
    },
    Found(u64),
    GivenUp,
}

static SEARCH: Mutex<Search> = Mutex::new(Search::Candidates {
    places: None,
    seen: Vec::new(),
});

/// Called on a worker inside the poll of a task whose id is `task`; reads this thread's own storage.
pub(crate) fn calibrate(task: u64) {
    let mut search = SEARCH.lock().unwrap_or_else(PoisonError::into_inner);
    let Search::Candidates { places, seen } = &mut *search else {
        return;
    };
    if seen.contains(&task) {
        return;
    }
    seen.push(task);
    let words = own_storage();
    let holds = |place: &u64| {
        words
            .iter()
            .any(|(distance, word)| distance == place && *word == task)
    };
    let left: Vec<u64> = match places.take() {
        None => words
            .iter()
            .filter(|(_, word)| *word == task)
            .map(|(distance, _)| *distance)
            .collect(),
        Some(known) => known.into_iter().filter(holds).collect(),
    };
    let agreed = seen.len() >= usize::try_from(AGREEMENT).unwrap_or(usize::MAX);
    match left.as_slice() {
        [place] if agreed => *search = Search::Found(*place),
        _ if seen.len() >= PROBES_MAX => *search = Search::GivenUp,
        _ => *places = Some(left),
    }
}

/// The id of the task that the thread with this thread pointer polls; between polls, of the worker's own task.
pub(crate) fn read(thread_pointer: u64) -> Option<u64> {
    let Search::Found(distance) = *SEARCH.lock().unwrap_or_else(PoisonError::into_inner) else {
        return None;
    };
    let mut bytes = [0; 8];
    sys::read_memory(thread_pointer.checked_sub(distance)?, &mut bytes)
        .then(|| u64::from_le_bytes(bytes))
}

/// The words of this thread's storage for the executable, as (distance below the thread pointer, word).
fn own_storage() -> Vec<(u64, u64)> {
    let pointer = sys::thread_pointer();
    let tls_bytes = sys::modules()
        .into_iter()
        .find(|module| module.path.is_empty())
        .map_or(0, |module| module.tls_bytes);
    let len = tls_bytes.min(SEARCH_BYTES_MAX).min(pointer) / 8 * 8;
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    if !sys::read_memory(pointer - len, &mut bytes) {
        return Vec::new();
    }
    let words = bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
    (0..len / 8)
        .map(|index| len - index * 8)
        .zip(words)
        .collect()
}

// The twin without capture cannot ask the system.
#[cfg(test)]
#[cfg(not(pollscope_no_capture))]
mod tests {
    use super::*;
    use crate::runtime::task_id::number_of;

    /// After a few probes the id of a task can be read from outside its thread.
    #[tokio::test]
    async fn finds_the_id() {
        for _ in 0..AGREEMENT + 3 {
            tokio::spawn(async { calibrate(number_of(&tokio::task::id())) })
                .await
                .unwrap();
        }
        let (id, seen) = tokio::spawn(async {
            let pointer = sys::thread_pointer();
            let outside = tokio::task::spawn_blocking(move || read(pointer));
            // The worker must still be in this very poll while the other thread reads.
            let seen = futures_block_on(outside);
            (number_of(&tokio::task::id()), seen)
        })
        .await
        .unwrap();
        assert_eq!(seen, Some(id));
    }

    /// Waits for another thread without leaving the poll.
    fn futures_block_on(outside: tokio::task::JoinHandle<Option<u64>>) -> Option<u64> {
        while !outside.is_finished() {
            std::thread::yield_now();
        }
        let mut outside = std::pin::pin!(outside);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match outside.as_mut().poll(&mut context) {
            std::task::Poll::Ready(seen) => seen.unwrap(),
            std::task::Poll::Pending => panic!("finished but pending"),
        }
    }
}
