//! The limit on locked memory (RLIMIT_MEMLOCK), which VFIO charges every page it pins against.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

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

/// The soft limit of this process; unlimited with CAP_IPC_LOCK, which the kernel does not charge.
pub fn memlock_limit() -> Memlock {
    let sets = rustix::thread::capabilities(None);
    if sets.is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::IPC_LOCK)) {
        return Memlock::Unlimited;
    }
    match getrlimit(Resource::Memlock).current {
        None => Memlock::Unlimited,
        Some(bytes) => Memlock::Bytes(bytes),
    }
}

/// Makes sure that the limit itself is at least `needed` bytes, raising the soft limit, and the hard one when allowed. A
/// capability to lock at will does not count: jailed processes inherit the limit, not the capability.
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
