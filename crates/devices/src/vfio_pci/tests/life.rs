//! Resets: at the start, with the machine, by the guest, and at the end.

use crate::pci::PciFunction;
use crate::vfio_pci::testing::{E1000E, FakeDevice, Machine, NVME};

/// An NVMe device at work: BAR mapped, bus master, MSI-X on with one vector.
fn at_work(device: FakeDevice) -> Machine {
    let mut machine = Machine::with(device);
    machine.set_u32(0x10, 0xc000_0000);
    machine.set_u16(0x04, 6);
    machine.set_u16(0xb2, 0x8000);
    machine.set_entry(0, 0x2000, 0, 0x40, 0);
    assert_eq!((machine.mapped().len(), machine.bound()), (1, vec![Some(0x40)]));
    machine
}

fn assert_fresh(machine: &mut Machine) {
    assert_eq!((machine.mapped(), machine.function.windows()), (vec![], vec![]));
    assert_eq!((machine.u16(0x04), machine.u32(0x10), machine.u16(0xb2)), (0, 4, 63));
    assert_eq!(machine.device.with(|state| state.on), Some(vfio::PciIrq::Intx));
    let mut mask = [0; 4];
    machine.function.bar_read(0, 0x200c, &mut mask);
    assert_eq!(mask, [1, 0, 0, 0]);
}

#[test]
fn a_device_is_reset_with_bus_mastering_off_before_the_guest_sees_it() {
    let machine = Machine::new(NVME());
    assert_eq!(machine.device.with(|state| state.resets.clone()), [0]);
}

#[test]
fn a_reset_of_the_machine_brings_power_on_back() {
    let mut machine = at_work(FakeDevice::new(NVME()));
    machine.function.reset();
    assert_eq!(machine.device.with(|state| state.resets.clone()), [0, 0]);
    assert_fresh(&mut machine);
}

#[test]
fn a_function_level_reset_goes_through_vfio() {
    let mut machine = at_work(FakeDevice::new(NVME()));
    machine.set_u16(0x78, 0xa910);
    assert_eq!(machine.device.with(|state| state.resets.clone()), [0, 0]);
    assert_fresh(&mut machine);
    let last = machine.device.with(|state| state.config[0x79]);
    assert_eq!(last & 0x80, 0, "the bit itself never reaches the device");
}

#[test]
fn the_reset_of_advanced_features_goes_through_vfio_too() {
    let mut image = E1000E();
    image.config[0xc9] = 0x40;
    image.config[0x40..0x46].copy_from_slice(&[0x13, 0xd0, 6, 3, 0, 0]);
    let mut machine = Machine::new(image);
    machine.function.config_write(0x44, &[0]);
    assert_eq!(machine.device.with(|state| state.resets.len()), 1);
    machine.function.config_write(0x44, &[1]);
    assert_eq!(machine.device.with(|state| (state.resets.len(), state.config[0x44])), (2, 0));
}

#[test]
fn a_device_that_cannot_be_reset_is_at_least_silenced() {
    let device = FakeDevice::new(NVME());
    device.with(|state| state.reset_unsupported = true);
    let mut machine = at_work(device);
    machine.function.config_write(0x44, &[3]);
    machine.function.reset();
    assert_eq!(machine.device.with(|state| (state.command(), state.config[0x44] & 3)), (0, 0));
    assert_fresh(&mut machine);
}

#[test]
fn a_device_that_goes_leaves_nothing_behind() {
    let Machine { device, mapper, line, function, .. } = at_work(FakeDevice::new(NVME()));
    drop(function);
    assert_eq!(mapper.mappings().len(), 0);
    assert_eq!(line.bound(), 0);
    device.with(|state| {
        assert_eq!((state.on, state.command(), state.resets.len()), (None, 0, 2));
    });
}
