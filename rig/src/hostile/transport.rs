//! A virtio device's registers through its BAR, from user space: no driver of the kernel has the device.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base::MappedRegion;
use virtio_iommu_spec::{CONFIG_BYPASS_OFFSET, CONFIG_SIZE, Config};
use zerocopy::FromBytes;

use crate::binding;

const FUNCTIONS: &str = "/sys/bus/pci/devices";
/// Vendor of virtio devices.
const VIRTIO: &str = "0x1af4";
/// Device of a modern virtio-iommu.
pub const IOMMU: &str = "0x1057";
/// Memory decoding, bus mastering and no INTx in the command register: nobody here would answer an interrupt.
const COMMAND: (u64, [u8; 2]) = (4, [6, 4]);
/// Capability id of vendors, under which virtio tells where its structures are.
const VENDOR: u8 = 9;
const COMMON: u8 = 1;
const NOTIFY: u8 = 2;
const DEVICE: u8 = 4;

/// Status bits.
pub const ACKNOWLEDGE_DRIVER: u8 = 1 | 2;
pub const DRIVER_OK: u8 = 4;
pub const FEATURES_OK: u8 = 8;
pub const NEEDS_RESET: u8 = 64;

/// A reset that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a driver does with the device's registers.
pub trait Registers {
    /// Writes 0 to the status and waits until it reads so.
    fn reset(&self) -> Result<()>;
    /// What a driver does before queues: acknowledges, accepts `features`, and has them confirmed.
    fn negotiate(&self, features: u64) -> Result<()>;
    /// Places a queue and switches it on.
    fn set_queue(&self, index: u16, place: Place) -> Result<()>;
    /// Entries of a queue.
    fn queue_size(&self, index: u16) -> Result<u16>;
    /// The status byte.
    fn status(&self) -> Result<u8>;
    /// Adds to it.
    fn set_status(&self, status: u8) -> Result<()>;
    /// Tells the device that a queue has something for it.
    fn notify(&self, queue: u16) -> Result<()>;
    /// The device's own configuration.
    fn config(&self) -> Result<Config>;
    /// Endpoints without a domain reach all memory, or none.
    fn set_bypass(&self, bypass: bool) -> Result<()>;
}

/// Registers of the device.
pub struct Transport {
    bar: MappedRegion,
    common: usize,
    notify: usize,
    notify_step: usize,
    device: usize,
}

/// Guest-physical addresses of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub desc: u64,
    pub avail: u64,
    pub used: u64,
}

impl Transport {
    /// Takes the device in the folder `folder` of sysfs from its driver, if it has one, and maps its registers.
    pub fn open(folder: &Path) -> Result<Transport> {
        binding::take(folder)?;
        let config = OpenOptions::new().read(true).write(true).open(folder.join("config"));
        let config = config.with_context(|| format!("opening {}/config", folder.display()))?;
        config.write_all_at(&COMMAND.1, COMMAND.0).context("switching the device's memory on")?;
        let mut bytes = vec![0; 256];
        config.read_exact_at(&mut bytes, 0).context("reading its configuration space")?;
        let of =
            |kind| structure(&bytes, kind).with_context(|| format!("no virtio structure of kind {kind}"));
        let ((bar, common, _), (_, notify, step), (_, device, _)) = (of(COMMON)?, of(NOTIFY)?, of(DEVICE)?);
        let path = folder.join(format!("resource{bar}"));
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file: File = file.with_context(|| format!("opening {}", path.display()))?;
        let len = file.metadata()?.len() as usize;
        let bar = MappedRegion::new(&file, 0, len, true);
        let bar = bar.with_context(|| format!("mapping {}", path.display()))?;
        Ok(Transport { bar, common, notify, notify_step: step, device })
    }
}

impl Registers for Transport {
    fn reset(&self) -> Result<()> {
        self.set_status(0)?;
        let begun = Instant::now();
        while self.status()? != 0 {
            ensure!(begun.elapsed() < PATIENCE, "the device does not come out of its reset");
        }
        Ok(())
    }

    fn negotiate(&self, features: u64) -> Result<()> {
        self.set_status(ACKNOWLEDGE_DRIVER)?;
        for (select, half) in [(0u32, features as u32), (1, (features >> 32) as u32)] {
            self.bar.write_word(self.common + 8, select)?;
            self.bar.write_word(self.common + 12, half)?;
        }
        self.set_status(ACKNOWLEDGE_DRIVER | FEATURES_OK)?;
        ensure!(self.status()? & FEATURES_OK != 0, "the device refuses the features {features:#x}");
        Ok(())
    }

    fn set_queue(&self, index: u16, place: Place) -> Result<()> {
        self.bar.write_word(self.common + 22, index)?;
        for (offset, address) in [(32, place.desc), (40, place.avail), (48, place.used)] {
            self.bar.write_word(self.common + offset, address as u32)?;
            self.bar.write_word(self.common + offset + 4, (address >> 32) as u32)?;
        }
        Ok(self.bar.write_word(self.common + 28, 1u16)?)
    }

    fn queue_size(&self, index: u16) -> Result<u16> {
        self.bar.write_word(self.common + 22, index)?;
        Ok(self.bar.read_word(self.common + 24)?)
    }

    fn status(&self) -> Result<u8> {
        Ok(self.bar.read_word(self.common + 20)?)
    }

    fn set_status(&self, status: u8) -> Result<()> {
        Ok(self.bar.write_word(self.common + 20, status)?)
    }

    fn notify(&self, queue: u16) -> Result<()> {
        // What was written to memory comes before the doorbell.
        fence(Ordering::SeqCst);
        Ok(self.bar.write_word(self.notify + self.notify_step * usize::from(queue), queue)?)
    }

    fn config(&self) -> Result<Config> {
        let mut bytes = [0; CONFIG_SIZE];
        for (at, word) in bytes.chunks_exact_mut(4).enumerate() {
            word.copy_from_slice(&self.bar.read_word::<u32>(self.device + 4 * at)?.to_le_bytes());
        }
        Config::read_from_bytes(&bytes).ok().context("a configuration of another size")
    }

    fn set_bypass(&self, bypass: bool) -> Result<()> {
        Ok(self.bar.write_word(self.device + CONFIG_BYPASS_OFFSET as usize, u8::from(bypass))?)
    }
}

/// The folder in sysfs of the first virtio function that is the device `device`.
pub fn find(device: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(FUNCTIONS).with_context(|| format!("reading {FUNCTIONS}"))? {
        let folder = entry?.path();
        let id = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        if (id("vendor").trim(), id("device").trim()) == (VIRTIO, device) {
            return Ok(folder);
        }
    }
    bail!("no virtio device {device} among {FUNCTIONS}")
}

/// BAR, offset in it, and the word that follows, of a virtio structure.
fn structure(config: &[u8], kind: u8) -> Option<(u8, usize, usize)> {
    let byte = |at: usize| config.get(at).copied();
    let word = |at: usize| Some(u32::from_le_bytes(config.get(at..at + 4)?.try_into().ok()?) as usize);
    let mut at = usize::from(byte(0x34)?);
    // A list that leads back to itself ends the search.
    for _ in 0..48 {
        if at == 0 {
            return None;
        }
        if byte(at)? == VENDOR && byte(at + 3)? == kind {
            return Some((byte(at + 4)?, word(at + 8)?, word(at + 16).unwrap_or(0)));
        }
        at = usize::from(byte(at + 1)?);
    }
    None
}

#[cfg(test)]
mod tests;
