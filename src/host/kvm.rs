//! What KVM of the host says when it is opened and asked as a run does it.

use std::fmt;

use hypervisor::{Kvm, OpenError};

/// KVM, as far as every machine depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvmFacts {
    /// It has all that machines need.
    Works {
        /// Width of guest-physical addresses in bits.
        address_bits: u32,
    },
    /// There is no such device.
    Absent,
    /// Permissions are missing.
    Denied,
    /// It is there and cannot be used: why, in words.
    Unusable(String),
}

impl KvmFacts {
    /// What came of opening it.
    pub fn of(opened: &Result<Kvm, OpenError>) -> KvmFacts {
        let bits = match opened {
            Ok(kvm) => kvm.phys_bits(),
            Err(OpenError::Absent { .. }) => return KvmFacts::Absent,
            Err(OpenError::Denied { .. }) => return KvmFacts::Denied,
            Err(error) => return KvmFacts::Unusable(error.to_string()),
        };
        match bits {
            Ok(bits) => KvmFacts::Works { address_bits: bits.into() },
            Err(error) => KvmFacts::Unusable(error.to_string()),
        }
    }

    /// Width of guest-physical addresses in bits; `None` where KVM could not be asked.
    pub fn address_bits(&self) -> Option<u32> {
        match self {
            KvmFacts::Works { address_bits } => Some(*address_bits),
            _ => None,
        }
    }
}

impl fmt::Display for KvmFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KvmFacts::Works { .. } => f.write_str("works"),
            KvmFacts::Absent => f.write_str("not there"),
            KvmFacts::Denied => f.write_str("not permitted to open it"),
            KvmFacts::Unusable(why) => f.write_str(why),
        }
    }
}
