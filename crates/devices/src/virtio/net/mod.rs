//! virtio-net: packets between the guest and a tap device of the host.
//!
//! A packet travels with the header that virtio and the tap have in common, so the guest may leave checksums and
//! segmentation to the host; the host's kernel checks what the header says.
//!
//! Each pair of queues has a thread and a queue of the tap device. With several pairs there is a control queue, and only the
//! first pair carries until the driver says there how many it uses.

mod control;
mod pairs;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::{read, write};
use virtio_bindings::bindings::virtio_net::{
    VIRTIO_NET_F_CSUM, VIRTIO_NET_F_CTRL_VQ, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6,
    VIRTIO_NET_F_MAC, VIRTIO_NET_F_MQ,
};

use super::carrier::{Carrier, Port};
use super::device::{ActivateError, Activation, VirtioDevice};
use super::queue::{F_EVENT_IDX, F_INDIRECT_DESC};
use super::thread::Stop;
use super::worker::Worker;
use control::Control;
use pairs::Pairs;
pub use pairs::TapSwitch;

const NAME: &str = "virtio-net";
/// Virtio device id of a network card.
const DEVICE_ID: u16 = 1;
/// Entries of each queue.
const QUEUE_SIZE: u16 = 256;
/// Entries of the control queue.
const CONTROL_SIZE: u16 = 16;
/// The driver can use several pairs of queues.
const MQ: u64 = 1 << VIRTIO_NET_F_MQ;
/// There is a control queue.
const CONTROL: u64 = 1 << VIRTIO_NET_F_CTRL_VQ;
/// Where the configuration has the most pairs; before that the address and a state of the link that is not told.
const MOST_PAIRS: usize = 8;
/// Bytes of the configuration.
const CONFIG: usize = 10;
/// Bytes of the header before each packet, `virtio_net_hdr_v1`. The tap is told the same number.
pub const NET_HEADER: usize = 12;
/// Its last field: buffers of the packet, always one here.
const NUM_BUFFERS: std::ops::Range<usize> = 10..12;
/// Header, Ethernet header with a tag, and the longest packet that segmentation takes.
const LONGEST: usize = NET_HEADER + 18 + (64 << 10);

/// The network card.
pub struct Net {
    pairs: Arc<Pairs>,
    config: [u8; CONFIG],
    sizes: Vec<u16>,
    carriers: Vec<Carrier>,
    control: Option<Worker>,
}

impl Net {
    /// A card with this address on the queues of a tap device, which do not block and whose packets have headers of
    /// [`NET_HEADER`] bytes. Several make as many pairs, and `switch` tells the tap device which are in use.
    pub fn new(taps: Vec<OwnedFd>, mac: [u8; 6], switch: TapSwitch) -> Net {
        let mut config = [0; CONFIG];
        config[..mac.len()].copy_from_slice(&mac);
        let mut sizes = vec![QUEUE_SIZE; 2 * taps.len()];
        if taps.len() > 1 {
            config[MOST_PAIRS..].copy_from_slice(&(taps.len() as u16).to_le_bytes());
            sizes.push(CONTROL_SIZE);
        }
        let pairs = Arc::new(Pairs::new(taps, switch));
        Net { pairs, config, sizes, carriers: Vec::new(), control: None }
    }

    fn several(&self) -> bool {
        self.pairs.taps().len() > 1
    }

    fn start(&mut self, activation: Activation) -> io::Result<()> {
        let Activation { mem, interrupt, mut queues, features } = activation;
        // A driver without several pairs has the control queue right behind the first.
        let used = if features & MQ != 0 { self.pairs.taps().len() } else { 1 };
        let mut part = |wanted: std::ops::Range<usize>| {
            let queues = (0..queues.len()).map(|at| match wanted.contains(&at) {
                true => queues.get_mut(at).and_then(Option::take),
                false => None,
            });
            let queues = queues.collect();
            Activation { mem: mem.clone(), interrupt: interrupt.clone(), queues, features }
        };
        self.pairs.use_only(1)?;
        for (n, tap) in self.pairs.taps().iter().take(used).enumerate() {
            let tap = Tap(tap.try_clone()?);
            self.carriers.push(Carrier::start(NAME, 2 * n as u16, part(2 * n..2 * n + 2), tap)?);
        }
        if features & CONTROL != 0 {
            let control = Control { pairs: self.pairs.clone(), several: features & MQ != 0 };
            self.control = Some(Worker::start(NAME, part(2 * used..2 * used + 1), control)?);
        }
        Ok(())
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

    fn send(&mut self, packet: &[u8], _stop: &Stop) {
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
            | if self.several() { MQ | CONTROL } else { 0 }
    }

    fn queue_sizes(&self) -> &[u16] {
        &self.sizes
    }

    /// The address, and the most pairs where there are several.
    fn config_read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let rest = usize::try_from(offset).ok().and_then(|at| self.config.get(at..)).unwrap_or_default();
        for (to, from) in data.iter_mut().zip(rest) {
            *to = *from;
        }
    }

    fn config_write(&mut self, _offset: u64, _data: &[u8], _features: u64) -> bool {
        true
    }

    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError> {
        self.start(activation).map_err(ActivateError::of(NAME))
    }

    fn reset(&mut self) {
        // First the one that could let pairs carry again.
        self.control = None;
        self.carriers.clear();
        // A tap device that cannot be switched is told of when the driver starts the card again.
        drop(self.pairs.use_only(1));
    }
}

#[cfg(test)]
mod tests;
