//! The kernel's error numbers that a mixed domain can answer, by name.

use std::fmt;

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Errno {
    /// EPERM: interrupts are not isolated; write access to what was mapped read-only.
    Perm = 1,
    /// ENOENT: there is no such mapping, device or page.
    NoEnt = 2,
    /// EIO: what a host answered and no domain ever would.
    Io = 5,
    /// ENOMEM: no memory, no hole for a doorbell page, or past the limit of locked memory.
    NoMem = 12,
    /// EFAULT: no memory at the target.
    Fault = 14,
    /// EBUSY: too late to change that.
    Busy = 16,
    /// EEXIST: something is mapped there.
    Exist = 17,
    /// EINVAL: malformed, or in the way of a reserved region.
    Inval = 22,
    /// ENOSPC: no more mappings.
    NoSpc = 28,
    /// EOVERFLOW: the range leaves the address space; the table of doorbells is full.
    Overflow = 75,
    /// EOPNOTSUPP: not offered.
    OpNotSupp = 95,
    /// EADDRINUSE: the address is taken.
    AddrInUse = 98,
}

const ALL: [(Errno, &str); 12] = [
    (Errno::Perm, "EPERM"),
    (Errno::NoEnt, "ENOENT"),
    (Errno::Io, "EIO"),
    (Errno::NoMem, "ENOMEM"),
    (Errno::Fault, "EFAULT"),
    (Errno::Busy, "EBUSY"),
    (Errno::Exist, "EEXIST"),
    (Errno::Inval, "EINVAL"),
    (Errno::NoSpc, "ENOSPC"),
    (Errno::Overflow, "EOVERFLOW"),
    (Errno::OpNotSupp, "EOPNOTSUPP"),
    (Errno::AddrInUse, "EADDRINUSE"),
];

impl Errno {
    /// The number, as in Linux on x86_64 and aarch64.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The name of a number; [`Errno::Io`] for those that no domain answers.
    pub fn from_code(code: i32) -> Errno {
        ALL.iter().find(|(errno, _)| errno.code() == code).map_or(Errno::Io, |(errno, _)| *errno)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ALL.iter().find(|(errno, _)| errno == self).map_or("E?", |(_, name)| name);
        f.write_str(name)
    }
}
