//! Namespaces, and the identity maps of the user namespace.

use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::io::Errno;
use rustix::thread::UnshareFlags;

use crate::error::JailError;
use crate::piece::{Piece, Pieces};

const CHROOT: &str = "; this process runs in a chroot, where the kernel refuses user namespaces (start it in a mount namespace with \
                      its own root instead)";
const FORBIDDEN: &str = "; the host forbids user namespaces to this process (see /proc/sys/user/max_user_namespaces and the settings \
                         of AppArmor or SELinux; in a chroot they are forbidden too)";
const ABSENT: &str = "; this kernel was built without it";
const NEEDS_PRIVILEGE: &str = "; without a user namespace it needs CAP_SYS_ADMIN";

/// Moves the process into a user namespace in which it is user 0, which outside stays the user that it was.
///
/// Outside, that user owns what it opened before; inside, it may set up the rest of the jail.
pub(crate) fn enter_user() -> Result<(), JailError> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    unshare(UnshareFlags::NEWUSER).map_err(|errno| {
        let why = match errno {
            Errno::PERM if in_chroot() => CHROOT,
            Errno::PERM | Errno::NOSPC | Errno::USERS | Errno::ACCESS => FORBIDDEN,
            Errno::INVAL => ABSENT,
            _ => "",
        };
        JailError::Piece { piece: Piece::User, doing: "unshare(CLONE_NEWUSER)", source: errno.into(), why }
    })?;
    let write = |path: &'static str, text: String| {
        let source = fs::write(path, text);
        source.map_err(|source| JailError::Piece { piece: Piece::User, doing: path, source, why: "" })
    };
    // An unprivileged process may map its group only after it gave up changing its list of groups.
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The next process that this one starts is the first of a new process id namespace.
pub(crate) fn enter_pid(without: Pieces) -> Result<(), JailError> {
    one(Piece::Pid, UnshareFlags::NEWPID, "unshare(CLONE_NEWPID)", without)
}

/// Mount, network, IPC and host name, except those that are gone without.
pub(crate) fn enter_rest(without: Pieces) -> Result<(), JailError> {
    let all = [
        (Piece::Mount, UnshareFlags::NEWNS, "unshare(CLONE_NEWNS)"),
        (Piece::Net, UnshareFlags::NEWNET, "unshare(CLONE_NEWNET)"),
        (Piece::Ipc, UnshareFlags::NEWIPC, "unshare(CLONE_NEWIPC)"),
        (Piece::Uts, UnshareFlags::NEWUTS, "unshare(CLONE_NEWUTS)"),
    ];
    let mut wanted = all.into_iter().filter(|(piece, ..)| !without.contains(*piece));
    wanted.try_for_each(|(piece, flag, doing)| one(piece, flag, doing, without))
}

fn one(piece: Piece, flag: UnshareFlags, doing: &'static str, without: Pieces) -> Result<(), JailError> {
    unshare(flag).map_err(|errno| {
        let why = match errno {
            Errno::PERM if without.contains(Piece::User) => NEEDS_PRIVILEGE,
            Errno::INVAL => ABSENT,
            _ => "",
        };
        JailError::Piece { piece, doing, source: errno.into(), why }
    })
}

fn unshare(flag: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: none of the flags used here gives this thread a table of descriptors of its own, which is what safe code must not see.
    unsafe { rustix::thread::unshare_unsafe(flag) }
}

/// Whether this process's root is not the root of its mount namespace, as far as can be told: such a root is rarely a mount, so that none
/// is listed at `/`; and where it is one, it is another than the first process's.
fn in_chroot() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if !mounts.lines().any(|line| line.split(' ').nth(4) == Some("/")) {
        return true;
    }
    let namespace = |path: &str| fs::read_link(path).ok();
    let own = namespace("/proc/self/ns/mnt");
    if own.is_none() || own != namespace("/proc/1/ns/mnt") {
        return false;
    }
    let mount = |path: &str| {
        let mask = rustix::fs::StatxFlags::MNT_ID;
        rustix::fs::statx(rustix::fs::CWD, path, rustix::fs::AtFlags::empty(), mask)
            .ok()
            .map(|stat| stat.stx_mnt_id)
    };
    mount("/proc/1/root/").is_some_and(|first| mount("/") != Some(first))
}

/// For so long a thread that ends may still be seen.
const ENDING: Duration = Duration::from_secs(1);

/// Makes sure that this process has one thread. One that has ended, and was waited for, is listed until the kernel has taken it
/// apart, a moment later.
pub(crate) fn alone() -> Result<(), JailError> {
    let begun = Instant::now();
    loop {
        match threads()? {
            1 => return Ok(()),
            count if begun.elapsed() >= ENDING => return Err(JailError::Threads { count }),
            _ => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}

/// Threads of this process.
fn threads() -> Result<usize, JailError> {
    let look = |source: io::Error| JailError::Look { what: "/proc/self/task", source };
    Ok(fs::read_dir("/proc/self/task").map_err(look)?.count())
}
