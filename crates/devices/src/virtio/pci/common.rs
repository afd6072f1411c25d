//! The common configuration structure: features, status, and each queue's set-up.
//!
//! Reads copy from an image; a write counts only when it has a field's place and width. What a write asks of the device
//! is returned as a [`Request`].

use super::interrupt::{Interrupt, NEEDS_RESET, NO_VECTOR, Ways};

/// Place of the status byte.
const STATUS: u64 = 20;
/// ACKNOWLEDGE and DRIVER, for which the transport does nothing, and FAILED.
const PLAIN_STATUS: u8 = 0x83;
/// FEATURES_OK
const FEATURES_OK: u8 = 8;
/// DRIVER_OK
const DRIVER_OK: u8 = super::interrupt::DRIVER_OK;
/// `VIRTIO_F_VERSION_1`
pub const F_VERSION_1: u64 = 1 << 32;
/// `VIRTIO_F_ACCESS_PLATFORM`
pub const F_ACCESS_PLATFORM: u64 = 1 << 33;

/// What the driver asks of the device by a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Back to the first state.
    Reset,
    /// DRIVER_OK: start.
    Start,
    /// DRIVER_OK without FEATURES_OK: the device cannot start.
    Refuse,
}

/// A queue as the driver sets it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSetup {
    /// Largest number of entries.
    pub max: u16,
    /// Entries: a power of two, not above `max`.
    pub size: u16,
    /// Switched on.
    pub enabled: bool,
    /// Descriptor table (GPA).
    pub desc: u64,
    /// Available ring (GPA).
    pub driver: u64,
    /// Used ring (GPA).
    pub device: u64,
}

impl QueueSetup {
    fn new(max: u16) -> QueueSetup {
        QueueSetup { max, size: max, enabled: false, desc: 0, driver: 0, device: 0 }
    }
}

/// The registers.
#[derive(Debug)]
pub struct Common {
    offered: u64,
    /// Of those, what a driver must accept.
    required: u64,
    feature_select: u32,
    driver_select: u32,
    accepted: u64,
    /// The driver accepted a feature beyond bit 63.
    stray: bool,
    queue_select: u16,
    /// One for each queue.
    pub queues: Vec<QueueSetup>,
}

impl Common {
    /// Registers of a device that offers these features, insists on `required`, and has queues of these sizes.
    pub fn new(features: u64, required: u64, sizes: &[u16]) -> Common {
        let required = required | F_VERSION_1;
        Common {
            offered: features | required,
            required,
            feature_select: 0,
            driver_select: 0,
            accepted: 0,
            stray: false,
            queue_select: 0,
            queues: sizes.iter().map(|size| QueueSetup::new(*size)).collect(),
        }
    }

    /// Features that the driver accepted so far.
    pub fn features(&self) -> u64 {
        self.accepted
    }

    /// Back to the first state.
    pub fn reset(&mut self) {
        (self.feature_select, self.driver_select, self.queue_select) = (0, 0, 0);
        (self.accepted, self.stray) = (0, false);
        for queue in &mut self.queues {
            *queue = QueueSetup::new(queue.max);
        }
    }

    /// Reads any bytes of the structure; zeros beyond its end.
    pub fn read(&self, offset: u64, data: &mut [u8], interrupt: &Interrupt) {
        let image = self.image(interrupt);
        for (n, byte) in data.iter_mut().enumerate() {
            let at = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(n);
            *byte = image.get(at).copied().unwrap_or(0);
        }
    }

    fn image(&self, interrupt: &Interrupt) -> [u8; 56] {
        let mut image = [0; 56];
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        let index = usize::from(self.queue_select);
        let (config, vector) = interrupt.with(|ways| {
            let vectors = &ways.vectors;
            (vectors.config, vectors.queues.get(index).copied().unwrap_or(NO_VECTOR))
        });
        put(0, &self.feature_select.to_le_bytes());
        put(4, &half(self.offered, self.feature_select).to_le_bytes());
        put(8, &self.driver_select.to_le_bytes());
        put(12, &half(self.accepted, self.driver_select).to_le_bytes());
        put(16, &config.to_le_bytes());
        put(18, &(self.queues.len() as u16).to_le_bytes());
        put(20, &[interrupt.status(), interrupt.generation()]);
        put(22, &self.queue_select.to_le_bytes());
        // A queue that is not there has size 0.
        if let Some(queue) = self.queues.get(index) {
            put(24, &queue.size.to_le_bytes());
            put(28, &u16::from(queue.enabled).to_le_bytes());
            put(30, &self.queue_select.to_le_bytes());
            put(32, &queue.desc.to_le_bytes());
            put(40, &queue.driver.to_le_bytes());
            put(48, &queue.device.to_le_bytes());
        }
        put(26, &vector.to_le_bytes());
        image
    }

    /// The driver writes. What is left to do for the device.
    pub fn write(&mut self, offset: u64, data: &[u8], interrupt: &Interrupt) -> Option<Request> {
        let mut raw = [0; 8];
        raw.get_mut(..data.len())?.copy_from_slice(data);
        let value = u64::from_le_bytes(raw);
        let index = usize::from(self.queue_select);
        match (offset, data.len()) {
            (0, 4) => self.feature_select = value as u32,
            (8, 4) => self.driver_select = value as u32,
            (12, 4) => self.accept(value as u32, interrupt.status()),
            (16, 2) => interrupt.with(|ways| ways.vectors.config = valid(ways, value as u16)),
            (STATUS, 1) => return self.set_status(value as u8, interrupt),
            (22, 2) => self.queue_select = value as u16,
            (26, 2) => interrupt.with(|ways| {
                let vector = valid(ways, value as u16);
                if let Some(place) = ways.vectors.queues.get_mut(index) {
                    *place = vector;
                }
            }),
            _ => self.set_queue(offset, data.len(), value, interrupt.status()),
        }
        None
    }

    fn accept(&mut self, value: u32, status: u8) {
        if status & FEATURES_OK != 0 {
            return;
        }
        match self.driver_select {
            0 => self.accepted = self.accepted & !0xffff_ffff | u64::from(value),
            1 => self.accepted = self.accepted & 0xffff_ffff | u64::from(value) << 32,
            _ => self.stray |= value != 0,
        }
    }

    /// A queue's fields; they are fixed once the queue is on, and nothing is switched on after DRIVER_OK.
    fn set_queue(&mut self, offset: u64, len: usize, value: u64, status: u8) {
        let Some(queue) = self.queues.get_mut(usize::from(self.queue_select)).filter(|queue| !queue.enabled)
        else {
            return;
        };
        let size = value as u16;
        match (offset, len) {
            (24, 2) if size.is_power_of_two() && size <= queue.max => queue.size = size,
            (28, 2) if value == 1 && status & DRIVER_OK == 0 => queue.enabled = true,
            (32.., _) => {
                let place = match offset & !7 {
                    32 => &mut queue.desc,
                    40 => &mut queue.driver,
                    48 => &mut queue.device,
                    _ => return,
                };
                match (offset & 7, len) {
                    (0, 8) => *place = value,
                    (0, 4) => *place = *place & !0xffff_ffff | value,
                    (4, 4) => *place = *place & 0xffff_ffff | value << 32,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Bits can be added, and all taken away by writing 0.
    fn set_status(&mut self, value: u8, interrupt: &Interrupt) -> Option<Request> {
        if value == 0 {
            return Some(Request::Reset);
        }
        interrupt.add_status(value & PLAIN_STATUS);
        if value & FEATURES_OK != 0 && self.features_fit() {
            interrupt.add_status(FEATURES_OK);
        }
        let status = interrupt.status();
        // A device that needs a reset does not start before it.
        if value & DRIVER_OK == 0 || status & (DRIVER_OK | NEEDS_RESET) != 0 {
            return None;
        }
        Some(if status & FEATURES_OK != 0 { Request::Start } else { Request::Refuse })
    }

    fn features_fit(&self) -> bool {
        !self.stray && self.accepted & !self.offered == 0 && self.accepted & self.required == self.required
    }
}

/// Whether a write of these bytes asks for a reset: 0 to the status.
pub fn is_reset(offset: u64, data: &[u8]) -> bool {
    offset == STATUS && data == [0]
}

/// The 32 feature bits that a select register stands for.
fn half(features: u64, select: u32) -> u32 {
    match select {
        0 => features as u32,
        1 => (features >> 32) as u32,
        _ => 0,
    }
}

/// The vector, or that there is none.
fn valid(ways: &Ways, vector: u16) -> u16 {
    if vector < ways.msix.count() { vector } else { NO_VECTOR }
}
