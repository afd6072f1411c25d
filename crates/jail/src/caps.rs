//! Takes every capability from the process, and the ways to get one back.

use rustix::io::{Errno, Result};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_capabilities_secure_bits,
};

/// Empties the bounding, ambient, effective, permitted and inheritable sets.
///
/// `sealed` says that no_new_privs follows: then a bounding set that an unprivileged process may not change leads nowhere and is left.
pub(crate) fn drop_all(sealed: bool) -> Result<()> {
    let tolerate = |result: Result<()>| match result {
        Err(Errno::PERM) if sealed => Ok(()),
        other => other,
    };
    tolerate(empty_bounding_set())?;
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    tolerate(set_capabilities_secure_bits(bits))?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

fn empty_bounding_set() -> Result<()> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability)?,
            Ok(false) => {}
            // One past the last that this kernel knows.
            Err(Errno::INVAL) => break,
            Err(other) => return Err(other),
        }
    }
    Ok(())
}
