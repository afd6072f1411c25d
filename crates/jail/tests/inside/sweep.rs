//! Every system call number, and every argument rule, tried against the kernel: the filter does exactly what the policy's text says.

use jail::{Condition, Denials, Ending, JailSpec, Piece, Policy, Test, Verdict, syscall_name};

use crate::kit::{self, Notes};

/// One past the last number of the table, and some more that no kernel has yet.
const NUMBERS: u32 = 480;

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Denied,
    Answered,
    Carried,
    /// The time was over, before the call or in it.
    Slept,
}

/// For the calls that wait; and for a host that is slow on the way to the call.
const SHORT: i64 = 300_000;
const LONG: i64 = 20;

/// Makes the call in a process that has nothing but the filter. Most bits of the arguments are set, so that no call does anything.
fn attempt(policy: Policy, number: u32, args: [u64; 6], answer: i32, time: libc::timeval) -> Outcome {
    const ANSWERED: i32 = 40;
    // SAFETY: this process has one thread; the copy makes one call and ends, whatever the call did to its memory.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let without = kit::all_but(&[Piece::NoNewPrivileges, Piece::Seccomp]);
        let spec = JailSpec { denials: Denials::Kill, without, keep: None, ..JailSpec::new(policy) };
        // SAFETY: as above.
        unsafe {
            let soon =
                libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: time };
            libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, &raw const soon, 0usize);
            if jail::enter(&spec).is_err() {
                libc::_exit(99);
            }
            let [a, b, c, d, e, f] = args;
            let result = libc::syscall(i64::from(number), a, b, c, d, e, f);
            let answered = result == -1 && std::io::Error::last_os_error().raw_os_error() == Some(answer);
            libc::_exit(if answered { ANSWERED } else { 0 });
        }
    }
    match kit::wait(pid) {
        Ending::Killed(libc::SIGSYS) => Outcome::Denied,
        Ending::Killed(libc::SIGALRM) => Outcome::Slept,
        Ending::Exited(ANSWERED) => Outcome::Answered,
        Ending::Exited(99) => panic!("the filter cannot be put on"),
        _ => Outcome::Carried,
    }
}

/// What the policy's text says about a call.
fn says(policy: Policy, number: u32, args: [u64; 6]) -> (Outcome, i32) {
    match policy.rules().iter().find(|rule| rule.number == number).map(|rule| rule.verdict) {
        None => (Outcome::Denied, 0),
        Some(Verdict::Always) => (Outcome::Carried, 0),
        Some(Verdict::Answer(error)) => (Outcome::Answered, error.into()),
        Some(Verdict::AnyOf(alternatives)) => {
            let hold = alternatives.iter().any(|all| all.iter().all(|condition| holds(condition, args)));
            (if hold { Outcome::Carried } else { Outcome::Denied }, 0)
        }
    }
}

fn holds(condition: &Condition, args: [u64; 6]) -> bool {
    let cut = if condition.wide { u64::MAX } else { u64::from(u32::MAX) };
    let arg = args[usize::from(condition.arg)] & cut;
    match condition.test {
        Test::Equal(value) => arg == value & cut,
        Test::NotEqual(value) => arg != value & cut,
        Test::AtMost(value) => arg <= value & cut,
        Test::Within(bits) => arg & !bits == 0,
    }
}

fn check(policy: Policy, number: u32, args: [u64; 6]) -> Outcome {
    let (want, error) = says(policy, number, args);
    let name = syscall_name(number.into()).unwrap_or("?");
    let short = libc::timeval { tv_sec: 0, tv_usec: SHORT };
    let got = match attempt(policy, number, args, error, short) {
        // No other listed call waits with such arguments.
        Outcome::Slept if name == "pause" => Outcome::Carried,
        Outcome::Slept => attempt(policy, number, args, error, libc::timeval { tv_sec: LONG, tv_usec: 0 }),
        other => other,
    };
    // The kernel asks no filter about these two: they are its own way back from a probe, and from anywhere else they only fail.
    if ["uretprobe", "uprobe"].contains(&name) {
        return Outcome::Denied;
    }
    assert_eq!(got, want, "{}: {name} ({number}) with {args:x?}", policy.name());
    got
}

pub fn every_system_call(_: &mut Notes) {
    for policy in Policy::ALL {
        let (mut denied, mut passed) = (0, 0);
        for number in 0..NUMBERS {
            match check(policy, number, [u64::MAX; 6]) {
                Outcome::Denied => denied += 1,
                Outcome::Answered | Outcome::Carried | Outcome::Slept => passed += 1,
            }
        }
        println!("    {}: {} listed; {denied} denied, {passed} passed", policy.name(), policy.rules().len());
        assert!(denied > 350 && passed > 30, "the sweep does not distinguish");
    }
}

pub fn every_argument_rule(_: &mut Notes) {
    for policy in Policy::ALL {
        let (mut carried, mut denied) = (0, 0);
        for rule in policy.rules() {
            let Verdict::AnyOf(alternatives) = rule.verdict else { continue };
            for all in alternatives {
                let args = satisfying(all);
                assert_eq!(check(policy, rule.number, args), Outcome::Carried, "{}", rule.name);
                carried += 1;
                // Bits of both halves: an int is compared in its low half only, a long in both.
                for (condition, bit) in
                    all.iter().flat_map(|condition| [0, 2, 13, 31, 40].map(|bit| (condition, bit)))
                {
                    let mut wrong = args;
                    wrong[usize::from(condition.arg)] ^= 1 << bit;
                    if check(policy, rule.number, wrong) == Outcome::Denied {
                        denied += 1;
                    }
                }
            }
        }
        println!("    {}: {carried} alternatives carried out, {denied} changed ones denied", policy.name());
        assert!(denied > carried, "changed arguments get through");
    }
}

/// Arguments for which all conditions hold; the others have all bits set.
fn satisfying(all: &[Condition]) -> [u64; 6] {
    let mut args = [u64::MAX; 6];
    for condition in all {
        args[usize::from(condition.arg)] = match condition.test {
            Test::Equal(value) | Test::AtMost(value) | Test::Within(value) => value,
            Test::NotEqual(value) => !value,
        };
    }
    args
}
