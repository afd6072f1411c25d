//! The policies as compiled from `seccomp/`, and how one is put on.

use std::io;
use std::os::fd::OwnedFd;

use crate::raw;

include!(concat!(env!("OUT_DIR"), "/policies.rs"));

/// A policy: the system calls of one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// An emulated device that is not behind the virtual IOMMU.
    Device,
    /// An assigned device.
    Vfio,
    /// The island: the virtual IOMMU and the emulated devices behind it.
    Viommu,
}

/// What happens at a call that the policy does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denials {
    /// The process is killed by SIGSYS.
    #[default]
    Kill,
    /// The main process is told its name, and the call is carried out. For writing policies; it protects from nothing.
    Report,
}

/// One system call of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its number on this architecture.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// What the filter does with it.
    pub verdict: Verdict,
}

/// What the filter does with a listed call.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// Lets it through.
    Always,
    /// Lets it through when all conditions of one of these hold; else it is denied.
    AnyOf(&'static [&'static [Condition]]),
    /// Answers with this error number and does not carry it out.
    Answer(u16),
}

/// A condition on one argument.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// 0 to 5.
    pub arg: u8,
    /// All 64 bits are compared, else the low 32.
    pub wide: bool,
    /// The comparison.
    pub test: Test,
}

/// A comparison with a constant.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    /// Equal.
    Equal(u64),
    /// Not equal.
    NotEqual(u64),
    /// Unsigned, not more than.
    AtMost(u64),
    /// Has no bit that the constant does not have.
    Within(u64),
}

struct Compiled {
    kill: &'static [u8],
    report: &'static [u8],
    rules: &'static [Rule],
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 3] = [Policy::Device, Policy::Vfio, Policy::Viommu];

    /// The name of its file in `seccomp/ARCHITECTURE/`, without the ending.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Device => "device",
            Policy::Vfio => "vfio",
            Policy::Viommu => "viommu",
        }
    }

    /// Every listed call, by number. What is not listed is denied.
    pub fn rules(self) -> &'static [Rule] {
        self.compiled().rules
    }

    fn compiled(self) -> &'static Compiled {
        match self {
            Policy::Device => &DEVICE,
            Policy::Vfio => &VFIO,
            Policy::Viommu => &VIOMMU,
        }
    }
}

/// Puts the policy on. no_new_privs must be set, or the process be privileged. The answer is the listener for reports.
pub(crate) fn install(policy: Policy, denials: Denials) -> io::Result<Option<OwnedFd>> {
    let compiled = policy.compiled();
    match denials {
        Denials::Kill => raw::install_filter(compiled.kill, false),
        Denials::Report => raw::install_filter(compiled.report, true),
    }
}

#[cfg(test)]
mod tests;
