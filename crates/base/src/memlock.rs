//! The limit on locked memory (RLIMIT_MEMLOCK), which VFIO charges every page it pins against.
//!
//! The kernel charges the process that maps, by that process's own limit, unless it holds CAP_IPC_LOCK at that moment. Both this
//! and the capability that raises a hard limit (CAP_SYS_RESOURCE) must be held over the host: inside a user namespace
//! neither counts.

use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use thiserror::Error;

/// Number of the user namespace that every other one is inside of; the kernel never gives it another.
const HOSTS_OWN: u64 = 0xefff_fffd;

/// A memory-lock limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memlock {
    /// No limit, by setting or because the process may lock at will (CAP_IPC_LOCK).
    Unlimited,
    /// At most this many bytes.
    Bytes(u64),
}

/// The limit is too low and may not be raised.
#[derive(Debug, Error)]
#[error(
    "the memory-lock limit is {limit} bytes, {needed} are needed: {source}. Raise it with `ulimit -l {kib}` \
     (kilobytes, as root) or LimitMEMLOCK={needed} in the service file"
)]
pub struct MemlockError {
    /// Bytes allowed now.
    pub limit: u64,
    /// Bytes needed.
    pub needed: u64,
    /// The same in KiB, rounded up, as `ulimit` wants it.
    pub kib: u64,
    /// What the kernel answered when asked for more.
    pub source: io::Error,
}

/// Whether what this process maps is charged to nobody: it holds CAP_IPC_LOCK over the host. Its jailed children do not.
pub fn locks_at_will() -> bool {
    let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let namespace = std::fs::metadata("/proc/self/ns/user").map(|meta| meta.ino());
    charges_nobody(effective, namespace.ok())
}

/// `namespace` is the number of the user namespace; `None` where it cannot be learned, or the kernel has none.
fn charges_nobody(effective: CapabilitySet, namespace: Option<u64>) -> bool {
    effective.contains(CapabilitySet::IPC_LOCK) && namespace.is_none_or(|number| number == HOSTS_OWN)
}

/// What this process may lock now: its soft limit, unless it [locks at will](locks_at_will).
pub fn memlock_limit() -> Memlock {
    if locks_at_will() { Memlock::Unlimited } else { limit(getrlimit(Resource::Memlock).current) }
}

/// The most that [`raise_memlock`] reaches. The kernel is asked by trying, which no rule of ours can replace: capabilities,
/// namespaces and security modules have a say.
pub fn memlock_ceiling() -> Memlock {
    let old = getrlimit(Resource::Memlock);
    if old.maximum.is_none() || setrlimit(Resource::Memlock, Rlimit { maximum: None, ..old }).is_err() {
        return limit(old.maximum);
    }
    // Were it not lowered again, this process alone would keep a limit that it may have anyway.
    if let Err(errno) = setrlimit(Resource::Memlock, old) {
        log::debug!("the memory-lock limit stays raised: {errno}");
    }
    Memlock::Unlimited
}

fn limit(bytes: Option<u64>) -> Memlock {
    bytes.map_or(Memlock::Unlimited, Memlock::Bytes)
}

/// What each of `shares` users of locked memory may take of the limit itself without taking it from the others; `None` without a
/// limit or a share.
pub fn memlock_share(shares: u64) -> Option<u64> {
    getrlimit(Resource::Memlock).current?.checked_div(shares)
}

/// Makes sure that the limit itself is at least `needed` bytes, raising the soft limit, and the hard one when allowed. A
/// capability to lock at will does not count: jailed processes inherit the limit, not the capability.
///
/// # Errors
/// `needed` is above the [ceiling](memlock_ceiling).
pub fn raise_memlock(needed: u64) -> Result<(), MemlockError> {
    let old = getrlimit(Resource::Memlock);
    let Some(limit) = old.current.filter(|limit| *limit < needed) else { return Ok(()) };
    let maximum = old.maximum.map(|maximum| maximum.max(needed));
    setrlimit(Resource::Memlock, Rlimit { current: Some(needed), maximum }).map_err(|errno| MemlockError {
        limit,
        needed,
        kib: needed.div_ceil(1024),
        source: errno.into(),
    })
}

#[cfg(test)]
mod tests;
