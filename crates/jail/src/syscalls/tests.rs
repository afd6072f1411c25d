//! The tables against libc's numbers of the architecture that the test runs on, and against each other.

use super::{AARCH64, X86_64, lines, syscall_name, syscall_number};

#[test]
fn numbers_are_libcs() {
    let cases = [
        ("read", libc::SYS_read),
        ("openat", libc::SYS_openat),
        ("ioctl", libc::SYS_ioctl),
        ("futex", libc::SYS_futex),
        ("clone3", libc::SYS_clone3),
        ("seccomp", libc::SYS_seccomp),
        ("close_range", libc::SYS_close_range),
        ("epoll_pwait2", libc::SYS_epoll_pwait2),
        ("mseal", libc::SYS_mseal),
    ];
    for (name, number) in cases {
        assert_eq!((syscall_number(name), syscall_name(number)), (Some(number), Some(name)));
    }
    assert_eq!((syscall_name(100_000), syscall_name(-1), syscall_number("raed")), (None, None, None));
}

#[test]
fn tables_ascend_and_agree_on_new_calls() {
    for table in [X86_64, AARCH64] {
        let numbers: Vec<i64> = lines(table).map(|(number, _)| number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.len() == table.lines().count());
    }
    // Since 424 every architecture has the same numbers.
    let new = |table| lines(table).filter(|(number, _)| *number >= 424).collect::<Vec<_>>();
    let common = |table: &'static str, other: &'static str| {
        let names: Vec<&str> = lines(other).map(|(_, name)| name).collect();
        new(table).into_iter().filter(|(_, name)| names.contains(name)).collect::<Vec<_>>()
    };
    assert_eq!(common(X86_64, AARCH64), common(AARCH64, X86_64));
}
