//! The checks that come before the kernel, on a device whose descriptor is a plain file.

use std::fs::File;
use std::io;

use base::{CallId, FaultPlan};
use data_model::Span;

use super::Device;
use crate::{AssignedDevice, IrqAction, IrqInfo, PciIrq, PciRegion, RegionInfo, VfioError};

/// A device of one BAR, which lies at 0x1000 of an 8 KiB file.
fn device(resettable: bool) -> Device {
    let file = File::from(rustix::fs::memfd_create("device", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
    file.set_len(0x2000).unwrap();
    let bar = RegionInfo {
        size: 0x1000,
        file_offset: 0x1000,
        readable: true,
        writable: true,
        mappable: vec![Span::from_len(0, 0x800).unwrap()],
        msix_mappable: false,
    };
    let mut irqs = [IrqInfo::default(); PciIrq::ALL.len()];
    irqs[1] = IrqInfo { count: 2, eventfd: true, resizable: false };
    Device { name: "0000:01:00.0".into(), file, resettable, regions: vec![bar], irqs }
}

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn accesses_land_at_the_regions_place_in_the_descriptor() {
    let device = device(true);
    device.write(PciRegion::Bar(0), 0xffc, &[1, 2, 3, 4]).unwrap();
    let mut word = [0; 4];
    device.read(PciRegion::Bar(0), 0xffc, &mut word).unwrap();
    assert_eq!(word, [1, 2, 3, 4]);
    let mut raw = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(&device.file, &mut raw, 0x1ffc).unwrap();
    assert_eq!(raw, [1, 2, 3, 4]);
}

#[test]
fn accesses_outside_a_region_or_to_none_are_refused() {
    let device = device(true);
    let mut word = [0; 4];
    for (region, offset) in [
        (PciRegion::Bar(0), 0xffd),
        (PciRegion::Bar(0), u64::MAX),
        (PciRegion::Bar(1), 0),
        (PciRegion::Bar(9), 0),
        (PciRegion::Config, 0),
    ] {
        assert_eq!(errno(device.read(region, offset, &mut word)), Some(libc::EINVAL), "{region:?}");
        assert_eq!(errno(device.write(region, offset, &word)), Some(libc::EINVAL), "{region:?}");
    }
}

#[test]
fn only_mappable_areas_are_mapped() {
    let device = device(true);
    let outside = Span::from_len(0, 0x1000).unwrap();
    assert_eq!(errno(device.map(PciRegion::Bar(0), outside)), Some(libc::EINVAL));
    assert_eq!(errno(device.map(PciRegion::Rom, outside)), Some(libc::EINVAL));
    let inside = Span::from_len(0, 0x800).unwrap();
    assert_eq!(device.map(PciRegion::Bar(0), inside).unwrap().len(), 0x800);
}

#[test]
fn vectors_that_the_device_lacks_never_reach_the_kernel() {
    let device = device(true);
    let two = [None, None];
    let beyond = [(PciIrq::Msi, 1), (PciIrq::Msi, u32::MAX), (PciIrq::Intx, 0), (PciIrq::Msix, 0)];
    for (irq, start) in beyond {
        let result = device.set_irqs(irq, IrqAction::Trigger { start, events: &two });
        assert_eq!(errno(result), Some(libc::EINVAL), "{irq:?} from {start}");
    }
    let reached = device.set_irqs(PciIrq::Msi, IrqAction::Trigger { start: 0, events: &two });
    assert_eq!(errno(reached), Some(libc::ENOTTY));
}

#[test]
fn a_reset_fails_as_planned_or_for_want_of_support() {
    let plan = FaultPlan::arm(CallId::DeviceReset, 0, 1, libc::EIO);
    assert_eq!(errno(device(true).reset()), Some(libc::EIO));
    drop(plan);
    assert_eq!(errno(device(true).reset()), Some(libc::ENOTTY));
    assert_eq!(device(false).reset().unwrap_err().kind(), io::ErrorKind::Unsupported);
    assert!(!device(false).is_resettable());
}

#[test]
fn a_descriptor_that_is_no_device_is_refused_by_name() {
    let fd = File::open("/dev/null").unwrap().into();
    let error = Device::from_fd("0000:03:00.1", fd).unwrap_err();
    assert!(matches!(&error, VfioError::Device { name, .. } if name == "0000:03:00.1"), "{error}");
}
