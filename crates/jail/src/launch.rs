//! Starting a worker, in the main process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::channel::Channel;
use crate::control::{self, MAX_GIVEN, Told};
use crate::error::LaunchError;
use crate::piece::Pieces;
use crate::seccomp::Denials;
use crate::spawn::{Stage, Words};
use crate::worker::Worker;

/// How long a worker may take for each step of its start. Generous: emulated hosts are slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker to be started.
///
/// The thread that calls [`Launch::spawn`] must live as long as the machine: when it ends, the kernel ends the jailed worker.
#[derive(Debug)]
pub struct Launch {
    words: Words,
    environment: Vec<String>,
    errors: Option<OwnedFd>,
    descriptors: Vec<OwnedFd>,
}

impl Launch {
    /// A worker with a role: the word that its `main` acts on and that messages about it use.
    pub fn new(role: &str) -> Launch {
        let words = Words {
            stage: Stage::Outer,
            role: role.into(),
            without: Pieces::NONE,
            denials: Denials::Kill,
            args: Vec::new(),
        };
        let environment = vec!["RUST_LOG".into()];
        Launch { words, environment, errors: None, descriptors: Vec::new() }
    }

    /// Words for the worker; anybody on the host can read them.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = String>) -> Launch {
        self.words.args.extend(args);
        self
    }

    /// The pieces of the jail that the user goes without.
    #[must_use]
    pub fn without(mut self, without: Pieces) -> Launch {
        self.words.without = without;
        self
    }

    /// What happens at a call that the policy does not allow.
    #[must_use]
    pub fn denials(mut self, denials: Denials) -> Launch {
        self.words.denials = denials;
        self
    }

    /// A further variable of the environment that the worker keeps; of the others only RUST_LOG remains.
    /// (RUST_BACKTRACE would make a panic open files, which no policy allows.)
    #[must_use]
    pub fn keep_variable(mut self, name: &str) -> Launch {
        self.environment.push(name.into());
        self
    }

    /// Where its standard error leads. Without it, it leads to /dev/null, as standard input and output always do.
    ///
    /// It should be a pipe of the worker's own: whoever holds a terminal's descriptor can type into it, and whoever holds a log's can
    /// rewrite it. This copy is closed when [`Launch::spawn`] returns, so that the pipe ends with the worker.
    #[must_use]
    pub fn standard_error(mut self, fd: OwnedFd) -> Launch {
        self.errors = Some(fd);
        self
    }

    /// A descriptor for the worker; it gets them in this order. At most [`MAX_GIVEN`].
    #[must_use]
    pub fn descriptor(mut self, fd: OwnedFd) -> Launch {
        self.descriptors.push(fd);
        self
    }

    /// Starts it. It is running, and inside its user and process id namespaces, but not yet in its jail, when this returns.
    pub fn spawn(mut self) -> Result<Worker, LaunchError> {
        let role = self.words.role.clone();
        let step = |doing| move |source: io::Error| LaunchError::Step { role, doing, source };
        let doing = "making its channels";
        let count = self.descriptors.len();
        if count > MAX_GIVEN {
            return Err(LaunchError::Descriptors { role: self.words.role, count });
        }
        let pairs = Channel::pair().and_then(|control| Ok((control, Channel::pair()?)));
        let ((control, theirs), (channel, their_channel)) = pairs.map_err(step.clone()(doing))?;
        control.set_timeout(Some(PATIENCE)).map_err(step.clone()(doing))?;
        let worker = self.start(theirs).map_err(step.clone()("executing the program again"))?;
        let mut worker = Worker::new(self.words.role.clone(), worker.0, worker.1, channel, control);
        worker.settle()?;
        // Only now: a second process must not be ahead of the one that announces it.
        let given = control::give(worker.control(), &their_channel, &self.descriptors);
        given.map_err(step("giving it its descriptors"))?;
        Ok(worker)
    }

    /// The new process and its pidfd. The other ends of its channels are closed here when this returns, so its end can be noticed.
    fn start(&mut self, theirs: Channel) -> io::Result<(Pid, OwnedFd)> {
        let kept = self.environment.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let mut child = Command::new("/proc/self/exe")
            .arg0(format!("worker {}", self.words.role))
            .args(self.words.write())
            .env_clear()
            .envs(kept)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(self.errors.take().map_or_else(Stdio::null, Stdio::from))
            .spawn()?;
        let pid = Pid::from_child(&child);
        // Not reaped yet, so the number is still its own.
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from);
        let pidfd = pidfd.or_else(|e| child.kill().and_then(|()| child.wait()).and(Err(e)))?;
        Ok((pid, pidfd))
    }
}

impl Worker {
    /// Follows the worker when it moved to another process.
    fn settle(&mut self) -> Result<(), LaunchError> {
        match self.listen()? {
            Told::Same => Ok(()),
            Told::Moved { pid, pidfd } => {
                let pid = Pid::from_raw(pid).ok_or_else(|| self.unexpected("named no process"))?;
                self.follow(pid, pidfd)
            }
            Told::Error(reason) => Err(LaunchError::Refused { role: self.role().into(), reason }),
            Told::Jailed { .. } => Err(self.unexpected("spoke out of turn")),
        }
    }

    /// Waits until the worker is in its jail. With [`Denials::Report`] the answer tells of the denied calls; it must be listened to, or
    /// the worker stops at the first.
    pub fn wait_jailed(&mut self) -> Result<Option<crate::DeniedCalls>, LaunchError> {
        match self.listen()? {
            Told::Jailed { listener } => {
                Ok(listener.map(|listener| crate::DeniedCalls::new(self.role().into(), listener)))
            }
            Told::Error(reason) => Err(LaunchError::Refused { role: self.role().into(), reason }),
            Told::Same | Told::Moved { .. } => Err(self.unexpected("spoke out of turn")),
        }
    }

    fn listen(&mut self) -> Result<Told, LaunchError> {
        match control::listen(self.control()) {
            Ok(Some(told)) => Ok(told),
            Ok(None) => {
                let ending = self.kill_and_wait();
                Err(self.unexpected(&format!("ended before it was in its jail: {ending}")))
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                Err(self.unexpected(&format!("did not get into its jail within {} s", PATIENCE.as_secs())))
            }
            Err(source) => {
                Err(LaunchError::Step { role: self.role().into(), doing: "listening to it", source })
            }
        }
    }

    fn unexpected(&self, what: &str) -> LaunchError {
        LaunchError::Silent { role: self.role().into(), what: what.into() }
    }
}
