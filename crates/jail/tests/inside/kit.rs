//! Starting probes, and what could not be checked.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};

use rustix::process::{Pid, PidfdFlags};

use jail::{Denials, Ending, Launch, LaunchError, Piece, Pieces, Policy, Worker};

/// The exit status of a process that was executed where none may be.
pub const EXECUTED: i32 = 77;
/// The hidden word that ends with that status.
pub const EXECUTED_WORD: &str = "--executed";

/// What this host did not allow to check.
#[derive(Default)]
pub struct Notes(Vec<String>);

impl Notes {
    pub fn unchecked(&mut self, what: String) {
        println!("    NOT CHECKED: {what}");
        self.0.push(what);
    }

    pub fn print(&self) {
        println!("\n{} things could not be checked on this host", self.0.len());
        for note in &self.0 {
            println!("    {note}");
        }
    }
}

/// Roles of this program other than tests and workers.
pub fn hidden_role() -> Option<ExitCode> {
    match std::env::args().nth(1)?.as_str() {
        EXECUTED_WORD => Some(ExitCode::from(EXECUTED as u8)),
        "--decoy" => {
            let mut line = String::new();
            let _ = std::io::stdin().read_line(&mut line);
            Some(ExitCode::SUCCESS)
        }
        _ => None,
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A process that does nothing until it is killed; a target.
pub struct Decoy(Child);

impl Decoy {
    pub fn new() -> Decoy {
        let command = Command::new("/proc/self/exe").arg("--decoy").stdin(Stdio::piped()).spawn();
        Decoy(command.expect("the program starts itself"))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn pidfd(&self) -> OwnedFd {
        let pidfd = rustix::process::pidfd_open(Pid::from_child(&self.0), PidfdFlags::empty());
        pidfd.expect("it is not reaped")
    }
}

impl Drop for Decoy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A worker of ours that will do `words` under `policy`.
pub fn launch(policy: Policy, words: &[&str]) -> Launch {
    let args = [policy.name()].into_iter().chain(words.iter().copied()).map(String::from);
    // What a probe panics with belongs into the test's own output.
    let errors = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 3).expect("a descriptor");
    Launch::new("probe").args(args).standard_error(errors)
}

/// So many files for a worker. Each is as long as its place says.
pub fn with_files(launch: Launch, count: u64) -> Launch {
    (0..count).fold(launch, |launch, at| {
        let file = rustix::fs::memfd_create("file", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd");
        rustix::fs::ftruncate(&file, at).expect("its size");
        launch.descriptor(file)
    })
}

/// Starts one and waits until it is jailed.
pub fn jailed(launch: Launch) -> Worker {
    let mut worker = launch.spawn().expect("it starts");
    worker.wait_jailed().expect("it gets into its jail");
    worker
}

/// Starts one that must not get into its jail; its reason.
pub fn refused(launch: Launch) -> String {
    let error =
        launch.spawn().and_then(|mut worker| worker.wait_jailed().map(drop)).expect_err("it is refused");
    assert!(matches!(error, LaunchError::Refused { .. }), "{error}");
    error.to_string()
}

/// The next message as text.
pub fn hear(worker: &Worker) -> Option<String> {
    let message = worker.channel().receive().expect("the channel works")?;
    Some(String::from_utf8(message.bytes).expect("text"))
}

pub fn all_but(pieces: &[Piece]) -> Pieces {
    Pieces::all().iter().filter(|piece| !pieces.contains(piece)).collect()
}

/// Runs `code` in a forked process with its panics as failures; for what changes the process for good.
pub fn in_fork(code: impl FnOnce()) -> Ending {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        0 => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(code));
            // SAFETY: ends the copy without running the original's destructors.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        pid => wait(pid),
    }
}

pub fn wait(pid: i32) -> Ending {
    assert!(pid > 0, "fork: {}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: the status is written to a variable of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    match libc::WIFSIGNALED(status) {
        true => Ending::Killed(libc::WTERMSIG(status)),
        false => Ending::Exited(libc::WEXITSTATUS(status)),
    }
}

/// Runs checks of this program as another user.
pub fn as_nobody(words: &[&str]) -> std::process::Output {
    let mut command = Command::new("/proc/self/exe");
    command.args(words).uid(65534).gid(65534).output().expect("the program starts itself")
}

/// The denials and pieces of a probe in words, for messages.
pub fn reports(launch: Launch) -> Launch {
    launch.denials(Denials::Report)
}
