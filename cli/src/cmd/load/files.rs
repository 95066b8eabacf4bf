//! How many files this process may open: each client is one.

use load::chat::Part;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::ending::Failure;

/// Files that are no clients: standard streams, epoll instances, pipes to children, `/proc`.
const OTHER_FILES: usize = 64;

/// Raises the limit as far as an ordinary user may.
pub(super) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where this is forbidden the old limit holds, and is told if it is too low.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Raises the limit, and refuses clients that do not fit into it.
pub(super) fn allow(part: Part, clients: usize, processes: u16) -> Result<(), Failure> {
    raise();
    let Some(limit) = getrlimit(Resource::Nofile).current else {
        return Ok(());
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    fit(clients, usize::from(processes).max(part.of), limit)
}

/// Whether `clients` in so many processes fit into a limit of files.
fn fit(clients: usize, processes: usize, limit: usize) -> Result<(), Failure> {
    let each = clients.div_ceil(processes);
    if each + OTHER_FILES <= limit {
        return Ok(());
    }
    let enough = clients.div_ceil(limit.saturating_sub(OTHER_FILES).max(1));
    Err(Failure::Usage(format!(
        "{each} clients in one process, which may open {limit} files; expected --processes {enough} or more"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what does not fit is refused with the number of processes that would do.
    #[test]
    fn too_many_clients_are_told_a_way() {
        for (clients, processes, limit, enough) in [
            (900, 1, 1024, None),
            (1000, 1, 1024, Some("--processes 2 ")),
            (20_000, 2, 20_000, None),
            (20_000, 1, 20_000, Some("--processes 2 ")),
            (60_000, 3, 20_000, Some("--processes 4 ")),
        ] {
            let fits = fit(clients, processes, limit);
            match (enough, fits) {
                (None, Ok(())) => {}
                (Some(enough), Err(Failure::Usage(text))) => {
                    assert!(text.contains(enough), "{text}")
                }
                (_, fits) => panic!("{clients} in {processes}: {fits:?}"),
            }
        }
    }
}
