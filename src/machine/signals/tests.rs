use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::Duration;

use super::*;

/// Set in the process that a test starts for itself: signals belong to whole processes.
const CHILD: &str = "MIXVM_TEST_SIGNALS";

#[test]
fn what_is_ignored_is_read_from_the_kernels_words() {
    let cases = [
        ("Name:\tmixvm\nSigIgn:\t0000000000000001\nSigCgt:\tffffffffffffffff\n", bit(Signal::SIGHUP)),
        ("SigIgn:\t0000000000004002\n", bit(Signal::SIGINT) | bit(Signal::SIGTERM)),
        ("SigIgn:\tnonsense\n", 0),
        ("", 0),
    ];
    for (status, expected) in cases {
        assert_eq!(ignored(status), expected, "{status:?}");
    }
}

#[test]
fn threads_that_are_started_later_block_the_signals_too() {
    // Here, where nobody sends any.
    let signals = Signals::block().unwrap();
    let inherited = std::thread::spawn(|| SigSet::thread_get_mask().unwrap()).join().unwrap();
    assert!(signals.set.contains(Signal::SIGTERM) && !signals.set.contains(Signal::SIGUSR1));
    for signal in signals.set.iter() {
        assert!(inherited.contains(signal), "{signal}");
    }
}

/// Only in a process of its own; see below.
#[test]
fn in_a_process_of_its_own() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let control = Arc::new(Control::new(0, Box::new(|| {})));
    let signals = Signals::block().unwrap();
    let send = |signal: Signal| nix::sys::signal::kill(nix::unistd::Pid::this(), signal).unwrap();
    if task == "hangup" && !signals.set.contains(Signal::SIGHUP) {
        send(Signal::SIGHUP);
        std::process::exit(7);
    }
    let watch = match task.as_str() {
        // It comes before anybody can be told.
        "early" => {
            send(Signal::SIGINT);
            signals.watch(&control).unwrap()
        }
        _ => {
            let watch = signals.watch(&control).unwrap();
            send(if task == "hangup" { Signal::SIGHUP } else { Signal::SIGTERM });
            watch
        }
    };
    let (tell, told) = mpsc::channel();
    let waiting = control.clone();
    std::thread::spawn(move || tell.send(waiting.wait()));
    if told.recv_timeout(Duration::from_secs(10)) != Ok(Outcome::PowerOff) {
        std::process::exit(5);
    }
    if task == "twice" {
        // Any thread may be meant; only the watching one can be hit.
        send(Signal::SIGTERM);
        let (_keep, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(Duration::from_secs(10));
        std::process::exit(8);
    }
    drop(watch);
    std::process::exit(6);
}

/// How that test ends in a process of its own. Its first thread, which is the test harness's, blocks the signals as this program's
/// does. Whoever runs the tests may ignore some signals: not this process.
fn run(task: &str, ignoring_hangups: bool) -> ExitStatus {
    let mut command = Command::new("env");
    command
        .args(["--default-signal=HUP,INT,TERM", "--block-signal=HUP,INT,TERM"])
        .args(ignoring_hangups.then_some("--ignore-signal=HUP"));
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "machine::signals::tests::in_a_process_of_its_own"]);
    command.env(CHILD, task).process_group(0).output().unwrap().status
}

#[test]
fn a_signal_ends_the_machine_in_order_and_a_second_one_the_process() {
    let cases = [
        ("term", false, Some(6), None),
        ("early", false, Some(6), None),
        ("hangup", false, Some(6), None),
        // As `nohup` has it.
        ("hangup", true, Some(7), None),
        ("twice", false, None, Some(Signal::SIGTERM as i32)),
    ];
    for (task, ignoring, code, signal) in cases {
        let status = run(task, ignoring);
        assert_eq!((status.code(), status.signal()), (code, signal), "{task}, hang-ups ignored: {ignoring}");
    }
}
