//! Births and deaths of workers.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use jail::{Children, Ending, Policy};

use crate::kit::{self, Notes};

const LONG: Option<Duration> = Some(Duration::from_secs(30));

pub fn each_death_is_told_once(_: &mut Notes) {
    let mut children = Children::new().expect("a poller");
    let words: [&[&str]; 4] = [&["idle"], &["exit", "7"], &["idle"], &["forbidden"]];
    let ids = words
        .map(|words| children.add(kit::jailed(kit::launch(Policy::Device, words))).expect("it is watched"));
    children.get(ids[2]).expect("alive").kill().expect("it can be killed");
    let mut told: Vec<_> =
        (0..3).map(|_| children.wait_any(LONG).expect("waiting works").expect("a death")).collect();
    told.sort_by_key(|death| death.id);
    let endings: Vec<_> = told.iter().map(|death| (death.id, death.ending)).collect();
    let killed = |signal| Ending::Killed(signal);
    assert_eq!(
        endings,
        [(ids[1], Ending::Exited(7)), (ids[2], killed(libc::SIGKILL)), (ids[3], killed(libc::SIGSYS))]
    );
    assert!(endings[2].1.to_string().contains("policy does not allow"), "{}", endings[2].1);
    let none = children.wait_any(Some(Duration::from_millis(20))).expect("waiting works");
    assert!(none.is_none(), "{none:?}");
    assert_eq!(children.iter().map(|(id, _)| id).collect::<Vec<_>>(), [ids[0]]);
}

pub fn a_panic_ends_it(_: &mut Notes) {
    for policy in Policy::ALL {
        let mut children = Children::new().expect("a poller");
        // Main's end of the channel stays open: nothing else would end it.
        let id = children.add(kit::jailed(kit::launch(policy, &["panic"]))).expect("it is watched");
        let death = children.wait_any(LONG).expect("waiting works").expect("it ends at once");
        assert_eq!((death.id, death.ending), (id, Ending::Exited(101)), "{policy:?}");
    }
}

/// A message holds 64 of them, the channel among the first.
pub fn descriptors_arrive_in_order(_: &mut Notes) {
    for count in [0, 1, 63, 64, 127, 128, 500] {
        let mut worker = kit::jailed(kit::with_files(kit::launch(Policy::Device, &["sizes"]), count));
        let want = format!("{:?}", (0..count).collect::<Vec<_>>());
        assert_eq!(kit::hear(&worker), Some(want), "{count}");
        assert_eq!(worker.wait().expect("it ends"), Ending::Exited(0));
    }
}

/// As the first process of its namespace a worker ignores a signal whose handler is the default, SIGABRT too.
pub fn an_abort_is_told(_: &mut Notes) {
    for policy in Policy::ALL {
        for how in ["abort", "overflow"] {
            let ending = kit::jailed(kit::launch(policy, &[how])).wait().expect("it ends");
            assert_eq!(ending.to_string(), "it aborted", "{how} in {policy:?}: {ending:?}");
        }
    }
}

/// The pipe of a worker's standard error holds all that it said, and ends with it: main keeps no copy of its end.
pub fn last_words_arrive(_: &mut Notes) {
    let (mut errors, theirs) = std::io::pipe().expect("a pipe");
    let mut worker = kit::jailed(kit::launch(Policy::Device, &["panic"]).standard_error(theirs.into()));
    assert_eq!(worker.wait().expect("it ends"), Ending::Exited(101));
    let (mut said, mut bytes) = (String::new(), [0; 4096]);
    loop {
        assert!(ready(&errors, 30), "the pipe does not end: {said}");
        match errors.read(&mut bytes).expect("the pipe can be read") {
            0 => break,
            len => said.push_str(&String::from_utf8_lossy(&bytes[..len])),
        }
    }
    assert!(said.contains("panicked at") && said.contains("a bug"), "{said}");
}

pub fn dropping_ends_them(_: &mut Notes) {
    let mut children = Children::new().expect("a poller");
    let worker = kit::jailed(kit::launch(Policy::Device, &["idle"]));
    let pidfd = worker.as_fd().try_clone_to_owned().expect("another descriptor of it");
    children.add(worker).expect("it is watched");
    drop(children);
    assert!(ready(&pidfd, 0), "dropping waits for the end");
}

/// Whether it can be read, or is at its end, within that time.
fn ready(fd: &impl AsFd, seconds: i64) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)).expect("poll works") == 1
}

pub fn dies_with_main(_: &mut Notes) {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    // SAFETY: this process has one thread.
    let main = unsafe { libc::fork() };
    if main == 0 {
        let worker = kit::jailed(kit::launch(Policy::Viommu, &["idle"]));
        std::io::Write::write_all(&mut &writer, &worker.pid().to_le_bytes()).expect("the test reads");
        // The channel's other end is in this process: the worker must not end because of that alone.
        std::mem::forget(worker.channel().as_fd().try_clone_to_owned());
        loop {
            std::thread::park();
        }
    }
    let mut pid = [0; 4];
    reader.read_exact(&mut pid).expect("the worker's number");
    let pid = rustix::process::Pid::from_raw(i32::from_le_bytes(pid)).expect("a number");
    let worker = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("it lives");
    assert!(!ready(&worker, 0), "it lives while its main process does");
    // SAFETY: a child of ours.
    unsafe { libc::kill(main, libc::SIGKILL) };
    assert_eq!(kit::wait(main), Ending::Killed(libc::SIGKILL));
    assert!(ready(&worker, 30), "it ends with its main process");
}

pub fn leaks_nothing(_: &mut Notes) {
    let open = || std::fs::read_dir("/proc/self/fd").expect("descriptors are listed").count();
    let children = || {
        let list = Command::new("/bin/sh")
            .arg("-c")
            .arg("cat /proc/$PPID/task/$PPID/children")
            .output()
            .expect("a shell");
        String::from_utf8_lossy(&list.stdout).split_whitespace().count()
    };
    let before = (open(), children());
    for turn in 0..20 {
        let mut worker = kit::launch(Policy::Vfio, &["idle"]).spawn().expect("it starts");
        if turn % 2 == 0 {
            worker.wait_jailed().expect("it gets into its jail");
        }
    }
    assert_eq!((open(), children()), before, "descriptors and children, the shell that counts among them");
}
