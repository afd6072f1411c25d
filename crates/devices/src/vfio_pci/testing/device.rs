//! The device in memory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use base::{EventFd, MappedRegion};
use data_model::Span;
use sync::Mutex;
use vfio::{AssignedDevice, IrqAction, IrqInfo, PciIrq, PciRegion, RegionInfo};

use super::Image;
use crate::pci::regs;
use crate::virtio::testkit::FakeMapper;

/// What the device went through.
#[derive(Default)]
pub(crate) struct State {
    pub config: Vec<u8>,
    pub bars: Vec<Vec<u8>>,
    /// Writes to the configuration space: offset and bytes.
    pub config_writes: Vec<(usize, Vec<u8>)>,
    /// Writes to BARs: BAR, offset, bytes.
    pub bar_writes: Vec<(u8, u64, usize)>,
    /// The kind that is on.
    pub on: Option<PciIrq>,
    /// Event descriptors of its vectors.
    pub events: Vec<Option<i32>>,
    /// The event that unmasks INTx.
    pub unmask: Option<i32>,
    /// How often a kind was switched on.
    pub enables: usize,
    /// The command register at each reset.
    pub resets: Vec<u16>,
    /// The host has no more vectors than this.
    pub limit: Option<usize>,
    pub reset_unsupported: bool,
    /// Off the bus: no access is answered.
    pub gone: bool,
    /// Where the kernel tells of errors, and that the device is wanted.
    pub bells: Vec<(PciIrq, EventFd)>,
    /// Where the kernel finds power management.
    power: Option<usize>,
    /// Nothing may be mapped there when the device stops decoding: the guest's next access would fault in the host.
    pub watched: Option<Arc<FakeMapper>>,
}

impl State {
    pub fn command(&self) -> u16 {
        u16::from_le_bytes([self.config[4], self.config[5]])
    }

    /// The kernel lets memory BARs be used.
    pub fn decodes(&self) -> bool {
        self.command() & 2 != 0 && self.power_state() != 3
    }

    fn power_state(&self) -> u8 {
        self.power.map_or(0, |at| self.config[at + 4] & 3)
    }

    /// The kernel's rules: from D3hot the way leads to D0 only, and a device need not have D1 and D2. The write that asks for
    /// what cannot be succeeds all the same.
    fn set_power_state(&mut self, wanted: u8) {
        let Some(at) = self.power else { return };
        let has = match wanted {
            1 | 2 => self.config[at + 3] >> wanted & 1 != 0 && self.power_state() < wanted,
            _ => true,
        };
        if has {
            self.config[at + 4] = self.config[at + 4] & !3 | wanted;
        }
    }

    /// To be called when the device stops decoding.
    fn assert_unmapped(&self) {
        let mapped = self.watched.as_ref().map_or(0, |mapper| mapper.mappings().len());
        assert_eq!(mapped, 0, "the device stops decoding what the guest has mapped");
    }

    fn enable(&mut self, irq: PciIrq, count: usize) -> io::Result<()> {
        if self.limit.is_some_and(|limit| count > limit) {
            return errno(libc::ENOSPC);
        }
        self.on = Some(irq);
        self.enables += 1;
        self.events = vec![None; count];
        Ok(())
    }
}

pub(crate) struct FakeDevice {
    image: Image,
    memory: File,
    state: Mutex<State>,
}

fn errno<T>(code: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(code))
}

impl FakeDevice {
    pub fn new(image: Image) -> FakeDevice {
        let memory = File::from(rustix::fs::memfd_create("bars", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
        memory.set_len(8 << 20).unwrap();
        let power = image.find(regs::CAP_PM);
        let state = State {
            power: power.filter(|at| at + 8 <= 0x100),
            config: image.config.clone(),
            bars: image.bars.iter().map(|size| vec![0x5a; *size as usize]).collect(),
            ..State::default()
        };
        FakeDevice { image, memory, state: Mutex::new(state) }
    }

    /// Looks at, or changes, what the device went through.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Says what the kernel says of the device.
    pub fn ring(&self, irq: PciIrq) {
        self.with(|state| {
            let bell = state.bells.iter().find(|(kind, _)| *kind == irq);
            bell.unwrap().1.write(1).unwrap();
        });
    }

    fn set_bell(&self, irq: PciIrq, action: IrqAction<'_>) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.gone {
            return errno(libc::ENODEV);
        }
        match action {
            IrqAction::Trigger { start: 0, events: [Some(event)] } if self.irq(irq).count == 1 => {
                state.bells.push((irq, event.try_clone()?));
                Ok(())
            }
            _ => errno(libc::EINVAL),
        }
    }

    fn trigger(&self, irq: PciIrq, start: usize, fds: &[Option<i32>]) -> io::Result<()> {
        let mut state = self.state.lock();
        let end = start + fds.len();
        if end > self.irq(irq).count as usize || state.on.is_some_and(|on| on != irq) {
            return errno(libc::EINVAL);
        }
        if state.on.is_none() {
            state.enable(irq, end)?;
        } else if end > state.events.len() {
            if !self.irq(irq).resizable {
                return errno(libc::EINVAL);
            }
            state.events.resize(end, None);
        }
        state.events[start..end].copy_from_slice(fds);
        Ok(())
    }
}

impl AssignedDevice for FakeDevice {
    fn name(&self) -> &str {
        "0000:03:00.0"
    }

    fn region(&self, region: PciRegion) -> RegionInfo {
        match region {
            PciRegion::Bar(bar @ 0..=5) => self.image.region(bar.into()),
            PciRegion::Config => RegionInfo {
                size: self.image.config.len() as u64,
                readable: true,
                writable: true,
                ..Default::default()
            },
            _ => RegionInfo::default(),
        }
    }

    fn irq(&self, irq: PciIrq) -> IrqInfo {
        let (count, resizable) = match irq {
            PciIrq::Intx => (u32::from(self.image.config[0x3d] != 0), false),
            PciIrq::Msi => (self.image.msi, false),
            PciIrq::Msix => (self.image.msix, self.image.resizable),
            PciIrq::Error => (self.image.find(regs::CAP_EXPRESS).is_some().into(), false),
            PciIrq::Request => (1, false),
        };
        IrqInfo { count, eventfd: true, resizable }
    }

    fn read(&self, region: PciRegion, offset: u64, data: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock();
        let decodes = state.command() & 3 != 0 && state.power_state() != 3;
        let bytes = match region {
            _ if state.gone => return errno(libc::EIO),
            PciRegion::Config => &state.config,
            PciRegion::Bar(bar @ 0..=5) if decodes => &state.bars[usize::from(bar)],
            _ => return errno(libc::EIO),
        };
        let from = usize::try_from(offset).unwrap();
        let Some(found) = from.checked_add(data.len()).and_then(|end| bytes.get(from..end)) else {
            return errno(libc::EINVAL);
        };
        data.copy_from_slice(found);
        Ok(())
    }

    fn write(&self, region: PciRegion, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        let from = usize::try_from(offset).unwrap();
        let decodes = state.command() & 3 != 0 && state.power_state() != 3;
        let asks_power = region == PciRegion::Config && state.power.is_some_and(|at| at + 4 == from);
        let bytes = match region {
            _ if state.gone => return errno(libc::EIO),
            PciRegion::Config => &mut state.config,
            PciRegion::Bar(bar @ 0..=5) if decodes => &mut state.bars[usize::from(bar)],
            _ => return errno(libc::EIO),
        };
        let Some(place) = from.checked_add(data.len()).and_then(|end| bytes.get_mut(from..end)) else {
            return errno(libc::EINVAL);
        };
        if !asks_power {
            place.copy_from_slice(data);
        }
        if let PciRegion::Bar(bar) = region {
            state.bar_writes.push((bar, offset, data.len()));
            return Ok(());
        }
        if asks_power {
            state.set_power_state(data[0] & 3);
        }
        state.config_writes.push((from, data.to_vec()));
        if !state.decodes() {
            state.assert_unmapped();
        }
        Ok(())
    }

    fn map(&self, region: PciRegion, area: Span) -> io::Result<MappedRegion> {
        let info = self.region(region);
        let len = area.len().unwrap() as usize;
        match info.place(area.start(), len) {
            Some(place) => MappedRegion::new(&self.memory, place, len, true),
            None => errno(libc::EINVAL),
        }
    }

    fn reset(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.reset_unsupported {
            return Err(io::ErrorKind::Unsupported.into());
        }
        state.assert_unmapped();
        state.set_power_state(0);
        let command = state.command();
        state.resets.push(command);
        Ok(())
    }

    fn set_irqs(&self, irq: PciIrq, action: IrqAction<'_>) -> io::Result<()> {
        match action {
            _ if matches!(irq, PciIrq::Error | PciIrq::Request) => self.set_bell(irq, action),
            IrqAction::Trigger { start, events } => {
                let fds: Vec<Option<i32>> =
                    events.iter().map(|event| event.map(AsRawFd::as_raw_fd)).collect();
                self.trigger(irq, start as usize, &fds)
            }
            IrqAction::Disable => {
                let mut state = self.state.lock();
                if state.on.is_some_and(|on| on != irq) {
                    return errno(libc::EINVAL);
                }
                (state.on, state.unmask) = (None, None);
                state.events.clear();
                Ok(())
            }
            IrqAction::UnmaskOn(event) => {
                let mut state = self.state.lock();
                if irq != PciIrq::Intx || state.on != Some(PciIrq::Intx) {
                    return errno(libc::EINVAL);
                }
                state.unmask = event.map(AsRawFd::as_raw_fd);
                Ok(())
            }
            IrqAction::Mask | IrqAction::Unmask => errno(libc::ENOTTY),
        }
    }
}
