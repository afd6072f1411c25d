//! Bells rung by a fake kernel.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use vfio::{AssignedDevice, PciIrq};

use super::{Lookout, Notice};
use crate::vfio_pci::testing::{E1000E, FakeDevice, NVME};

/// Longer than any machine is busy with other things.
const LONG: Duration = Duration::from_secs(60);

fn listening(devices: &[Arc<FakeDevice>]) -> (Lookout, Receiver<(String, Notice)>) {
    let (told, heard) = channel();
    let devices: Vec<_> = devices.iter().map(|device| device.clone() as Arc<dyn AssignedDevice>).collect();
    let lookout = Lookout::start(&devices, move |name, notice| told.send((name.to_owned(), notice)).unwrap());
    (lookout.unwrap(), heard)
}

#[test]
fn each_notice_is_told_once_however_often_the_kernel_repeats_it() {
    let (one, other) = (Arc::new(FakeDevice::new(NVME())), Arc::new(FakeDevice::new(E1000E())));
    let (lookout, heard) = listening(&[one.clone(), other.clone()]);
    let rings = [
        (&one, PciIrq::Request, Notice::Wanted),
        (&one, PciIrq::Error, Notice::Failed),
        (&other, PciIrq::Request, Notice::Wanted),
    ];
    for (device, irq, notice) in rings {
        device.ring(irq);
        assert_eq!(heard.recv_timeout(LONG), Ok((device.name().to_owned(), notice)));
        device.ring(irq);
    }
    drop(lookout);
    assert_eq!(heard.recv().ok(), None, "and nothing more until the end");
}

#[test]
fn a_device_of_which_the_kernel_says_less_is_listened_to_all_the_same() {
    let mut image = E1000E();
    image.config[0x34] = 0;
    let device = Arc::new(FakeDevice::new(image));
    let (_lookout, heard) = listening(std::slice::from_ref(&device));
    assert_eq!(
        device.with(|state| state.bells.len()),
        1,
        "no errors are reported of what is not PCI Express"
    );
    device.ring(PciIrq::Request);
    assert_eq!(heard.recv_timeout(LONG).unwrap().1, Notice::Wanted);
}

#[test]
fn a_kernel_that_refuses_is_no_reason_not_to_run() {
    let device = Arc::new(FakeDevice::new(NVME()));
    device.with(|state| state.gone = true);
    let (lookout, heard) = listening(&[device]);
    drop(lookout);
    assert_eq!(heard.recv().ok(), None);
}
