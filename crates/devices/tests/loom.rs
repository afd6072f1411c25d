//! An emulated device uses memory while its driver takes it away, in every order that the two can take:
//! `cargo xtask deep loom`.
#![cfg(loom)]

use std::sync::Arc;

use base::{GuestMem, GuestRam, HostMemory};
use data_model::Span;
use devices::virtio::{Dma, DmaFaults, DmaView};
use iommu_domain::{EndpointSpec, Iommu, IommuConfig, Mapping, Perm, PhysMap, SoftLeg, SoftTable};
use loom::thread;
use sync::atomic::{AtomicBool, Ordering};
use vm_memory::{Bytes, GuestAddress, GuestMemory, Permissions};

const PAGE: u64 = 0x1000;
/// What the device maps to page 1.
const IOVA: u64 = 0x10_0000;
const OLD: u64 = PAGE;
const NEW: u64 = 2 * PAGE;
const ENDPOINT: u32 = 8;

const DEVICE: u64 = 0x1111_1111_1111_1111;
/// What the driver writes where it has taken memory back.
const OWNER: u64 = 0x2222_2222_2222_2222;

/// Accesses that fail are part of the game.
struct Unheard;

impl DmaFaults for Unheard {
    fn fault(&self, _: u64, _: Perm) {}
}

fn span(start: u64, len: u64) -> Span {
    Span::from_len(start, len).unwrap()
}

fn at(address: u64) -> GuestAddress {
    GuestAddress(address)
}

/// A machine whose endpoint is in domain 1, with one page mapped.
struct Machine {
    ram: Arc<GuestMem>,
    iommu: Iommu,
    dma: Dma,
}

impl Machine {
    fn new() -> Machine {
        let ram = GuestRam::new(&[span(0, 4 * PAGE)]).unwrap();
        let phys = PhysMap::new(HostMemory::of_ram(&ram)).unwrap();
        let table = Arc::new(SoftTable::default());
        let leg = SoftLeg::new("soft".into(), table.clone());
        let endpoint = EndpointSpec { id: ENDPOINT, leg: Some(0), reserved: Vec::new() };
        let config = IommuConfig::new(PAGE, span(0, 1 << 39), false);
        let iommu = Iommu::new(config, Arc::new(phys), vec![Box::new(leg)], vec![endpoint]);
        let dma = Dma::translated(ram.mem.clone(), DmaView::new(table, Arc::new(Unheard)));
        let mut machine = Machine { ram: ram.mem.clone(), iommu, dma };
        machine.iommu.attach(ENDPOINT, 1, false).unwrap();
        machine.map(OLD);
        machine
    }

    fn map(&mut self, phys: u64) {
        let mapping = Mapping { iova: span(IOVA, PAGE), phys, perm: Perm::READ_WRITE };
        self.iommu.map(1, mapping).unwrap();
    }
}

/// Writes as a device does, again and again through one view, which remembers translations. Both threads look at `turn`, the
/// device between its translation and its bytes: the memory itself is nothing that loom sees.
fn device(dma: Dma, turn: Arc<AtomicBool>) -> thread::JoinHandle<[bool; 2]> {
    let write = move |offset: u64| {
        let Ok(slices) = dma.get_slices(at(IOVA + offset), 8, Permissions::Write) else { return false };
        for slice in slices {
            turn.load(Ordering::SeqCst);
            slice.unwrap().write_obj(DEVICE, 0).unwrap();
        }
        true
    };
    thread::spawn(move || [0, 8].map(write))
}

/// Runs `take` against a device; after it, what lies at the old place is the driver's.
fn check(take: fn(&mut Iommu)) {
    loom::model(move || {
        let mut machine = Machine::new();
        let turn = Arc::new(AtomicBool::new(false));
        let device = device(machine.dma.clone(), turn.clone());
        take(&mut machine.iommu);
        // From the answer on the driver uses the memory for something else.
        machine.ram.write_slice(&[OWNER; 2].map(u64::to_le_bytes).concat(), at(OLD)).unwrap();
        turn.store(true, Ordering::SeqCst);
        let done = device.join().unwrap();
        assert!(done != [false, true], "what was gone came back");
        for offset in [0, 8] {
            let found: u64 = machine.ram.read_obj(at(OLD + offset)).unwrap();
            assert_eq!(found, OWNER, "the device wrote into memory that it had lost");
        }
    });
}

#[test]
fn after_unmap_the_device_writes_there_no_more() {
    check(|iommu| iommu.unmap(1, span(IOVA, PAGE)).unwrap());
}

#[test]
fn after_detach_the_device_writes_there_no_more() {
    check(|iommu| iommu.detach(ENDPOINT, 1).unwrap());
}

#[test]
fn after_a_reset_the_device_writes_there_no_more() {
    check(Iommu::reset);
}

/// The address is mapped anew to another page: what the device remembers of the old one is not used.
#[test]
fn a_remembered_translation_ends_with_its_mapping() {
    loom::model(|| {
        let mut machine = Machine::new();
        let turn = Arc::new(AtomicBool::new(false));
        let device = device(machine.dma.clone(), turn.clone());
        machine.iommu.unmap(1, span(IOVA, PAGE)).unwrap();
        machine.ram.write_slice(&[0; 16], at(OLD)).unwrap();
        turn.store(true, Ordering::SeqCst);
        machine.map(NEW);
        let done = device.join().unwrap();
        let words = |page: u64| [0, 8].map(|offset| machine.ram.read_obj::<u64>(at(page + offset)).unwrap());
        assert_eq!(words(OLD), [0; 2], "the device wrote into memory that it had lost");
        let new = words(NEW);
        // Written before, to the old place; between, refused; after, to the new one.
        let last = usize::from(new[1] == DEVICE);
        assert!(new[0] != DEVICE || last == 1, "{new:x?}, {done:?}");
    });
}
