//! The way from a device to its driver: MSI-X, or the interrupt line with the ISR byte; and the status bits that the
//! device sets itself.
//!
//! Device threads call it at any time. It takes its own lock only, so a vCPU that waits for those threads to end may hold
//! the function's lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use sync::Mutex;

use crate::irq::IrqLine;
use crate::pci::MsixTable;
use crate::virtio::VirtioInterrupt;

/// No vector: the interrupt is not sent.
pub const NO_VECTOR: u16 = 0xffff;

/// Function mask of MSI-X's message control.
const MASK_ALL: u16 = 1 << 14;

/// ISR: used buffers.
const ISR_QUEUE: u8 = 1;
/// ISR: the configuration or the status changed.
const ISR_CONFIG: u8 = 2;

/// DEVICE_NEEDS_RESET in the status.
pub const NEEDS_RESET: u8 = 0x40;
/// DRIVER_OK in the status.
pub const DRIVER_OK: u8 = 4;

/// Which vector stands for what.
#[derive(Debug)]
pub struct Vectors {
    /// Configuration changes.
    pub config: u16,
    /// One for each queue.
    pub queues: Vec<u16>,
}

/// All under one lock: whether MSI-X is on decides what a vector, the ISR and the line mean.
pub struct Ways {
    /// The MSI-X table.
    pub msix: MsixTable,
    /// As the driver assigned them.
    pub vectors: Vectors,
    isr: u8,
    line_off: bool,
    /// What the line was told last.
    level: bool,
}

/// The interrupts of one device.
pub struct Interrupt {
    ways: Mutex<Ways>,
    line: Option<Arc<dyn IrqLine>>,
    status: AtomicU8,
    generation: AtomicU8,
    complained: AtomicBool,
}

impl Interrupt {
    /// Interrupts for `queues` queues.
    pub fn new(msix: MsixTable, line: Option<Arc<dyn IrqLine>>, queues: usize) -> Interrupt {
        let vectors = Vectors { config: NO_VECTOR, queues: vec![NO_VECTOR; queues] };
        Interrupt {
            ways: Mutex::new(Ways { msix, vectors, isr: 0, line_off: false, level: false }),
            line,
            status: AtomicU8::new(0),
            generation: AtomicU8::new(0),
            complained: AtomicBool::new(false),
        }
    }

    /// Works on table and vectors.
    pub fn with<R>(&self, act: impl FnOnce(&mut Ways) -> R) -> R {
        let mut ways = self.ways.lock();
        let result = act(&mut ways);
        self.settle_line(&mut ways);
        result
    }

    /// The status byte.
    pub fn status(&self) -> u8 {
        self.status.load(Ordering::Acquire)
    }

    /// Sets bits of the status.
    pub fn add_status(&self, bits: u8) {
        self.status.fetch_or(bits, Ordering::AcqRel);
    }

    /// The configuration's generation: differs when the configuration changed between two looks.
    pub fn generation(&self) -> u8 {
        self.generation.load(Ordering::Acquire)
    }

    /// Reads the ISR byte, which clears it and lets the line fall.
    pub fn take_isr(&self) -> u8 {
        self.with(|ways| std::mem::take(&mut ways.isr))
    }

    /// Whether the device would pull its line, were it not switched off.
    pub fn line_pending(&self) -> bool {
        let ways = self.ways.lock();
        ways.isr != 0 && !ways.msix.enabled()
    }

    /// The command register's INTx-off bit.
    pub fn set_line_off(&self, off: bool) {
        self.with(|ways| ways.line_off = off);
    }

    /// MSI-X's message control; while `held`, every message waits, whatever the control says.
    pub fn set_msix(&self, control: u16, held: bool) {
        let mask = if held { MASK_ALL } else { 0 };
        self.with(|ways| drop(ways.msix.set_control(control | mask)));
    }

    /// The device was stopped by other means than its driver's: it is not in use, and needs a reset. Its threads are gone.
    pub fn halt(&self) {
        self.add_status(NEEDS_RESET);
        self.status.fetch_and(!DRIVER_OK, Ordering::AcqRel);
    }

    /// Device reset: no status, no vectors, no pending ISR. The MSI-X table stays; it belongs to the function.
    pub fn reset(&self) {
        self.with(|ways| {
            ways.isr = 0;
            ways.vectors.config = NO_VECTOR;
            ways.vectors.queues.fill(NO_VECTOR);
        });
        self.status.store(0, Ordering::Release);
    }

    /// A write that the device does not allow stops it.
    pub fn refuse_unless(&self, allowed: bool) {
        if !allowed {
            self.needs_reset();
        }
    }

    fn send(&self, isr: u8, vector: impl FnOnce(&Vectors) -> u16) {
        let mut ways = self.ways.lock();
        if !ways.msix.enabled() {
            ways.isr |= isr;
            return self.settle_line(&mut ways);
        }
        let vector = vector(&ways.vectors);
        if vector != NO_VECTOR
            && let Err(error) = ways.msix.trigger(vector)
        {
            self.complain("send an MSI", &error);
        }
    }

    /// Brings the line in step with the ISR.
    fn settle_line(&self, ways: &mut Ways) {
        let Some(line) = &self.line else { return };
        let level = ways.isr != 0 && !ways.line_off && !ways.msix.enabled();
        if std::mem::replace(&mut ways.level, level) != level
            && let Err(error) = line.set(level)
        {
            self.complain("set the interrupt line", &error);
        }
    }

    /// Tells a host failure once: a guest can bring it about as often as it likes.
    fn complain(&self, what: &str, error: &std::io::Error) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            log::error!("virtio device: cannot {what}: {error}");
        }
    }
}

impl VirtioInterrupt for Interrupt {
    fn queue(&self, index: u16) {
        let vector = |vectors: &Vectors| vectors.queues.get(usize::from(index)).copied().unwrap_or(NO_VECTOR);
        self.send(ISR_QUEUE, vector);
    }

    fn config_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.send(ISR_CONFIG, |vectors| vectors.config);
    }

    fn needs_reset(&self) {
        let before = self.status.fetch_or(NEEDS_RESET, Ordering::AcqRel);
        if before & DRIVER_OK != 0 && before & NEEDS_RESET == 0 {
            self.send(ISR_CONFIG, |vectors| vectors.config);
        }
    }
}
