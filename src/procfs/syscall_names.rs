//! Names of the system calls that threads are found blocked in; PURE.
//!
//! The numbers are those of the machine: x86-64 has its own, younger ones such as aarch64 share the kernel's generic list.

use crate::capture::sys;

/// Numbers and names, sorted by number.
type Table = &'static [(i64, &'static str)];

/// The name, or `syscall N` for one that is not in the table.
pub(crate) fn syscall_name(number: i64) -> String {
    name_in(
        if sys::GENERIC_SYSCALLS {
            GENERIC
        } else {
            X86_64
        },
        number,
    )
}

/// The machine's own number of a call that every list has, for tests.
#[cfg(test)]
pub(crate) fn number_of(name: &str) -> i64 {
    let table = if sys::GENERIC_SYSCALLS {
        GENERIC
    } else {
        X86_64
    };
    let found = table.iter().find(|(_, known)| *known == name);
    found.map(|(number, _)| *number).unwrap()
}

fn name_in(table: Table, number: i64) -> String {
    match table.binary_search_by_key(&number, |(known, _)| *known) {
        Ok(index) => table[index].1.to_owned(),
        Err(_) => format!("syscall {number}"),
    }
}

const X86_64: Table = &[
    (0, "read"),
    (1, "write"),
    (2, "open"),
    (3, "close"),
    (4, "stat"),
    (5, "fstat"),
    (7, "poll"),
    (8, "lseek"),
    (9, "mmap"),
    (10, "mprotect"),
    (11, "munmap"),
    (12, "brk"),
    (16, "ioctl"),
    (17, "pread64"),
    (18, "pwrite64"),
    (19, "readv"),
    (20, "writev"),
    (23, "select"),
    (24, "sched_yield"),
    (25, "mremap"),
    (26, "msync"),
    (28, "madvise"),
    (35, "nanosleep"),
    (40, "sendfile"),
    (42, "connect"),
    (43, "accept"),
    (44, "sendto"),
    (45, "recvfrom"),
    (46, "sendmsg"),
    (47, "recvmsg"),
    (56, "clone"),
    (57, "fork"),
    (58, "vfork"),
    (59, "execve"),
    (61, "wait4"),
    (62, "kill"),
    (65, "semop"),
    (72, "fcntl"),
    (73, "flock"),
    (74, "fsync"),
    (75, "fdatasync"),
    (76, "truncate"),
    (77, "ftruncate"),
    (82, "rename"),
    (83, "mkdir"),
    (84, "rmdir"),
    (87, "unlink"),
    (128, "rt_sigtimedwait"),
    (130, "rt_sigsuspend"),
    (149, "mlock"),
    (162, "sync"),
    (186, "gettid"),
    (202, "futex"),
    (208, "io_getevents"),
    (217, "getdents64"),
    (220, "semtimedop"),
    (230, "clock_nanosleep"),
    (232, "epoll_wait"),
    (247, "waitid"),
    (257, "openat"),
    (258, "mkdirat"),
    (262, "newfstatat"),
    (263, "unlinkat"),
    (264, "renameat"),
    (270, "pselect6"),
    (271, "ppoll"),
    (275, "splice"),
    (276, "tee"),
    (277, "sync_file_range"),
    (281, "epoll_pwait"),
    (285, "fallocate"),
    (288, "accept4"),
    (295, "preadv"),
    (296, "pwritev"),
    (299, "recvmmsg"),
    (306, "syncfs"),
    (307, "sendmmsg"),
    (316, "renameat2"),
    (318, "getrandom"),
    (325, "mlock2"),
    (326, "copy_file_range"),
    (327, "preadv2"),
    (328, "pwritev2"),
    (332, "statx"),
    (426, "io_uring_enter"),
    (435, "clone3"),
    (441, "epoll_pwait2"),
    (449, "futex_waitv"),
];

const GENERIC: Table = &[
    (4, "io_getevents"),
    (22, "epoll_pwait"),
    (25, "fcntl"),
    (29, "ioctl"),
    (32, "flock"),
    (34, "mkdirat"),
    (35, "unlinkat"),
    (38, "renameat"),
    (45, "truncate"),
    (46, "ftruncate"),
    (47, "fallocate"),
    (56, "openat"),
    (57, "close"),
    (61, "getdents64"),
    (62, "lseek"),
    (63, "read"),
    (64, "write"),
    (65, "readv"),
    (66, "writev"),
    (67, "pread64"),
    (68, "pwrite64"),
    (69, "preadv"),
    (70, "pwritev"),
    (71, "sendfile"),
    (72, "pselect6"),
    (73, "ppoll"),
    (76, "splice"),
    (77, "tee"),
    (79, "newfstatat"),
    (80, "fstat"),
    (81, "sync"),
    (82, "fsync"),
    (83, "fdatasync"),
    (84, "sync_file_range"),
    (95, "waitid"),
    (98, "futex"),
    (101, "nanosleep"),
    (115, "clock_nanosleep"),
    (124, "sched_yield"),
    (129, "kill"),
    (133, "rt_sigsuspend"),
    (137, "rt_sigtimedwait"),
    (178, "gettid"),
    (192, "semtimedop"),
    (193, "semop"),
    (202, "accept"),
    (203, "connect"),
    (206, "sendto"),
    (207, "recvfrom"),
    (211, "sendmsg"),
    (212, "recvmsg"),
    (214, "brk"),
    (215, "munmap"),
    (216, "mremap"),
    (220, "clone"),
    (221, "execve"),
    (222, "mmap"),
    (226, "mprotect"),
    (227, "msync"),
    (228, "mlock"),
    (233, "madvise"),
    (242, "accept4"),
    (243, "recvmmsg"),
    (260, "wait4"),
    (267, "syncfs"),
    (269, "sendmmsg"),
    (276, "renameat2"),
    (278, "getrandom"),
    (284, "mlock2"),
    (285, "copy_file_range"),
    (286, "preadv2"),
    (287, "pwritev2"),
    (291, "statx"),
    (426, "io_uring_enter"),
    (435, "clone3"),
    (441, "epoll_pwait2"),
    (449, "futex_waitv"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables are sorted, as the search needs it, and each knows its own numbers.
    #[test]
    fn names_are_found() {
        for (table, sleep, futex) in [(X86_64, 230, 202), (GENERIC, 115, 98)] {
            assert!(table.is_sorted_by_key(|(number, _)| number));
            assert_eq!(name_in(table, sleep), "clock_nanosleep");
            assert_eq!(name_in(table, futex), "futex");
            assert_eq!(name_in(table, 9999), "syscall 9999");
        }
        assert_eq!(syscall_name(number_of("futex")), "futex");
    }
}
