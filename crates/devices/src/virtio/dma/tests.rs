use std::sync::atomic::{AtomicBool, Ordering};

use virtio_iommu_spec::Status;
use vm_memory::Bytes;

use super::*;
use crate::virtio::testkit::{Behind, ram};

const PAGE: u64 = 4096;
const RAM: u64 = 64 * PAGE;
/// First byte of the last page of all.
const TOP: u64 = u64::MAX - (PAGE - 1);

fn at(address: u64) -> GuestAddress {
    GuestAddress(address)
}

/// Five pages of IOVA space from 0x10_0000 on: to page 9, to pages 3 and 4 in one mapping, a hole, to page 7 read-only.
fn patchwork() -> (Behind, Dma) {
    let behind = Behind::new(RAM);
    behind.attach();
    for (iova, pages, phys, flags) in [(0x100, 1, 9, 3), (0x101, 2, 3, 3), (0x104, 1, 7, 1)] {
        assert_eq!(behind.map(iova * PAGE, pages * PAGE, phys * PAGE, flags), Status::Ok);
    }
    let dma = behind.dma();
    (behind, dma)
}

#[test]
fn one_buffer_over_several_mappings_is_read_and_written_in_order() {
    let (behind, dma) = patchwork();
    let bytes: Vec<u8> = (0..3 * PAGE - 200).map(|n| (n % 251) as u8).collect();
    dma.write_slice(&bytes, at(0x10_0064)).unwrap();
    let mut back = vec![0; bytes.len()];
    dma.read_slice(&mut back, at(0x10_0064)).unwrap();
    assert_eq!(back, bytes);
    // Its pieces lie where the mappings lead: the end of page 9, then pages 3 and 4.
    let mut piece = vec![0; PAGE as usize - 100];
    behind.mem.read_slice(&mut piece, at(9 * PAGE + 100)).unwrap();
    assert_eq!(piece, bytes[..piece.len()]);
    let mut rest = vec![0; bytes.len() - piece.len()];
    behind.mem.read_slice(&mut rest, at(3 * PAGE)).unwrap();
    assert_eq!(rest, bytes[piece.len()..]);
    assert!(behind.faults().is_empty());
}

#[test]
fn an_access_that_does_not_translate_touches_nothing_and_is_told() {
    let (behind, dma) = patchwork();
    behind.mem.write_slice(&[0x5a; PAGE as usize], at(7 * PAGE)).unwrap();
    let cases: [(u64, usize, &str, u64); 7] = [
        (0x10_3000, 1, "w", 0x10_3000),       // a hole
        (0x10_2ffc, 8, "w", 0x10_3000),       // begins in a mapping, ends in the hole
        (0x0f_fffc, 8, "w", 0x0f_fffc),       // ends in a mapping
        (0x10_4000, 4, "w", 0x10_4000),       // read-only
        (0x10_4ffc, 8, "r", 0x10_5000),       // readable, but only half of it
        (u64::MAX - 3, 8, "r", u64::MAX - 3), // beyond the last address
        (u64::MAX, 1, "w", u64::MAX),         // the last address
    ];
    for (address, len, direction, faulted) in cases {
        let before = contents(&behind);
        let mut data = vec![0xee; len];
        let outcome = match direction {
            "w" => dma.write_slice(&data, at(address)),
            _ => dma.read_slice(&mut data, at(address)),
        };
        assert!(outcome.is_err(), "{address:#x}");
        assert_eq!(data, vec![0xee; len], "{address:#x}: nothing was read");
        assert_eq!(contents(&behind), before, "{address:#x}: nothing was written");
        assert_eq!(behind.faults(), [(faulted, direction)]);
    }
    let mut read = [0; 4];
    dma.read_slice(&mut read, at(0x10_4000)).unwrap();
    assert_eq!(read, [0x5a; 4], "what is read-only can be read");
}

fn contents(behind: &Behind) -> Vec<u8> {
    let mut bytes = vec![0; RAM as usize];
    behind.mem.read_slice(&mut bytes, at(0)).unwrap();
    bytes
}

#[test]
fn the_last_page_but_one_of_all_can_be_mapped_and_used_and_the_last_one_cannot() {
    let (behind, dma) = patchwork();
    assert_eq!(behind.map(TOP, PAGE, 0, 3), Status::Range, "no kernel takes it away again");
    assert_eq!(behind.map(TOP - PAGE, PAGE, 0, 3), Status::Ok);
    dma.write_slice(&[1; PAGE as usize], at(TOP - PAGE)).unwrap();
    dma.write_slice(&[2], at(TOP - 1)).unwrap();
    assert!(dma.write_slice(&[3; 2], at(TOP - 1)).is_err());
    assert!(dma.write_slice(&[3; 2], at(u64::MAX)).is_err());
    let mut edge = [0; 2];
    behind.mem.read_slice(&mut edge, at(PAGE - 2)).unwrap();
    assert_eq!(edge, [1, 2]);
}

#[test]
fn a_mapping_that_permits_nothing_or_leads_to_no_ram_is_a_fault() {
    let (behind, dma) = patchwork();
    assert_eq!(behind.map(0x20_0000, PAGE, 0, 0), Status::Ok);
    assert!(dma.read_slice(&mut [0], at(0x20_0000)).is_err());
    assert_eq!(behind.faults(), [(0x20_0000, "r")]);
    assert_eq!(behind.map(0x20_1000, PAGE, RAM, 3), Status::Fault, "there is no memory");
}

/// What ends an endpoint's access, and whether the page at 0x10_0000 leads to guest-physical 0x10_0000 afterwards.
type End = (&'static str, fn(&mut Behind));

#[test]
fn what_is_taken_away_is_gone_at_once_also_when_it_was_remembered() {
    let ends: [End; 6] = [
        ("unmap", |behind| assert_eq!(behind.unmap(0x10_0000, PAGE), Status::Ok)),
        ("unmap of more", |behind| assert_eq!(behind.unmap(0, 1 << 40), Status::Ok)),
        ("detach", |behind| assert_eq!(behind.detach(), Status::Ok)),
        ("another domain", |behind| {
            let (domain, endpoint) = (Behind::DOMAIN + 2, Behind::ENDPOINT);
            let attach = virtio_iommu_spec::Request::Attach { domain, endpoint, flags: 0, reserved: 0 };
            assert_eq!(behind.send(attach), Status::Ok);
        }),
        ("reset", |behind| crate::virtio::VirtioDevice::reset(&mut behind.viommu)),
        ("system reset", |behind| crate::virtio::VirtioDevice::system_reset(&mut behind.viommu)),
    ];
    for (name, end) in ends {
        let (mut behind, dma) = patchwork();
        dma.write_slice(&[1; 16], at(0x10_0000)).unwrap();
        end(&mut behind);
        let before = contents(&behind);
        assert!(dma.write_slice(&[2; 16], at(0x10_0000)).is_err(), "{name}");
        assert_eq!(contents(&behind), before, "{name}");
        assert_eq!(behind.faults(), [(0x10_0000, "w")], "{name}");
    }
}

#[test]
fn what_is_mapped_anew_leads_to_the_new_place() {
    let (behind, dma) = patchwork();
    dma.write_slice(&[1], at(0x10_0000)).unwrap();
    behind.unmap(0x10_0000, PAGE);
    behind.map(0x10_0000, PAGE, 20 * PAGE, 3);
    dma.write_slice(&[2], at(0x10_0000)).unwrap();
    let mut bytes = [0; 2];
    behind.mem.read_slice(&mut bytes[..1], at(9 * PAGE)).unwrap();
    behind.mem.read_slice(&mut bytes[1..], at(20 * PAGE)).unwrap();
    assert_eq!(bytes, [1, 2]);
}

#[test]
fn bypass_reaches_ram_as_it_lies() {
    let mut behind = Behind::new(RAM);
    let dma = behind.dma();
    assert!(dma.read_slice(&mut [0], at(0)).is_err(), "in no domain, and bypass is off");
    assert_eq!(behind.faults(), [(0, "r")]);
    behind.set_bypass(true);
    dma.write_slice(&[7; 8], at(RAM - 8)).unwrap();
    assert!(dma.write_slice(&[7; 8], at(RAM - 4)).is_err(), "beyond RAM");
    behind.set_bypass(false);
    assert!(dma.read_slice(&mut [0], at(0)).is_err());
    assert_eq!(behind.attach_bypass(), Status::Ok);
    let mut byte = [0];
    dma.read_slice(&mut byte, at(RAM - 1)).unwrap();
    assert_eq!(byte, [7]);
    assert_eq!(behind.faults().len(), 2);
}

#[test]
fn the_fault_says_whether_there_is_a_domain() {
    use virtio_iommu_spec::FaultReason;
    let behind = Behind::new(RAM);
    let dma = behind.dma();
    for reason in [FaultReason::Domain, FaultReason::Mapping] {
        assert!(dma.read_slice(&mut [0], at(PAGE)).is_err());
        assert_eq!(behind.viommu.take_faults().first().map(|fault| fault.reason), Some(reason));
        behind.attach();
    }
}

#[test]
fn an_unmap_is_answered_after_the_use_that_goes_on() {
    let (behind, dma) = patchwork();
    let answered = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let slices = dma.get_slices(at(0x10_0000), 16, Permissions::Write).unwrap();
        scope.spawn(|| {
            assert_eq!(behind.unmap(0x10_0000, PAGE), Status::Ok);
            answered.store(true, Ordering::SeqCst);
        });
        for slice in slices {
            // The other thread has had its chance by the time that this one gets the processor again.
            std::thread::yield_now();
            assert!(!answered.load(Ordering::SeqCst), "answered while the device writes");
            slice.unwrap().copy_from(&[9u8; 16]);
        }
    });
    assert!(answered.load(Ordering::SeqCst));
}

/// A device that writes as fast as it can, and a guest that takes the page away and looks at it: after the answer nothing
/// changes any more.
#[test]
fn nothing_is_written_after_the_answer() {
    let (behind, dma) = patchwork();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also a failed assertion ends the device's thread.
        let _done = SetAtEnd(&done);
        let (done, device) = (&done, dma.clone());
        scope.spawn(move || {
            let mut value = 0u64;
            while !done.load(Ordering::Relaxed) {
                value += 1;
                // Over two mappings, so that half of it could be left behind.
                _ = device.write_slice(&value.to_le_bytes(), at(0x10_0ffc));
            }
        });
        for round in 0..500 {
            let mapping = if round % 2 == 0 { (0x10_0000, 1, 9) } else { (0x10_1000, 2, 3) };
            let (iova, pages, phys) = mapping;
            assert_eq!(behind.unmap(iova, pages * PAGE), Status::Ok);
            let look = || contents(&behind);
            let seen = look();
            std::thread::yield_now();
            assert!(seen == look(), "round {round}: written after the answer");
            assert_eq!(behind.map(iova, pages * PAGE, phys * PAGE, 3), Status::Ok);
        }
    });
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn without_an_iommu_addresses_are_guest_physical() {
    let dma = Dma::direct(ram(RAM));
    dma.write_slice(&[1, 2, 3], at(RAM - 3)).unwrap();
    let mut back = [0; 3];
    dma.as_direct().unwrap().read_slice(&mut back, at(RAM - 3)).unwrap();
    assert_eq!(back, [1, 2, 3]);
    assert!(dma.write_slice(&[0; 4], at(RAM - 3)).is_err());
    assert!(dma.check_range(at(0), RAM as usize, Permissions::ReadWrite));
    assert!(!dma.check_range(at(1), RAM as usize, Permissions::Read));
}

#[test]
fn asking_is_no_access() {
    let (behind, dma) = patchwork();
    let ask = |address, len, access| dma.check_range(at(address), len, access);
    assert!(ask(0x10_0000, 3 * PAGE as usize, Permissions::ReadWrite));
    assert!(ask(0x10_4000, PAGE as usize, Permissions::Read) && ask(0, 0, Permissions::Read));
    assert!(!ask(0x10_4000, 1, Permissions::Write) && !ask(0x10_2fff, 2, Permissions::Read));
    assert!(behind.faults().is_empty());
}
