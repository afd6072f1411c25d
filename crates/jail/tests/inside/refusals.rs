//! Where the jail cannot be had, the worker says so and stops.

use std::path::Path;
use std::process::{Command, Stdio};

use jail::{Ending, Piece, Pieces, Policy};

use crate::kit::{self, Notes};

pub fn a_stray_descriptor(_: &mut Notes) {
    let reason = kit::refused(kit::launch(Policy::Device, &["stray"]));
    assert!(reason.contains("/dev/zero") && reason.contains("list"), "{reason}");
}

pub fn too_many_descriptors(_: &mut Notes) {
    let count = jail::MAX_GIVEN as u64 + 1;
    let error = kit::with_files(kit::launch(Policy::Device, &["idle"]), count).spawn().expect_err("too many");
    let text = error.to_string();
    assert!(["probe", "769", "at most 768"].iter().all(|part| text.contains(part)), "{text}");
}

/// The main process may hold them because it had them before its limit was lowered; the worker may not.
pub fn more_than_its_limit(notes: &mut Notes) {
    if !kit::is_root() {
        return notes.unchecked("too low a limit of open files: it binds the sender too".into());
    }
    let ending = kit::in_fork(|| {
        let null = std::fs::File::open("/dev/null").expect("a null device");
        let launch = (0..200).fold(kit::launch(Policy::Device, &["idle"]), |launch, _| {
            launch.descriptor(rustix::io::fcntl_dupfd_cloexec(&null, 200).expect("a descriptor"))
        });
        use rustix::process::{Resource, getrlimit, setrlimit};
        let limit = rustix::process::Rlimit { current: Some(100), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).expect("a limit can be lowered");
        let reason = kit::refused(launch);
        assert!(reason.contains("ulimit -n"), "{reason}");
    });
    assert_eq!(ending, Ending::Exited(0));
}

pub fn a_second_thread(_: &mut Notes) {
    let reason = kit::refused(kit::launch(Policy::Device, &["thread"]));
    assert!(reason.contains("2 threads"), "{reason}");
}

/// The kernel lists a thread for a moment after whoever waited for it has gone on; here the moment is a long one.
pub fn a_thread_that_ends(_: &mut Notes) {
    let worker = kit::jailed(kit::launch(Policy::Device, &["ending"]));
    assert_eq!(kit::hear(&worker).as_deref(), Some("alone"));
}

/// The limit of user namespaces counts inside each of them too: one with the limit 0 behaves like a host that forbids them.
pub fn no_user_namespaces(_: &mut Notes) {
    let ending = kit::in_fork(|| {
        // Not `pid`, so that the forked process can go on in it.
        let spec = jail::JailSpec {
            without: kit::all_but(&[Piece::User]),
            keep: None,
            ..jail::JailSpec::new(Policy::Device)
        };
        jail::enter(&spec).expect("a user namespace");
        std::fs::write("/proc/sys/user/max_user_namespaces", "0").expect("the limit can be lowered inside");
        let reason = kit::refused(kit::launch(Policy::Device, &["idle"]));
        for part in ["piece `user`", "unshare(CLONE_NEWUSER)", "forbids", "--jail-without user"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        let without = Pieces::NONE.with(Piece::User);
        drop(kit::jailed(kit::launch(Policy::Device, &["idle"]).without(without)));
    });
    assert_eq!(ending, Ending::Exited(0));
}

pub fn a_chroot(notes: &mut Notes) {
    if !kit::is_root() {
        return notes.unchecked("a chroot: this run is not root".into());
    }
    let dir = tempfile::tempdir().expect("a directory");
    let ending = kit::in_fork(|| {
        let spec = jail::JailSpec {
            without: kit::all_but(&[Piece::Mount]),
            keep: None,
            ..jail::JailSpec::new(Policy::Device)
        };
        jail::enter(&spec).expect("a mount namespace");
        host_tree_in(dir.path());
        rustix::process::chroot(dir.path()).expect("a chroot");
        rustix::process::chdir("/").expect("its root");
        let reason = kit::refused(kit::launch(Policy::Device, &["idle"]));
        for part in ["piece `user`", "runs in a chroot", "--jail-without user"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        drop(kit::jailed(kit::launch(Policy::Device, &["idle"]).without(Pieces::NONE.with(Piece::User))));
    });
    assert_eq!(ending, Ending::Exited(0));
}

pub fn typed_by_hand(_: &mut Notes) {
    for words in [
        &["--jail-worker"][..],
        &["--jail-worker", "inner", "x", "", "kill"],
        &["--jail-worker", "outer", "x", "nonsense", "kill"],
    ] {
        let mut command = Command::new("/proc/self/exe");
        let ended =
            command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
        assert_eq!(ended.code(), Some(3), "{words:?}");
    }
}

/// The host's top directories, in a directory that is no mount itself.
fn host_tree_in(dir: &Path) {
    for entry in std::fs::read_dir("/").expect("the root is listed") {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))).expect("an entry");
        let place = dir.join(path.strip_prefix("/").expect("an absolute path"));
        if kind.is_symlink() {
            let target = std::fs::read_link(&path).expect("a link");
            std::os::unix::fs::symlink(target, place).expect("the same link");
        } else if kind.is_dir() {
            std::fs::create_dir(&place).expect("a directory");
            rustix::mount::mount_bind_recursive(&path, &place).expect("the same directory");
        }
    }
}
