//! Every interrupt of the machine: one owner of the routing table, the MSI GSIs and the lines.
//!
//! Invariants: for each GSI that an event is tied to, the kernel's table equals ours after each call that succeeded, and is
//! unchanged after each that failed; a line is high while at least one device pulls it.
//! Before [`IrqRoutes::activate`] (the GIC takes no irqfd until it is initialized) everything is only written down.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use base::EventFd;
use sync::Mutex;
use thiserror::Error;

use crate::ids::IdPool;
use crate::line::Line;
use crate::msi::MsiGsi;
use crate::routes::{Route, RouteTable, Target, Wiring};

/// Where interrupts go: KVM, or a recorder in tests.
pub trait IrqSink: Send + Sync {
    /// Replaces the whole routing table.
    fn set_routes(&self, routes: &[Route]) -> io::Result<()>;

    /// Lets `trigger` raise `gsi`; with `resample`, level-triggered and signalled at the guest's end of interrupt.
    fn attach(&self, gsi: u32, trigger: &EventFd, resample: Option<&EventFd>) -> io::Result<()>;

    /// Undoes [`IrqSink::attach`]; no event is under way when it returns.
    fn detach(&self, gsi: u32, trigger: &EventFd) -> io::Result<()>;

    /// Sets the pin that KVM_IRQ_LINE knows as `word`.
    fn set_line(&self, word: u32, level: bool) -> io::Result<()>;
}

/// Why an interrupt could not be set up.
#[derive(Debug, Error)]
pub enum IrqError {
    /// Every MSI GSI is in use.
    #[error(
        "all {limit} message interrupts that KVM can route are in use; assign fewer devices or fewer vectors"
    )]
    NoGsi {
        /// MSI GSIs of the machine.
        limit: u32,
    },
    /// There is no such pin.
    #[error("interrupt line {gsi} does not exist on this machine ({wiring:?})")]
    NoSuchLine {
        /// The line asked for.
        gsi: u32,
        /// The chips that there are.
        wiring: Wiring,
    },
    /// No event could be made or duplicated.
    #[error(
        "cannot make an event for interrupt {gsi}: {source}; raise the limit on open files (`ulimit -n`)"
    )]
    Event {
        /// The interrupt.
        gsi: u32,
        /// What the kernel answered.
        source: io::Error,
    },
    /// KVM refused.
    #[error("{call} for interrupt {gsi}: {source}")]
    Kvm {
        /// The ioctl.
        call: &'static str,
        /// The interrupt.
        gsi: u32,
        /// What the kernel answered.
        source: io::Error,
    },
}

impl From<IrqError> for io::Error {
    fn from(error: IrqError) -> io::Error {
        let kind = match &error {
            IrqError::NoGsi { .. } => io::ErrorKind::QuotaExceeded,
            IrqError::NoSuchLine { .. } => io::ErrorKind::InvalidInput,
            IrqError::Event { source, .. } | IrqError::Kvm { source, .. } => source.kind(),
        };
        io::Error::new(kind, error)
    }
}

/// How the interrupts of a machine are numbered and bounded.
#[derive(Clone, Copy, Debug)]
pub struct IrqPlan {
    /// The chips.
    pub wiring: Wiring,
    /// Entries that a routing table may have, and the first GSI that may not be used (KVM_CAP_IRQ_ROUTING).
    pub limit: u32,
    /// Whether MSI routes carry the device id (KVM_MSI_VALID_DEVID); a GICv3 ITS needs it.
    pub devids: bool,
}

/// An irqfd noted for [`IrqRoutes::activate`].
struct Pending {
    trigger: EventFd,
    resample: Option<EventFd>,
}

struct State {
    table: RouteTable,
    gsis: IdPool,
    active: bool,
    /// By GSI and by the caller's own descriptor.
    pending: BTreeMap<(u32, RawFd), Pending>,
    /// Devices that pull each line now.
    pulls: BTreeMap<u32, u32>,
}

/// The interrupts of one machine. Shared by all devices.
pub struct IrqRoutes {
    sink: Box<dyn IrqSink>,
    plan: IrqPlan,
    msis: u32,
    state: Mutex<State>,
}

impl IrqRoutes {
    /// Nothing but the machine's pins, not yet active.
    pub fn new(sink: Box<dyn IrqSink>, plan: IrqPlan) -> Arc<IrqRoutes> {
        let table = RouteTable::new(plan.wiring);
        let first = plan.wiring.pins();
        let entries = plan.limit.saturating_sub(table.fixed() as u32);
        let msis = plan.limit.saturating_sub(first).min(entries);
        let gsis = IdPool::new(first, first.saturating_add(msis));
        let (pending, pulls) = (BTreeMap::new(), BTreeMap::new());
        let state = Mutex::new(State { table, gsis, active: false, pending, pulls });
        Arc::new(IrqRoutes { sink, plan, msis, state })
    }

    /// Hands to the kernel what was written down so far; from here on everything takes effect at once. To be called when
    /// the chips exist (x86) or are initialized (a GIC sets its own table then). A second call does nothing.
    pub fn activate(&self) -> Result<(), IrqError> {
        let mut state = self.state.lock();
        if state.active {
            return Ok(());
        }
        self.send_table(&state.table, 0)?;
        // One by one, so that a repeated try does not attach twice.
        while let Some(entry) = state.pending.first_entry() {
            let (gsi, irqfd) = (entry.key().0, entry.get());
            self.attach_now(gsi, &irqfd.trigger, irqfd.resample.as_ref())?;
            entry.remove();
        }
        for gsi in state.pulls.keys() {
            self.set_line_now(*gsi, true)?;
        }
        state.active = true;
        Ok(())
    }

    /// A new message interrupt for the device `devid` (its requester id). Unrouted: events are lost.
    pub fn alloc_msi(self: &Arc<Self>, devid: u32) -> Result<MsiGsi, IrqError> {
        let gsi = self.state.lock().gsis.take().ok_or(IrqError::NoGsi { limit: self.msis })?;
        match base::new_event() {
            Ok(event) => Ok(MsiGsi::new(self.clone(), gsi, devid, event)),
            Err(source) => {
                self.state.lock().gsis.give(gsi);
                Err(IrqError::Event { gsi, source })
            }
        }
    }

    /// One device's hold on the line `gsi`; low at first.
    pub fn line(self: &Arc<Self>, gsi: u32) -> Result<Line, IrqError> {
        self.word(gsi)?;
        Ok(Line::new(self.clone(), gsi))
    }

    /// The numbering of the machine.
    pub fn wiring(&self) -> Wiring {
        self.plan.wiring
    }

    pub(crate) fn message(&self, address: u64, data: u32, devid: u32) -> Target {
        Target::Msi { address, data, devid: self.plan.devids.then_some(devid) }
    }

    /// Changes the table; all or nothing. One system call, or none when nothing changes.
    pub(crate) fn apply(&self, changes: &[(u32, Target)]) -> Result<(), IrqError> {
        let mut state = self.state.lock();
        let mut before = Vec::with_capacity(changes.len());
        for (gsi, target) in changes {
            if state.table.get(*gsi) != Some(*target) {
                before.push((*gsi, state.table.set(*gsi, Some(*target))));
            }
        }
        let Some((gsi, _)) = before.first() else { return Ok(()) };
        if !state.active {
            return Ok(());
        }
        let sent = self.send_table(&state.table, *gsi);
        if sent.is_err() {
            for (gsi, target) in before.into_iter().rev() {
                state.table.set(gsi, target);
            }
        }
        sent
    }

    /// Lets an event raise `gsi`, now or at activation.
    pub(crate) fn attach(
        &self,
        gsi: u32,
        trigger: &EventFd,
        resample: Option<&EventFd>,
    ) -> Result<(), IrqError> {
        let mut state = self.state.lock();
        if state.active {
            return self.attach_now(gsi, trigger, resample);
        }
        let failed = |source| IrqError::Event { gsi, source };
        let key = (gsi, trigger.as_raw_fd());
        let resample = resample.map(EventFd::try_clone).transpose().map_err(failed)?;
        let trigger = trigger.try_clone().map_err(failed)?;
        state.pending.insert(key, Pending { trigger, resample });
        Ok(())
    }

    /// Undoes [`IrqRoutes::attach`].
    pub(crate) fn detach(&self, gsi: u32, trigger: &EventFd) -> Result<(), IrqError> {
        let mut state = self.state.lock();
        if !state.active {
            state.pending.remove(&(gsi, trigger.as_raw_fd()));
            return Ok(());
        }
        let refused = |source| IrqError::Kvm { call: "KVM_IRQFD (deassign)", gsi, source };
        self.sink.detach(gsi, trigger).map_err(refused)
    }

    /// Frees an MSI's GSI, whose event is detached. The kernel forgets the route with the next table; until then nothing can
    /// raise it.
    pub(crate) fn release(&self, gsi: u32) {
        let mut state = self.state.lock();
        state.table.set(gsi, None);
        state.gsis.give(gsi);
    }

    /// One device begins (`true`) or stops to pull `gsi`.
    pub(crate) fn pull(&self, gsi: u32, level: bool) -> Result<(), IrqError> {
        let mut state = self.state.lock();
        let old = state.pulls.get(&gsi).copied().unwrap_or(0);
        let new = if level { old.saturating_add(1) } else { old.saturating_sub(1) };
        if state.active && (old == 0) != (new == 0) {
            self.set_line_now(gsi, level)?;
        }
        if new == 0 {
            state.pulls.remove(&gsi);
        } else {
            state.pulls.insert(gsi, new);
        }
        Ok(())
    }

    fn word(&self, gsi: u32) -> Result<u32, IrqError> {
        let wiring = self.plan.wiring;
        wiring.line_word(gsi).ok_or(IrqError::NoSuchLine { gsi, wiring })
    }

    fn set_line_now(&self, gsi: u32, level: bool) -> Result<(), IrqError> {
        let refused = |source| IrqError::Kvm { call: "KVM_IRQ_LINE", gsi, source };
        self.sink.set_line(self.word(gsi)?, level).map_err(refused)
    }

    fn attach_now(&self, gsi: u32, trigger: &EventFd, resample: Option<&EventFd>) -> Result<(), IrqError> {
        let refused = |source| IrqError::Kvm { call: "KVM_IRQFD", gsi, source };
        self.sink.attach(gsi, trigger, resample).map_err(refused)
    }

    fn send_table(&self, table: &RouteTable, gsi: u32) -> Result<(), IrqError> {
        let refused = |source| IrqError::Kvm { call: "KVM_SET_GSI_ROUTING", gsi, source };
        self.sink.set_routes(&table.entries()).map_err(refused)
    }
}

#[cfg(test)]
mod tests;
