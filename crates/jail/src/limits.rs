//! Resource limits of a jailed process. They are lowered, never raised: inside a user namespace nothing may raise one.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process may use; `None` leaves a limit as it is. Core files are always off: they would hold guest memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Descriptors.
    pub open_files: Option<u64>,
    /// Locked bytes, which pinned guest memory counts against. The main process raises it before it starts the worker.
    pub locked: Option<u64>,
    /// Bytes of address space, guest memory included.
    pub address_space: Option<u64>,
}

/// Sets the limits, soft and hard.
pub(crate) fn apply(limits: &Limits) -> io::Result<()> {
    lower(Resource::Core, Some(0))?;
    lower(Resource::Nofile, limits.open_files)?;
    lower(Resource::Memlock, limits.locked)?;
    lower(Resource::As, limits.address_space)
}

fn lower(resource: Resource, to: Option<u64>) -> io::Result<()> {
    let Some(to) = to else { return Ok(()) };
    let most = getrlimit(resource).maximum.map_or(to, |maximum| maximum.min(to));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
