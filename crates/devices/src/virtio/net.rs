//! virtio-net: packets between the guest and a tap device of the host.
//!
//! A packet travels with the header that virtio and the tap have in common, so the guest may leave checksums and
//! segmentation to the host; the host's kernel checks what the header says. One pair of queues.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{read, write};
use virtio_bindings::bindings::virtio_net::{
    VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_MAC,
};

use super::carrier::{Carrier, Port};
use super::device::{ActivateError, Activation, VirtioDevice};
use super::queue::{F_EVENT_IDX, F_INDIRECT_DESC};

const NAME: &str = "virtio-net";
/// Virtio device id of a network card.
const DEVICE_ID: u16 = 1;
/// Entries of each queue.
const QUEUE_SIZE: u16 = 256;
/// Bytes of the header before each packet, `virtio_net_hdr_v1`. The tap is told the same number.
pub const NET_HEADER: usize = 12;
/// Its last field: buffers of the packet, always one here.
const NUM_BUFFERS: std::ops::Range<usize> = 10..12;
/// Header, Ethernet header with a tag, and the longest packet that segmentation takes.
const LONGEST: usize = NET_HEADER + 18 + (64 << 10);

/// The network card.
pub struct Net {
    tap: OwnedFd,
    mac: [u8; 6],
    carrier: Option<Carrier>,
}

impl Net {
    /// A card with this address on a queue of a tap device, which does not block and whose packets have headers of
    /// [`NET_HEADER`] bytes.
    pub fn new(tap: OwnedFd, mac: [u8; 6]) -> Net {
        Net { tap, mac, carrier: None }
    }
}

struct Tap(OwnedFd);

impl Port for Tap {
    fn input(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    /// A packet that is longer than the driver's buffer is lost.
    fn receive(&mut self, bytes: &mut [u8], room: usize) -> io::Result<usize> {
        let got = read(&self.0, &mut *bytes)?;
        if got < NET_HEADER || got > room {
            return Ok(0);
        }
        if let Some(field) = bytes.get_mut(NUM_BUFFERS) {
            field.copy_from_slice(&1u16.to_le_bytes());
        }
        Ok(got)
    }

    fn most(&self) -> usize {
        LONGEST
    }

    fn packets(&self) -> bool {
        true
    }

    fn send(&mut self, packet: &[u8]) {
        // A packet that the host does not take is lost, as on any wire.
        if let Err(errno) = write(&self.0, packet) {
            log::trace!("a packet of {} bytes is lost: {errno}", packet.len());
        }
    }
}

impl VirtioDevice for Net {
    fn name(&self) -> &'static str {
        NAME
    }

    fn device_id(&self) -> u16 {
        DEVICE_ID
    }

    fn features(&self) -> u64 {
        F_EVENT_IDX
            | F_INDIRECT_DESC
            | 1 << VIRTIO_NET_F_MAC
            | 1 << VIRTIO_NET_F_CSUM
            | 1 << VIRTIO_NET_F_HOST_TSO4
            | 1 << VIRTIO_NET_F_HOST_TSO6
    }

    fn queue_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE, QUEUE_SIZE]
    }

    /// The address, and nothing else.
    fn config_read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let rest = usize::try_from(offset).ok().and_then(|at| self.mac.get(at..)).unwrap_or_default();
        for (to, from) in data.iter_mut().zip(rest) {
            *to = *from;
        }
    }

    fn config_write(&mut self, _offset: u64, _data: &[u8], _features: u64) -> bool {
        true
    }

    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError> {
        let tap = self.tap.try_clone();
        let started = tap.and_then(|tap| Carrier::start(NAME, activation, Tap(tap)));
        self.carrier = Some(started.map_err(ActivateError::of(NAME))?);
        Ok(())
    }

    fn reset(&mut self) {
        self.carrier = None;
    }
}

#[cfg(test)]
mod tests;
