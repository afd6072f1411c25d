//! Each escape of the list, tried three ways: with no jail (it must succeed, or nothing is shown), with all but seccomp, and jailed.

use jail::{Ending, Pieces, Policy};

use crate::escape_list::{ESCAPES, Escape};
use crate::kit::{self, Decoy, EXECUTED, Notes};

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Through,
    Refused(String),
    Killed,
}

fn attempt(escape: &Escape, policy: Policy, without: Pieces) -> Outcome {
    let decoy = Decoy::new();
    let secret = Box::new([0x5au8; 64]);
    let (target, address) = (decoy.pid().to_string(), (&raw const secret[0] as usize).to_string());
    let main = std::process::id().to_string();
    let words = ["escape", escape.name, &target, &main, &address];
    let mut worker = kit::jailed(kit::launch(policy, &words).without(without).descriptor(decoy.pidfd()));
    let said = kit::hear(&worker);
    let ending = worker.wait().expect("it ends");
    match (said.as_deref(), ending) {
        (Some("through"), _) | (None, Ending::Exited(EXECUTED)) => Outcome::Through,
        (Some(errno), _) => Outcome::Refused(errno.into()),
        (None, Ending::Killed(libc::SIGSYS)) => Outcome::Killed,
        (None, other) => panic!("{}: {other}", escape.name),
    }
}

pub fn no_escape_succeeds(notes: &mut Notes) {
    let (mut shown, mut second_wall) = (0, Vec::new());
    for escape in ESCAPES {
        let open = attempt(escape, Policy::Viommu, Pieces::all());
        if open != Outcome::Through {
            notes.unchecked(format!("escape {}: fails without a jail too ({open:?})", escape.name));
        } else {
            shown += 1;
        }
        let policies = Policy::ALL.into_iter().filter(|policy| !escape.allowed_in.contains(policy));
        for policy in policies {
            let jailed = attempt(escape, policy, Pieces::NONE);
            assert_ne!(jailed, Outcome::Through, "{} from inside {}", escape.name, policy.name());
        }
        if attempt(escape, Policy::Viommu, Pieces::NONE.with(jail::Piece::Seccomp)) != Outcome::Through {
            second_wall.push(escape.name);
        }
    }
    println!(
        "    {} escapes, {shown} of them shown to work without a jail; none succeeds in any of the jails",
        ESCAPES.len()
    );
    println!("    stopped without seccomp too: {} ({})", second_wall.len(), second_wall.join(" "));
    assert!(shown >= 30 && shown + 20 > ESCAPES.len(), "too few escapes can be shown to work here");
    // What namespaces, capabilities and Landlock are for.
    for name in
        ["open /proc", "open /etc/passwd", "mount", "kill", "setns", "process_vm_readv", "signal by pidfd"]
    {
        assert!(second_wall.contains(&name), "{name} has seccomp as its only wall");
    }
}

/// Each wall by itself, with what it must stop: one that does nothing is found out, whatever the others stop.
pub fn each_wall_stands_alone(notes: &mut Notes) {
    use jail::Piece::{Capabilities, Landlock, Mount, NoNewPrivileges, Pid, Root, Seccomp, User};
    if !kit::is_root() {
        return notes
            .unchecked("each wall alone: an unprivileged user gets most of them together only".into());
    }
    let cases: &[(&[jail::Piece], &[&str])] = &[
        (&[User], &["sethostname", "setns", "mount"]),
        (&[Pid], &["kill", "pidfd_open", "process_vm_readv"]),
        (&[Pid], &["tgkill with the one signal allowed", "tkill with the one signal allowed"]),
        (&[Mount, Root], &["open /etc/passwd", "open /proc", "execve", "readlink"]),
        (&[Capabilities, NoNewPrivileges], &["setuid", "chroot", "sethostname", "mount"]),
        (&[Landlock, NoNewPrivileges], &["open /etc/passwd", "kill", "signal by pidfd", "ptrace the decoy"]),
        (&[Seccomp, NoNewPrivileges], &["memfd and exec", "io_uring_setup", "mmap executable", "fork"]),
    ];
    for (pieces, names) in cases {
        for escape in ESCAPES.iter().filter(|escape| names.contains(&escape.name)) {
            let outcome = attempt(escape, Policy::Viommu, kit::all_but(pieces));
            assert_ne!(outcome, Outcome::Through, "{} with nothing but {pieces:?}", escape.name);
        }
    }
}
