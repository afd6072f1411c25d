//! A VFIO container that exists only in memory, faults on demand: a [`MixedDomain`] with the manners of type1, behind
//! the calls of [`DmaHost`].
//!
//! Built into a [`Type1Leg`](crate::Type1Leg) it makes the leg that tests, fuzzers and benchmarks stand on. Faults are
//! armed with [`base::FaultPlan`]. What it answers is the model's word alone, and the model is held against the real
//! kernel by the package `rig`.

mod lines;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use base::{CallId, HostSlice, fault_point};
use data_model::Span;
use sync::Mutex;

use crate::mixed::model::Type1Model;
use crate::mixed::{ConfigError, Failure, MapRequest, MixedDomain, Slot, Target, Type1Kernel, UnmapRequest};
use crate::{DmaHost, Perm, Type1Leg};

pub use lines::logged_lines;

/// How many requests a random test makes in a row: from one to less than `usual`, and a tenth of that under miri, which takes
/// minutes for what is milliseconds otherwise.
pub const fn fewer_than(usual: usize) -> Range<usize> {
    if cfg!(miri) { 1..usual / 10 + 2 } else { 1..usual }
}

/// What the kernel would check against.
#[derive(Clone, Debug)]
pub struct FakeLimits {
    /// Smallest page in bytes.
    pub granule: u64,
    /// Ranges that may be mapped: the aperture without the reserved regions.
    pub allowed: Vec<Span>,
    /// Mappings at most (65,535 in the kernel).
    pub entries: u32,
}

/// A mapping as the kernel holds it: host address and permission.
pub type FakeMapping = (Span, u64, Perm);

struct State {
    domain: MixedDomain,
    resets: u32,
    calls: u64,
}

/// The container; clones share one state, so a test keeps one to look inside.
#[derive(Clone)]
pub struct FakeHost {
    entries: u32,
    state: Arc<Mutex<State>>,
}

/// A leg that behaves like the kernel.
pub type FakeLeg = Type1Leg<FakeHost>;

impl FakeHost {
    /// An empty container; the error says what no kernel would report.
    pub fn new(limits: FakeLimits) -> Result<FakeHost, ConfigError> {
        let FakeLimits { granule, allowed, entries } = limits;
        // A host address counts as an offset into all the memory there can be.
        let model = Type1Model { granule, allowed, entries, memory: u64::MAX, lock_limit: None };
        let domain = model.domain(Type1Kernel::V6_12)?;
        Ok(FakeHost { entries, state: Arc::new(Mutex::new(State { domain, resets: 0, calls: 0 })) })
    }

    /// A leg over this container.
    pub fn leg(&self, name: &str) -> FakeLeg {
        Type1Leg::new(name.to_owned(), self.clone())
    }

    /// What is mapped, by rising IOVA.
    pub fn mappings(&self) -> Vec<FakeMapping> {
        self.state.lock().domain.state().slots.iter().map(held).collect()
    }

    /// Whether exactly `expected` is mapped, given by rising IOVA.
    pub fn matches(&self, expected: impl Iterator<Item = FakeMapping>) -> bool {
        self.state.lock().domain.state().slots.iter().map(held).eq(expected)
    }

    /// How often the devices were reset.
    pub fn resets(&self) -> u32 {
        self.state.lock().resets
    }

    /// Calls that change something, failed ones included.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }
}

fn held(slot: Slot) -> FakeMapping {
    (slot.span, slot.target.start(), slot.perm)
}

/// The model's refusal as the kernel would say it.
fn errno(failure: Failure) -> io::Error {
    io::Error::from_raw_os_error(failure.errno.code())
}

impl State {
    /// A call begins; it may have been armed to fail.
    fn begin(&mut self, call: CallId) -> io::Result<()> {
        self.calls += 1;
        fault_point(call)
    }
}

impl DmaHost for FakeHost {
    fn map(&self, iova: Span, memory: HostSlice<'_>, perm: Perm) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin(CallId::Type1Map)?;
        let target = Target::Ram { backing: 0, offset: memory.address() };
        // All of the address space has no length that fits, and the kernel no call for it.
        let len = iova.len().filter(|len| *len == memory.len()).ok_or(io::ErrorKind::InvalidInput)?;
        state.domain.map(MapRequest::new(iova.start(), len, target, perm)).map_err(errno)
    }

    /// A nanosecond for each call.
    fn time(&self) -> Duration {
        Duration::from_nanos(self.calls())
    }

    fn unmap(&self, iova: Span) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.begin(CallId::Type1Unmap)?;
        match iova.len() {
            Some(len) => state.domain.unmap(UnmapRequest::range(iova.start(), len)).map_err(errno),
            None => Ok(state.domain.unmap_all()),
        }
    }

    fn unmap_all(&self) -> io::Result<u64> {
        let mut state = self.state.lock();
        state.begin(CallId::Type1UnmapAll)?;
        state.domain.unmap(UnmapRequest::all()).map_err(errno)
    }

    fn available(&self) -> Option<u32> {
        let live = self.state.lock().domain.state().slots.len() as u32;
        Some(self.entries.saturating_sub(live))
    }

    fn reset_devices(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.resets += 1;
        fault_point(CallId::DeviceReset)
    }
}
