//! From a parsed policy to BPF programs, in the kernel's byte layout.
//!
//! A call that is answered with an error passes the main filter and meets a filter of its own: among several filters the kernel takes
//! the strictest result, and an error is stricter than a pass.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::{Condition, Policy, Test, Verdict};

/// `BPF_RET | BPF_K`: ends the filter with the result in `k`.
const RETURN: u16 = 0x06;
const SECCOMP_RET_TRAP: u32 = 0x0003_0000;
const SECCOMP_RET_USER_NOTIF: u32 = 0x7fc0_0000;

/// The programs of one policy, as bytes of `struct sock_filter`.
pub struct Filters {
    /// Kills the process at a call that is not allowed.
    pub kill: Vec<u8>,
    /// Asks a listener about such a call.
    pub report: Vec<u8>,
    /// One for each error number that the policy answers with; they go in first.
    pub answers: Vec<Vec<u8>>,
}

/// Compiles for an architecture by its name in Rust; the error in words.
pub fn compile(policy: &Policy, arch: &str) -> Result<Filters, String> {
    let target = TargetArch::try_from(arch).map_err(|e| e.to_string())?;
    let allowed = rules(policy, |_| true)?;
    let kill = program(allowed.clone(), SeccompAction::KillProcess, SeccompAction::Allow, target)?;
    // The compiler has no word for asking a listener: it compiles for a trap, and the result is exchanged.
    let mut report = program(allowed, SeccompAction::Trap, SeccompAction::Allow, target)?;
    for instruction in report.iter_mut().filter(|i| i.code == RETURN && i.k == SECCOMP_RET_TRAP) {
        instruction.k = SECCOMP_RET_USER_NOTIF;
    }
    let errors: BTreeSet<u16> = policy.values().filter_map(|call| answer(&call.verdict)).collect();
    let answers = errors.into_iter().map(|error| {
        let answered = rules(policy, |verdict| answer(verdict) == Some(error))?;
        let action = SeccompAction::Errno(error.into());
        Ok(bytes(&program(answered, SeccompAction::Allow, action, target)?))
    });
    Ok(Filters {
        kill: bytes(&kill),
        report: bytes(&report),
        answers: answers.collect::<Result<_, String>>()?,
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
    matched: SeccompAction,
    target: TargetArch,
) -> Result<BpfProgram, String> {
    let filter = SeccompFilter::new(rules, mismatch, matched, target).map_err(|e| e.to_string())?;
    filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())
}

fn rules(
    policy: &Policy,
    which: impl Fn(&Verdict) -> bool,
) -> Result<BTreeMap<i64, Vec<SeccompRule>>, String> {
    let mut out = BTreeMap::new();
    for (number, call) in policy.iter().filter(|(_, call)| which(&call.verdict)) {
        let alternatives: &[Vec<Condition>] = match &call.verdict {
            Verdict::AnyOf(alternatives) => alternatives,
            Verdict::Always | Verdict::Answer(_) => &[],
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
    let instruction = |i: &seccompiler::sock_filter| {
        let [c0, c1] = i.code.to_le_bytes();
        let [k0, k1, k2, k3] = i.k.to_le_bytes();
        [c0, c1, i.jt, i.jf, k0, k1, k2, k3]
    };
    program.iter().flat_map(instruction).collect()
}
