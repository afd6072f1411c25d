//! The worker's side: enters the jail and does what its words say.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::exit;

use jail::{Limits, Policy, Start};

use crate::{allowed, escape_list, reports};

/// Never returns to the tests.
pub fn run(start: Start) -> ! {
    let Start { args, channel, mut descriptors, entrance, .. } = start;
    let mut words = args.iter().map(String::as_str);
    let policy = words.next().and_then(|name| Policy::ALL.into_iter().find(|policy| policy.name() == name));
    let policy = policy.expect("the first word names a policy");
    let what = words.next().expect("the second word says what to do");
    let rest: Vec<&str> = words.collect();
    // In the jail some more are opened: not under a limit that is used up.
    let limits =
        Limits { open_files: (what != "sizes").then_some(64), locked: Some(1 << 20), address_space: None };
    let mut spec = entrance.spec(policy, limits);
    let mut keep = vec![channel.as_raw_fd()];
    keep.extend(descriptors.iter().map(AsRawFd::as_raw_fd));
    let prepared = (what == "escape").then(|| escape_list::prepare(&rest, descriptors.remove(0)));
    keep.extend(prepared.iter().flat_map(|prepared| prepared.descriptors()));
    spec.keep = Some(keep);
    let stray = (what == "stray").then(|| std::fs::File::open("/dev/zero"));
    if what == "thread" {
        std::thread::spawn(|| {
            loop {
                std::thread::park()
            }
        });
    }
    if what == "ending" {
        std::thread::spawn(until_first_waits);
    }
    if entrance.enter(&spec).is_err() {
        exit(4);
    }
    drop(stray);
    let say = |text: &str| channel.send(text.as_bytes(), &[]).expect("main listens");
    match what {
        "ending" => say("alone"),
        "idle" => {
            say("idle");
            drop(channel.receive());
        }
        "panic" => {
            // As a device's queue thread would, while the first thread waits for main.
            let thread = std::thread::spawn(|| panic!("a bug"));
            drop(channel.receive());
            drop(thread);
        }
        "abort" => std::process::abort(),
        "overflow" => drop(std::thread::spawn(|| endless(0)).join()),
        "exit" => exit(rest.first().and_then(|status| status.parse().ok()).unwrap_or(0)),
        "forbidden" => drop(std::fs::read_link("/")),
        "escape" => {
            let prepared = prepared.expect("prepared above");
            say(&match (prepared.escape.attempt)(&prepared) {
                Ok(()) => "through".into(),
                Err(errno) => format!("errno {errno}"),
            });
        }
        "allowed" => {
            allowed::inside(policy, descriptors.iter().map(AsFd::as_fd).collect());
            say("done");
        }
        "sizes" => say(&sizes(&descriptors)),
        "reports" => say(&reports::inside()),
        other => panic!("no probe is named {other}"),
    }
    exit(0)
}

/// The sizes of files, in their order.
fn sizes(files: &[OwnedFd]) -> String {
    let size = |file| rustix::fs::fstat(file).expect("facts of an open file").st_size;
    format!("{:?}", files.iter().map(size).collect::<Vec<_>>())
}

/// Needs more stack than there is.
fn endless(depth: u64) -> u64 {
    match std::hint::black_box(depth) {
        u64::MAX => 0,
        depth => endless(depth + 1) ^ std::hint::black_box(depth),
    }
}

/// Ends once the first thread of this process waits for something.
fn until_first_waits() {
    let first = format!("/proc/self/task/{}/stat", std::process::id());
    while std::fs::read_to_string(&first).is_ok_and(|stat| !stat.contains(") S ")) {
        std::thread::yield_now();
    }
}
