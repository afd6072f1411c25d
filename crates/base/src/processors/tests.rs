use std::mem::MaybeUninit;
use std::thread;
use std::time::Duration;

use super::take_short_turns;

/// What the kernel says of this thread.
fn attributes() -> libc::sched_attr {
    let mut attributes = MaybeUninit::<libc::sched_attr>::zeroed();
    let size = size_of::<libc::sched_attr>();
    // SAFETY: the kernel writes `size` bytes at most.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, attributes.as_mut_ptr(), size, 0) };
    assert_eq!(got, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: numbers, zero where the kernel wrote nothing.
    unsafe { attributes.assume_init() }
}

/// Whether this is one of the threads that share a processor by turns, as they do unless somebody started us otherwise.
fn has_turns(attributes: &libc::sched_attr) -> bool {
    [libc::SCHED_OTHER, libc::SCHED_BATCH].contains(&(attributes.sched_policy as i32))
}

#[test]
fn short_turns_go_to_the_threads_that_are_made_later_and_change_nothing_else() {
    let turn = Duration::from_micros(300);
    let seen = thread::spawn(move || {
        let before = attributes();
        take_short_turns(turn).unwrap();
        (before, attributes(), thread::spawn(attributes).join().unwrap())
    });
    let (before, own, child) = seen.join().unwrap();
    for after in [own, child] {
        // A kernel that does not know of turns tells none.
        if before.sched_runtime != 0 && has_turns(&before) {
            assert_eq!(after.sched_runtime, 300_000);
        }
        assert_eq!((after.sched_policy, after.sched_nice), (before.sched_policy, before.sched_nice));
    }
}
