//! Names of the system calls that threads are found blocked in; PURE. Numbers: x86-64 table of Linux.

/// The name, or `syscall N` for one that is not in the table.
pub(crate) fn syscall_name(number: i64) -> String {
    match NAMES.binary_search_by_key(&number, |(known, _)| *known) {
        Ok(index) => NAMES[index].1.to_owned(),
        Err(_) => format!("syscall {number}"),
    }
}

const NAMES: &[(i64, &str)] = &[
    (0, "read"),
    (1, "write"),
    (2, "open"),
    (3, "close"),
    (7, "poll"),
    (9, "mmap"),
    (11, "munmap"),
    (17, "pread64"),
    (18, "pwrite64"),
    (19, "readv"),
    (20, "writev"),
    (23, "select"),
    (35, "nanosleep"),
    (42, "connect"),
    (43, "accept"),
    (44, "sendto"),
    (45, "recvfrom"),
    (46, "sendmsg"),
    (47, "recvmsg"),
    (61, "wait4"),
    (72, "fcntl"),
    (73, "flock"),
    (74, "fsync"),
    (75, "fdatasync"),
    (77, "ftruncate"),
    (202, "futex"),
    (230, "clock_nanosleep"),
    (232, "epoll_wait"),
    (247, "waitid"),
    (257, "openat"),
    (270, "pselect6"),
    (271, "ppoll"),
    (277, "sync_file_range"),
    (281, "epoll_pwait"),
    (288, "accept4"),
    (295, "preadv"),
    (296, "pwritev"),
    (441, "epoll_pwait2"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The table is sorted, as the search needs it.
    #[test]
    fn names_are_found() {
        assert!(NAMES.is_sorted_by_key(|(number, _)| number));
        assert_eq!(syscall_name(230), "clock_nanosleep");
        assert_eq!(syscall_name(9999), "syscall 9999");
    }
}
