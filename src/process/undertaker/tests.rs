use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::*;

const SOON: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// A process that ends when its input does, or never by itself.
fn process(heeds: bool) -> (Child, Watched) {
    let script =
        if heeds { "read line" } else { "trap '' TERM; exec 0</dev/null; while :; do wait; sleep 1; done" };
    let child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    (child, Watched("a disk".to_owned(), pidfd))
}

/// Books the end of `child` as the watching thread does.
fn book(state: &Arc<State>, mut child: Child) -> JoinHandle<Option<i32>> {
    let state = state.clone();
    std::thread::spawn(move || {
        let status = child.wait().unwrap();
        state.all_buried();
        std::os::unix::process::ExitStatusExt::signal(&status)
    })
}

#[test]
fn a_process_that_ends_by_itself_is_waited_for_and_left_alone() {
    let state = Arc::new(State::default());
    let (mut child, watched) = process(true);
    drop(child.stdin.take());
    let booked = book(&state, child);
    assert!(all_end(&state, &[watched], Patience { tell: LONG, kill: LONG, leave: LONG }));
    assert_eq!(booked.join().unwrap(), None);
}

#[test]
fn a_process_that_does_not_end_is_killed() {
    let state = Arc::new(State::default());
    let (child, watched) = process(false);
    assert!(watched.lives());
    let booked = book(&state, child);
    assert!(all_end(&state, &[watched], Patience { tell: SOON, kill: SOON, leave: LONG }));
    assert_eq!(booked.join().unwrap(), Some(9));
}

#[test]
fn what_cannot_be_killed_is_not_waited_for() {
    let state = Arc::new(State::default());
    let (mut child, watched) = process(false);
    let start = Instant::now();
    // Nobody books its end, as when the kernel holds it.
    assert!(!all_end(&state, &[watched], Patience { tell: SOON, kill: SOON, leave: SOON }));
    assert!(start.elapsed() < LONG);
    child.kill().unwrap();
    child.wait().unwrap();
}
