//! What every process of the machine needs from the host: descriptors, events, polling, guest memory, fault points.
// UNSAFETY: maps memory and takes descriptors over; each block says why it is sound.
#![allow(unsafe_code)]

#[cfg(feature = "awkward")]
mod awkward;
mod event;
mod faults;
mod guest_memory;
mod host_memory;
#[cfg(feature = "kexec")]
mod kexec;
mod mapped;
mod memlock;
mod poller;
mod pretty;
mod processors;
mod rarely;
mod registers;
mod tap;
mod tube;

pub use event::{event_fd, event_from, new_event};
pub use faults::{CallId, FaultPlan, fault_point};
pub use guest_memory::{GuestMem, GuestRam, GuestRamError};
pub use host_memory::{HostMemory, HostSlice};
#[cfg(feature = "kexec")]
pub use kexec::{kexec, load_kernel};
pub use mapped::MappedRegion;
pub use memlock::{
    Memlock, MemlockError, locks_at_will, memlock_ceiling, memlock_limit, memlock_share, raise_memlock,
};
pub use poller::{Poller, Ready};
pub use pretty::bytes;
pub use processors::{thread_time, usable_processors};
pub use rarely::Rarely;
pub use registers::Word;
pub use tap::{TapError, open_tap, switch_tap_queue};
pub use tube::{MAX_FDS, MAX_MESSAGE, Received, Terms, Tube};
pub use vmm_sys_util::eventfd::EventFd;
