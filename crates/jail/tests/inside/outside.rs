//! A jailed worker looked at from outside, through `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd;

use jail::{Piece, Pieces, Policy};

use crate::kit::{self, Notes};

struct View {
    pid: i32,
    status: BTreeMap<String, String>,
}

impl View {
    fn of(pid: i32) -> View {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it is alive");
        let line =
            |line: &str| line.split_once(':').map(|(key, value)| (key.to_string(), value.trim().to_string()));
        View { pid, status: text.lines().filter_map(line).collect() }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap_or_else(|e| format!("{file}: {e}"))
    }

    fn limit(&self, name: &str) -> String {
        let limits = self.read("limits");
        let line = limits.lines().find(|line| line.starts_with(name)).expect("a known limit");
        line[name.len()..].split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// What shows that a piece is in place; `None` where nothing outside does.
    fn has(&self, piece: Piece) -> Option<bool> {
        let namespace = |name: &str| {
            let link =
                |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{name}")).expect("namespaces are listed");
            Some(link(&self.pid.to_string()) != link("self"))
        };
        match piece {
            Piece::User => namespace("user"),
            Piece::Pid => Some(namespace("pid")? && self.status["NSpid"].ends_with("\t1")),
            Piece::Mount => namespace("mnt"),
            Piece::Net => namespace("net"),
            Piece::Ipc => namespace("ipc"),
            Piece::Uts => namespace("uts"),
            Piece::Root => {
                let list = fs::read_dir(format!("/proc/{}/root", self.pid)).expect("its root can be listed");
                let mounts = self.read("mountinfo");
                let only: Vec<&str> = mounts.lines().collect();
                Some(
                    list.count() == 0
                        && matches!(only[..], [line] if line.contains(" / / ro,nosuid,nodev,noexec")),
                )
            }
            Piece::Limits => Some(
                self.limit("Max core file size") == "0 0"
                    && self.limit("Max open files") == "64 64"
                    && self.limit("Max locked memory") == "1048576 1048576",
            ),
            Piece::Capabilities => {
                let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
                let bounding_too =
                    sets.iter().filter(|set| kit::is_root() || **set != "CapBnd" || self.in_user_namespace());
                Some(bounding_too.into_iter().all(|set| self.status[*set].bytes().all(|digit| digit == b'0')))
            }
            Piece::NoNewPrivileges => Some(self.status["NoNewPrivs"] == "1"),
            Piece::Landlock => None,
            Piece::Seccomp => Some(self.status["Seccomp"] == "2"),
        }
    }

    fn in_user_namespace(&self) -> bool {
        self.has(Piece::User) == Some(true)
    }
}

pub fn every_piece_is_in_place(notes: &mut Notes) {
    // SAFETY: one thread.
    unsafe { std::env::set_var("SECRET", "of the main process") };
    // SAFETY: one thread.
    unsafe { std::env::set_var("RUST_LOG", "info") };
    for policy in Policy::ALL {
        let (_errors, theirs) = std::io::pipe().expect("a pipe");
        let pipe = fs::read_link(format!("/proc/self/fd/{}", theirs.as_raw_fd())).expect("a link");
        let worker = kit::jailed(kit::launch(policy, &["idle"]).standard_error(theirs.into()));
        assert_eq!(kit::hear(&worker).as_deref(), Some("idle"));
        let view = View::of(worker.pid());
        for piece in Piece::ALL {
            match view.has(piece) {
                Some(there) => assert!(there, "{policy:?}: {piece}\n{}", view.read("status")),
                None => println!("    {piece}: seen from inside only (no_escape_succeeds)"),
            }
        }
        assert_eq!(view.read("environ"), "RUST_LOG=info\0", "the environment is cleared");
        assert_eq!(view.status["Threads"], "1");
        check_descriptors(&view, &pipe.display().to_string());
        let (uid, map) = (rustix::process::getuid().as_raw(), view.read("uid_map"));
        let words: Vec<&str> = map.split_whitespace().collect();
        assert_eq!(words, ["0", &uid.to_string(), "1"]);
    }
    if !kit::is_root() {
        notes.unchecked("the jail as root: this run is not".into());
    }
}

/// The descriptors of a process by number: what each leads to, and for what it is open.
fn descriptors(view: &View) -> BTreeMap<i32, (String, &'static str)> {
    let list = fs::read_dir(format!("/proc/{}/fd", view.pid)).expect("its descriptors are listed");
    let describe = |entry: fs::DirEntry| {
        let fd = entry.file_name().into_string().expect("text").parse().expect("a number");
        let target = fs::read_link(entry.path()).expect("a link").display().to_string();
        let info = view.read(&format!("fdinfo/{fd}"));
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("its flags");
        let mode = i32::from_str_radix(flags.trim(), 8).expect("an octal number") & libc::O_ACCMODE;
        let mode = match mode {
            libc::O_RDONLY => "read",
            libc::O_WRONLY => "write",
            _ => "both",
        };
        (fd, (target, mode))
    };
    list.map(|entry| describe(entry.expect("an entry"))).collect()
}

/// Standard input and output lead nowhere, standard error to its pipe, and there is the channel: nothing of the user's terminal.
fn check_descriptors(view: &View, pipe: &str) {
    let mut open = descriptors(view);
    for (fd, target, mode) in [(0, "/dev/null", "read"), (1, "/dev/null", "write"), (2, pipe, "write")] {
        assert_eq!(open.remove(&fd), Some((target.to_owned(), mode)), "descriptor {fd}");
    }
    let rest: Vec<_> = open.into_values().collect();
    assert!(
        matches!(&rest[..], [(target, "both")] if target.starts_with("socket:")),
        "the channel and nothing else: {rest:?}"
    );
}

pub fn each_piece_can_be_gone_without(notes: &mut Notes) {
    for piece in Piece::ALL {
        let without = match piece {
            // Without root and without a user namespace there is nothing that the kernel would let it make.
            Piece::User if !kit::is_root() => {
                notes.unchecked("going without the user namespace as an unprivileged user".into());
                continue;
            }
            // Nobody may restrict himself without it: then those go too.
            Piece::NoNewPrivileges => {
                let reason =
                    kit::refused(kit::launch(Policy::Viommu, &["idle"]).without(Pieces::NONE.with(piece)));
                assert!(
                    reason.contains("piece `landlock`") && reason.contains("needs the piece"),
                    "{reason}"
                );
                Pieces::NONE.with(piece).with(Piece::Landlock).with(Piece::Seccomp)
            }
            piece => Pieces::NONE.with(piece),
        };
        let worker = kit::jailed(kit::launch(Policy::Viommu, &["idle"]).without(without));
        let view = View::of(worker.pid());
        for other in Piece::ALL.into_iter().filter(|other| *other != Piece::Landlock) {
            // Without a mount namespace the root must stay the host's.
            let gone = without.contains(other) || (piece == Piece::Mount && other == Piece::Root);
            assert_eq!(view.has(other), Some(!gone), "without {piece}: {other}");
        }
    }
    let worker = kit::jailed(kit::launch(Policy::Viommu, &["idle"]).without(Pieces::all()));
    let view = View::of(worker.pid());
    for piece in Piece::ALL.into_iter().filter(|p| !matches!(p, Piece::Landlock | Piece::Capabilities)) {
        assert_eq!(view.has(piece), Some(false), "without all: {piece}");
    }
}

pub fn an_unprivileged_user_gets_the_same_jail(notes: &mut Notes) {
    if !kit::is_root() {
        return notes.unchecked("changing to another user: this run is not root".into());
    }
    let output = kit::as_nobody(&[
        "every_piece_is_in_place",
        "each_piece_can_be_gone",
        "what_a_worker_needs",
        "no_escape",
    ]);
    let text = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{wrong}");
    assert_eq!(text.matches("... ok").count(), 4, "{text}");
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("NOT CHECKED: ")) {
        notes.unchecked(format!("unprivileged: {line}"));
    }
}
