//! The way into the jail, one piece after the other.

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::set_no_new_privs;

use crate::error::JailError;
use crate::limits::{self, Limits};
use crate::piece::{Piece, Pieces};
use crate::seccomp::{self, Denials, Policy};
use crate::{caps, keep, namespaces, paths, root};

/// A jail.
#[derive(Clone, Debug)]
pub struct JailSpec {
    /// The system calls.
    pub policy: Policy,
    /// What happens at one that the policy does not allow.
    pub denials: Denials,
    /// The pieces that the user goes without.
    pub without: Pieces,
    /// Resource limits.
    pub limits: Limits,
    /// Descriptors above 2 that stay open; any other that is open is an error. `None`: not checked.
    pub keep: Option<Vec<RawFd>>,
}

impl JailSpec {
    /// The whole jail, with no descriptor but 0, 1 and 2.
    pub fn new(policy: Policy) -> JailSpec {
        JailSpec {
            policy,
            denials: Denials::Kill,
            without: Pieces::NONE,
            limits: Limits::default(),
            keep: Some(Vec::new()),
        }
    }
}

/// A jail that was entered.
#[derive(Debug)]
pub struct Entered {
    /// With [`Denials::Report`]: where the kernel asks about denied calls. Until somebody listens, such a call waits.
    pub listener: Option<OwnedFd>,
}

/// Enters the jail without the help of a main process. The piece `pid` must be among those gone without: only a new process can be in
/// a new process id namespace, so that one takes [`crate::Launch`].
///
/// On an error the process is half jailed and good for nothing but its end.
pub fn enter(spec: &JailSpec) -> Result<Entered, JailError> {
    if !spec.without.contains(Piece::Pid) {
        return Err(JailError::PidNeedsLaunch);
    }
    namespaces::alone()?;
    if !spec.without.contains(Piece::User) {
        namespaces::enter_user()?;
    }
    enter_rest(spec)
}

/// All pieces after the user and process id namespaces.
pub(crate) fn enter_rest(spec: &JailSpec) -> Result<Entered, JailError> {
    let wanted = |piece| !spec.without.contains(piece);
    namespaces::alone()?;
    if let Some(keep) = &spec.keep {
        keep::check(keep)?;
    }
    namespaces::enter_rest(spec.without)?;
    if wanted(Piece::Mount) {
        let private = step(Piece::Mount, "making its mounts private", root::keep_mounts_private())?;
        // Without a mount namespace this would be the host's root.
        if wanted(Piece::Root) {
            step(Piece::Root, "mounting an empty root", root::replace(private))?;
        }
    }
    if wanted(Piece::Limits) {
        step(Piece::Limits, "setting resource limits", limits::apply(&spec.limits))?;
    }
    if wanted(Piece::Capabilities) {
        let dropped = caps::drop_all(wanted(Piece::NoNewPrivileges));
        step(Piece::Capabilities, "dropping all capabilities", dropped)?;
    }
    if wanted(Piece::NoNewPrivileges) {
        step(Piece::NoNewPrivileges, "prctl(PR_SET_NO_NEW_PRIVS)", set_no_new_privs(true))?;
    }
    // Only now: a change of credentials resets it.
    let dies = set_parent_process_death_signal(Some(Signal::KILL));
    step(Piece::Limits, "asking to end with the main process", dies)?;
    if wanted(Piece::Landlock) {
        step(Piece::Landlock, "restricting itself by Landlock", paths::deny_all())
            .map_err(|e| sealed(e, spec))?;
    }
    if !wanted(Piece::Seccomp) {
        return Ok(Entered { listener: None });
    }
    let listener = seccomp::install(spec.policy, spec.denials);
    let listener = step(Piece::Seccomp, "installing the system call filter", listener);
    Ok(Entered { listener: listener.map_err(|e| sealed(e, spec))? })
}

fn step<T, E: Into<io::Error>>(
    piece: Piece,
    doing: &'static str,
    result: Result<T, E>,
) -> Result<T, JailError> {
    result.map_err(|e| {
        let source: io::Error = e.into();
        let why = match (piece, source.raw_os_error()) {
            (Piece::Landlock, _) => {
                "; the kernel needs CONFIG_SECURITY_LANDLOCK and `landlock` in its list of security modules (lsm=)"
            }
            (Piece::Seccomp, Some(libc::ENOSYS | libc::EINVAL)) => "; the kernel needs CONFIG_SECCOMP_FILTER",
            (_, Some(libc::ENOSYS)) => "; this kernel was built without it",
            _ => "",
        };
        JailError::Piece { piece, doing, source, why }
    })
}

/// Without no_new_privs and without capabilities the kernel lets nobody restrict himself.
fn sealed(error: JailError, spec: &JailSpec) -> JailError {
    match error {
        JailError::Piece { piece, doing, source, .. } if spec.without.contains(Piece::NoNewPrivileges) => {
            JailError::Piece { piece, doing, source, why: "; it needs the piece `no-new-privileges`" }
        }
        other => other,
    }
}
