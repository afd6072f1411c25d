//! The policies as they are shipped, for both architectures: what no role may ever have is in none of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::{Policy, Sources, Verdict, compile, parse};

const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];
const POLICIES: [&str; 3] = ["device", "vfio", "viommu"];

/// Calls that open, make processes, or reach another process: the walls that the design promises. A policy may answer one with an
/// error; it is not carried out then.
const NEVER: &[&str] = &[
    "open",
    "openat",
    "openat2",
    "creat",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "accept4",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "mount",
    "unshare",
    "setns",
    "bpf",
    "userfaultfd",
    "io_uring_setup",
    "process_vm_writev",
    "pidfd_getfd",
    "kill",
    "keyctl",
    "perf_event_open",
    "memfd_create",
    "seccomp",
    "landlock_create_ruleset",
    "chroot",
    "pivot_root",
    "setuid",
    "capset",
    "name_to_handle_at",
    "open_by_handle_at",
    "init_module",
    "kexec_load",
    "dup2",
    "dup3",
];

fn shipped(arch: &str, name: &str) -> Policy {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join(format!("src/syscalls/{arch}.txt"))).unwrap();
    let numbers: HashMap<&str, u32> = table
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(number, name)| (name, number.parse().unwrap()))
        .collect();
    let sources = Sources {
        read: &|path: &Path| fs::read_to_string(root.join("../..").join(path)).map_err(|e| e.to_string()),
        number: &|name| numbers.get(name).copied(),
    };
    parse(Path::new(&format!("seccomp/{arch}/{name}.policy")), &sources).unwrap_or_else(|e| panic!("{e}"))
}

fn all() -> impl Iterator<Item = (&'static str, &'static str, Policy)> {
    ARCHITECTURES
        .into_iter()
        .flat_map(|arch| POLICIES.into_iter().map(move |name| (arch, name, shipped(arch, name))))
}

#[test]
fn nothing_opens_or_reaches_out() {
    for (arch, name, policy) in all() {
        for call in policy.values() {
            let carried_out = !matches!(call.verdict, Verdict::Answer(_));
            let never = NEVER.contains(&call.name.as_str()) && carried_out;
            assert!(!never, "{arch}/{name}: {} at {:?}", call.name, call.place);
        }
        // Allowed for some arguments only, in every role.
        for some in ["mmap", "mprotect", "clone", "prctl", "fcntl", "futex", "tgkill", "tkill", "sendto"] {
            let call = policy
                .values()
                .find(|call| call.name == some)
                .unwrap_or_else(|| panic!("{arch}/{name}: {some}"));
            assert!(matches!(call.verdict, Verdict::AnyOf(_)), "{arch}/{name}: {some}");
        }
    }
}

#[test]
fn only_the_island_maps_and_only_the_assigned_device_touches_a_device() {
    let expected: [(&str, &[u64]); 3] = [
        ("device", &[0x4004_54d9]),
        ("vfio", &[0x3b6b, 0x3b6c, 0x3b6d, 0x3b75, 0x3b6e, 0x3b6f]),
        (
            "viommu",
            &[0x4004_54d9, 0x3b71, 0x3b72, 0x3b70, 0x3b81, 0x3b80, 0x3b83, 0x3b84, 0x3b85, 0x3b8f, 0x3b86],
        ),
    ];
    for arch in ARCHITECTURES {
        for (name, requests) in expected {
            let policy = shipped(arch, name);
            let ioctl = policy.values().find(|call| call.name == "ioctl").map(|call| call.verdict.clone());
            let want = |request: &u64| {
                vec![super::Condition { arg: 1, wide: false, test: super::Test::Equal(*request) }]
            };
            let want = (!requests.is_empty()).then(|| Verdict::AnyOf(requests.iter().map(want).collect()));
            assert_eq!(ioctl, want, "{arch}/{name}");
        }
    }
}

#[test]
fn each_filter_begins_with_its_architecture_and_fits_the_kernel() {
    for (arch, name, policy) in all() {
        let filters = compile(&policy, arch).unwrap_or_else(|e| panic!("{arch}/{name}: {e}"));
        let answer = |name: &str, error: i32| {
            let (number, _) = policy.iter().find(|(_, call)| call.name == name).expect("each policy has it");
            (*number, error as u32)
        };
        let mut answers = vec![answer("clone3", libc::ENOSYS), answer("openat", libc::EPERM)];
        answers.sort_unstable();
        let audit: u32 = if arch == "x86_64" { 0xc000_003e } else { 0xc000_00b7 };
        for program in [&filters.kill, &filters.report] {
            assert!(program.len() % 8 == 0 && program.len() / 8 <= 4096, "{arch}/{name}");
            // The second instruction compares the architecture.
            assert_eq!(program[12..16], audit.to_le_bytes(), "{arch}/{name}");
            assert_eq!(answered(program), answers, "{arch}/{name}");
        }
        let ends_with = |program: &[u8], result: u32| {
            program.as_chunks::<8>().0.iter().filter(|i| i[0] == 6 && i[4..] == result.to_le_bytes()).count()
        };
        let notify = 0x7fc0_0000;
        assert!(
            ends_with(&filters.report, notify) > 0 && ends_with(&filters.kill, notify) == 0,
            "{arch}/{name}"
        );
    }
}

/// Calls and errors of the comparisons that follow the loading of the number, each before a return of an error.
fn answered(program: &[u8]) -> Vec<(u32, u32)> {
    let (instructions, _) = program.as_chunks::<8>();
    let value = |i: &[u8; 8]| u32::from_le_bytes([i[4], i[5], i[6], i[7]]);
    assert_eq!(instructions[3][..4], [0x20, 0, 0, 0], "the number is loaded");
    assert_eq!(value(&instructions[3]), 0, "the number is what is loaded");
    let pairs = instructions[4..].as_chunks::<2>().0.iter();
    let pairs = pairs.take_while(|[_, end]| end[0] == 6 && value(end) >> 16 == 5);
    pairs
        .map(|[compare, end]| {
            assert_eq!(compare[..4], [0x15, 0, 0, 1], "equal: the next one, or else the one after it");
            (value(compare), value(end) & 0xffff)
        })
        .collect()
}

#[test]
fn both_architectures_allow_the_same_but_for_what_one_lacks() {
    for name in POLICIES {
        let [x86, arm] = ARCHITECTURES.map(|arch| {
            let policy = shipped(arch, name);
            policy
                .into_values()
                .map(|call| (call.name, format!("{:?}", call.verdict)))
                .collect::<HashMap<_, _>>()
        });
        let only: Vec<&String> = x86.keys().filter(|call| !arm.contains_key(*call)).collect();
        assert!(
            only.iter().all(|call| ["poll", "epoll_wait", "pause"].contains(&call.as_str())),
            "{name}: {only:?}"
        );
        for (call, verdict) in &arm {
            assert_eq!(x86.get(call), Some(verdict), "{name}: {call}");
        }
    }
}
