//! A device with registers in this process: what virtio-pci does for it, as far as a driver needs it here.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use base::{EventFd, GuestMem, GuestRam, HostMemory};
use data_model::{PageMask, Span};
use devices::virtio::iommu::{Viommu, ViommuConfig, ViommuEndpoint};
use devices::virtio::testkit::FakeInterrupt;
use devices::virtio::{Activation, QueueHandle, VirtioDevice};
use iommu_domain::testing::{FakeHost, FakeLimits};
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Leg, PhysMap};
use virtio_iommu_spec::{CONFIG_SIZE, Config, ResvKind, ResvMem};
use virtio_queue::{Queue, QueueT};
use vm_memory::{GuestAddress, GuestMemoryBackend};
use zerocopy::FromBytes;

use super::super::driver::Driver;
use super::super::memory;
use super::super::transport::{DRIVER_OK, FEATURES_OK, NEEDS_RESET, Place, Registers};

const BASE: u64 = 0x4000_0000;
const IDS: [u32; 2] = [0x100, 0x200];

/// What is wrong with the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    None,
    /// It maps what PROBE says that it does not map.
    NoReservedRegions,
    /// A reset leaves its domains as they are.
    NoReset,
    /// It takes rings that lie nowhere.
    NeverNeedsReset,
}

struct State {
    device: Viommu,
    interrupt: Arc<FakeInterrupt>,
    status: u8,
    features: u64,
    places: [Option<Place>; 2],
    kicks: Vec<EventFd>,
}

struct InProcess {
    state: Mutex<State>,
    mem: Arc<GuestMem>,
    damage: Damage,
}

/// A driver for two endpoints, each alone in its group.
pub fn machine(damage: Damage) -> Driver {
    let span = Span::from_len(BASE, memory::BYTES).unwrap();
    let ram = GuestRam::new(&[span]).unwrap();
    let state = State {
        device: device(&ram, damage),
        interrupt: Arc::default(),
        status: 0,
        features: 0,
        places: [None; 2],
        kicks: Vec::new(),
    };
    let registers = InProcess { state: Mutex::new(state), mem: ram.mem.clone(), damage };
    Driver::new(Box::new(registers), ram, &[0x8, 0x100, 0x200]).unwrap()
}

fn device(ram: &GuestRam, damage: Damage) -> Viommu {
    let (input, window) =
        (Span::new(0, (1 << 39) - 1).unwrap(), Span::new(0xfee0_0000, 0xfeef_ffff).unwrap());
    let (below, above) = input.without(&window);
    let phys = Arc::new(PhysMap::new(HostMemory::of_ram(ram)).unwrap());
    let allowed: Vec<Span> = match damage {
        Damage::NoReservedRegions => vec![input],
        _ => below.into_iter().chain(above).collect(),
    };
    let limits = || FakeLimits { granule: 4096, allowed: allowed.clone(), entries: 65_535 };
    let legs = IDS.map(|id| Box::new(FakeHost::new(limits()).unwrap().leg(&format!("{id}"))) as Box<dyn Leg>);
    let reserved = if damage == Damage::NoReservedRegions { vec![] } else { vec![window] };
    let specs = [0, 1].map(|n| EndpointSpec { id: IDS[n], leg: Some(n), reserved: reserved.clone() });
    let iommu = Iommu::new(IommuConfig::new(4096, input, false), phys, legs.into(), specs.into());
    let regions = vec![ResvMem { kind: ResvKind::Msi, span: window }];
    let endpoints = IDS.map(|id| ViommuEndpoint { id, regions: regions.clone() });
    let config = ViommuConfig { pages: PageMask::new(4096).unwrap(), endpoints: endpoints.into() };
    Viommu::new(&config, iommu).unwrap()
}

impl InProcess {
    /// `None`: not all of it is memory, or it is crooked.
    fn queue(&self, size: u16, place: Place) -> Option<Queue> {
        let bytes = usize::from(size);
        let parts = [(place.desc, 16 * bytes), (place.avail, 6 + 2 * bytes), (place.used, 6 + 8 * bytes)];
        if !parts.iter().all(|(at, len)| self.mem.check_range(GuestAddress(*at), *len)) {
            return None;
        }
        let mut queue = Queue::new(size).ok()?;
        queue.try_set_desc_table_address(GuestAddress(place.desc)).ok()?;
        queue.try_set_avail_ring_address(GuestAddress(place.avail)).ok()?;
        queue.try_set_used_ring_address(GuestAddress(place.used)).ok()?;
        queue.set_ready(true);
        Some(queue)
    }

    fn start(&self, state: &mut State) -> Option<()> {
        let sizes: Vec<u16> = state.device.queue_sizes().to_vec();
        let mut queues = Vec::new();
        state.kicks.clear();
        for (size, place) in sizes.into_iter().zip(state.places) {
            let kick = base::new_event().ok()?;
            state.kicks.push(kick.try_clone().ok()?);
            let handle = |queue| QueueHandle { queue, kick };
            queues.push(match place {
                Some(place) => Some(handle(self.queue(size, place)?)),
                None => None,
            });
        }
        let interrupt = state.interrupt.clone();
        let activation =
            Activation { mem: self.mem.clone().into(), interrupt, queues, features: state.features };
        state.device.activate(activation).ok()
    }
}

impl Registers for InProcess {
    fn reset(&self) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        if self.damage != Damage::NoReset {
            state.device.reset();
        }
        state.interrupt = Arc::default();
        (state.status, state.features, state.places) = (0, 0, [None; 2]);
        Ok(())
    }

    fn negotiate(&self, features: u64) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        ensure!(features & !(state.device.features() | 1 << 32) == 0);
        (state.features, state.status) = (features, state.status | FEATURES_OK);
        Ok(())
    }

    fn set_queue(&self, index: u16, place: Place) -> Result<()> {
        self.state.lock().unwrap().places[usize::from(index)] = Some(place);
        Ok(())
    }

    fn queue_size(&self, index: u16) -> Result<u16> {
        Ok(self.state.lock().unwrap().device.queue_sizes()[usize::from(index)])
    }

    fn status(&self) -> Result<u8> {
        let state = self.state.lock().unwrap();
        let asked = if state.interrupt.asked_for_reset() { NEEDS_RESET } else { 0 };
        Ok(state.status | asked)
    }

    fn set_status(&self, status: u8) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        state.status |= status;
        if status & DRIVER_OK != 0 {
            let started = state.status & FEATURES_OK != 0 && self.start(&mut state).is_some();
            if !started && self.damage != Damage::NeverNeedsReset {
                state.status |= NEEDS_RESET;
            }
        }
        Ok(())
    }

    fn notify(&self, queue: u16) -> Result<()> {
        std::sync::atomic::fence(Ordering::SeqCst);
        let state = self.state.lock().unwrap();
        if let Some(kick) = state.kicks.get(usize::from(queue)) {
            kick.write(1)?;
        }
        Ok(())
    }

    fn config(&self) -> Result<Config> {
        let mut bytes = [0; CONFIG_SIZE];
        self.state.lock().unwrap().device.config_read(0, &mut bytes);
        Ok(Config::read_from_bytes(&bytes).unwrap())
    }

    fn set_bypass(&self, bypass: bool) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let features = state.features;
        ensure!(state.device.config_write(0x24, &[u8::from(bypass)], features));
        Ok(())
    }
}
