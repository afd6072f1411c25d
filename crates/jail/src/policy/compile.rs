//! From a parsed policy to BPF programs, in the kernel's byte layout.
//!
//! One program for each policy: the kernel runs all that a process has, at each call whose arguments count, and the ioctl of a MAP is
//! one. Calls that are answered with an error come first, for which seccompiler, which knows two results for a filter, has no word.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use super::{Condition, Policy, Test, Verdict};

/// `BPF_RET | BPF_K`: ends the filter with the result in `k`.
const RETURN: u16 = 0x06;
/// `BPF_JMP | BPF_JEQ | BPF_K`: compares what was loaded with `k`.
const JUMP_IF_EQUAL: u16 = 0x15;
/// Instructions before a call's number is first compared: three about the architecture, and one that loads the number.
const HEAD: usize = 4;
const SECCOMP_RET_ERRNO: u32 = 0x0005_0000;
const SECCOMP_RET_TRAP: u32 = 0x0003_0000;
const SECCOMP_RET_USER_NOTIF: u32 = 0x7fc0_0000;

/// The programs of one policy, as bytes of `struct sock_filter`.
pub struct Filters {
    /// Kills the process at a call that is not allowed.
    pub kill: Vec<u8>,
    /// Asks a listener about such a call.
    pub report: Vec<u8>,
}

/// Compiles for an architecture by its name in Rust; the error in words.
pub fn compile(policy: &Policy, arch: &str) -> Result<Filters, String> {
    let target = TargetArch::try_from(arch).map_err(|e| e.to_string())?;
    let allowed = rules(policy)?;
    let mut kill = program(allowed.clone(), SeccompAction::KillProcess, target)?;
    // The compiler has no word for asking a listener: it compiles for a trap, and the result is exchanged.
    let mut report = program(allowed, SeccompAction::Trap, target)?;
    for instruction in report.iter_mut().filter(|i| i.code == RETURN && i.k == SECCOMP_RET_TRAP) {
        instruction.k = SECCOMP_RET_USER_NOTIF;
    }
    for program in [&mut kill, &mut report] {
        program.splice(HEAD..HEAD, answers(policy));
    }
    Ok(Filters { kill: bytes(&kill), report: bytes(&report) })
}

/// What ends the filter with an error for each call that is answered with one.
fn answers(policy: &Policy) -> impl Iterator<Item = sock_filter> {
    let answers = policy.iter().filter_map(|(number, call)| Some((*number, answer(&call.verdict)?)));
    answers.flat_map(|(number, error)| {
        let unless = sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: number };
        [unless, sock_filter { code: RETURN, jt: 0, jf: 0, k: SECCOMP_RET_ERRNO | u32::from(error) }]
    })
}

fn answer(verdict: &Verdict) -> Option<u16> {
    match verdict {
        Verdict::Answer(error) => Some(*error),
        Verdict::Always | Verdict::AnyOf(_) => None,
    }
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    mismatch: SeccompAction,
    target: TargetArch,
) -> Result<BpfProgram, String> {
    let filter =
        SeccompFilter::new(rules, mismatch, SeccompAction::Allow, target).map_err(|e| e.to_string())?;
    filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())
}

/// What is let through.
fn rules(policy: &Policy) -> Result<BTreeMap<i64, Vec<SeccompRule>>, String> {
    let mut out = BTreeMap::new();
    for (number, call) in policy {
        let alternatives: &[Vec<Condition>] = match &call.verdict {
            Verdict::AnyOf(alternatives) => alternatives,
            Verdict::Always => &[],
            Verdict::Answer(_) => continue,
        };
        let chain = alternatives.iter().map(|all| rule(all)).collect::<Result<Vec<_>, _>>();
        out.insert(i64::from(*number), chain.map_err(|e| format!("{}: {e}", call.name))?);
    }
    Ok(out)
}

fn rule(all: &[Condition]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(all.iter().map(condition).collect::<Result<_, _>>()?)
}

fn condition(condition: &Condition) -> Result<SeccompCondition, seccompiler::BackendError> {
    let length = if condition.wide { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
    let (operator, value) = match condition.test {
        Test::Equal(value) => (SeccompCmpOp::Eq, value),
        Test::NotEqual(value) => (SeccompCmpOp::Ne, value),
        Test::AtMost(value) => (SeccompCmpOp::Le, value),
        Test::Within(bits) => (SeccompCmpOp::MaskedEq(!bits), 0),
    };
    SeccompCondition::new(condition.arg, length, operator, value)
}

/// The layout of `struct sock_filter`; both targets are little-endian.
fn bytes(program: &BpfProgram) -> Vec<u8> {
    let instruction = |i: &sock_filter| {
        let [c0, c1] = i.code.to_le_bytes();
        let [k0, k1, k2, k3] = i.k.to_le_bytes();
        [c0, c1, i.jt, i.jf, k0, k1, k2, k3]
    };
    program.iter().flat_map(instruction).collect()
}
