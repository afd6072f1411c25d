//! A driver for a virtio-blk behind the virtio-iommu: requests whose data lies at any address of the device's.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base::GuestRam;
use data_model::HostBdf;
use devices::virtio::testkit::{DriverQueue, Sent};
use vm_memory::{Bytes, GuestAddress};

use crate::hostile::driver::place;
use crate::hostile::transport::{
    ACKNOWLEDGE_DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, Registers, Transport, find,
};

/// Device of a modern virtio-blk.
const DISK: &str = "0x1042";
/// VIRTIO_F_VERSION_1 and VIRTIO_F_ACCESS_PLATFORM: addresses are translated.
const FEATURES: u64 = 1 << 32 | 1 << 33;
/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// No request takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the disk shall do with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Write memory: a read of the disk.
    IntoMemory = 0,
    /// Read memory: a write to the disk.
    FromMemory = 1,
}

/// How a request ended, as the disk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// VIRTIO_BLK_S_OK
    Ok,
    /// VIRTIO_BLK_S_IOERR
    IoErr,
}

/// The disk.
pub struct Disk {
    transport: Transport,
    queue: DriverQueue,
    sent: Vec<Sent>,
    /// Its number as an endpoint.
    pub endpoint: u32,
    /// Where its ring is: bytes, and where in memory.
    pub ring: (u64, u64),
    shift: u64,
}

impl Disk {
    /// Takes the disk of this machine from its driver; its ring goes to `ring` of `ram`, start and bytes, and the disk finds it
    /// `shift` higher.
    pub fn open(ram: &GuestRam, ring: (u64, u64), shift: u64) -> Result<Disk> {
        let folder = find(DISK)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let address: HostBdf = name.parse().ok().with_context(|| format!("{name} is no PCI address"))?;
        let transport = Transport::open(&folder)?;
        transport.reset()?;
        let size = transport.queue_size(0)?;
        let queue = DriverQueue::new(ram.mem.clone(), ring.0, ring.1, size, false);
        Ok(Disk { transport, queue, sent: Vec::new(), endpoint: address.bdf.id().into(), ring, shift })
    }

    /// Resets the disk and sets it up with an empty ring.
    pub fn start(&mut self, ram: &GuestRam) -> Result<()> {
        self.transport.reset()?;
        let size = self.transport.queue_size(0)?;
        self.queue = DriverQueue::new(ram.mem.clone(), self.ring.0, self.ring.1, size, false);
        self.queue.shift = self.shift;
        self.queue.set_no_interrupt(true);
        self.sent.clear();
        self.transport.negotiate(FEATURES)?;
        let mut place = place(&self.queue);
        for address in [&mut place.desc, &mut place.avail, &mut place.used] {
            *address += self.shift;
        }
        self.transport.set_queue(0, place)?;
        self.transport.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK | DRIVER_OK)?;
        ensure!(!self.needs_reset()?, "the disk needs a reset right after its start");
        Ok(())
    }

    /// Whether it says so.
    pub fn needs_reset(&self) -> Result<bool> {
        Ok(self.transport.status()? & NEEDS_RESET != 0)
    }

    /// Puts a request for `len` bytes from the disk's byte `offset` on into the ring, with the data at `iova`.
    pub fn ask(&mut self, way: Way, offset: u64, (iova, len): (u64, u64)) {
        let mut header = [0; 16];
        header[..4].copy_from_slice(&(way as u32).to_le_bytes());
        header[8..].copy_from_slice(&(offset / SECTOR).to_le_bytes());
        let chain = self.queue.chain().readable(&header);
        let chain = chain.part(iova, len as u32, way == Way::IntoMemory);
        self.sent.push(chain.writable(1).send());
    }

    /// Tells the disk that there are requests.
    pub fn notify(&self) -> Result<()> {
        self.transport.notify(0)
    }

    /// The next request that has ended.
    pub fn next(&mut self) -> Result<End> {
        let used = self.queue.wait(PATIENCE).context("the disk does not answer")?;
        self.end(used.id)
    }

    /// The same if there is one already.
    pub fn poll(&mut self) -> Result<Option<End>> {
        self.queue.poll().map(|used| self.end(used.id)).transpose()
    }

    fn end(&mut self, id: u32) -> Result<End> {
        let at = self.sent.iter().position(|sent| u32::from(sent.head) == id);
        let sent = self.sent.remove(at.with_context(|| format!("chain {id} was never sent"))?);
        let (status, _) = *sent.writable.last().context("a request without a status")?;
        match self.queue.memory().read_obj::<u8>(GuestAddress(status))? {
            0 => Ok(End::Ok),
            1 => Ok(End::IoErr),
            other => anyhow::bail!("the disk ended a request with status {other:#x}"),
        }
    }

    /// One request and its end.
    pub fn settle(&mut self, way: Way, offset: u64, data: (u64, u64)) -> Result<End> {
        self.ask(way, offset, data);
        self.notify()?;
        self.next()
    }
}
