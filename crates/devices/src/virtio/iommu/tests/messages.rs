//! Interrupt messages of endpoints: each request that moves them has done so when its answer comes.

use std::io;
use std::sync::Arc;

use base::EventFd;
use data_model::Bdf;
use virtio_iommu_spec::{ATTACH_F_BYPASS, CONFIG_BYPASS_OFFSET, FAULT_SIZE, Request, Status};

use super::rig::*;
use crate::irq::{MsiController, MsiMessage, MsiVector};
use crate::virtio::VirtioDevice;
use crate::virtio::testkit::{FakeMsiController, FakeVector, SECOND};

const DOORBELL: u64 = 0xfee0_1040;
const IOVA: u64 = 5 * PAGE + 0x40;

struct Sender {
    vector: Arc<dyn MsiVector>,
    inner: Arc<FakeVector>,
}

/// A vector of an endpoint.
fn sender(rig: &Rig, endpoint: u16) -> Sender {
    let controller = Arc::new(FakeMsiController::default());
    let vector =
        rig.device.handle().translated_msi(controller.clone()).vector(Bdf::from_id(endpoint)).unwrap();
    Sender { vector, inner: controller.vectors()[0].clone() }
}

impl Sender {
    fn program(&self, address: u64) {
        self.vector.route(MsiMessage { address, data: 7 }).unwrap();
    }

    fn target(&self) -> Option<u64> {
        self.inner.message().map(|message| message.address)
    }
}

#[track_caller]
fn ok(status: Status) {
    assert_eq!(status, Status::Ok);
}

#[test]
fn a_message_to_the_published_doorbells_is_never_translated() {
    let mut rig = rig();
    let sender = sender(&rig, 8);
    sender.program(DOORBELL);
    let routed = || sender.inner.routed.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((sender.target(), routed()), (Some(DOORBELL), 1));
    ok(rig.attach(8, 1));
    ok(rig.map(1, 0, PAGE - 1, 0, 3));
    ok(rig.unmap(1, 0, u64::MAX));
    ok(rig.send(Request::Detach { domain: 1, endpoint: 8 }));
    rig.device.reset();
    assert_eq!((sender.target(), routed()), (Some(DOORBELL), 1), "and not routed again either");
}

#[test]
fn a_message_follows_map_and_unmap() {
    let mut rig = rig();
    let (sender, other) = (sender(&rig, 8), sender(&rig, 16));
    ok(rig.attach(8, 1));
    ok(rig.attach(16, 2));
    sender.program(IOVA);
    other.program(IOVA);
    assert_eq!(sender.target(), None, "nothing is mapped there");
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, PAGE, 2));
    assert_eq!(sender.target(), Some(PAGE + 0x40));
    assert_eq!(other.target(), None, "in another domain");
    ok(rig.map(1, 6 * PAGE, 7 * PAGE - 1, PAGE, 2));
    ok(rig.unmap(1, 6 * PAGE, 7 * PAGE - 1));
    assert_eq!(sender.target(), Some(PAGE + 0x40), "neighbours do not matter");
    assert_eq!(rig.unmap(1, 5 * PAGE, 5 * PAGE + 0x7ff), Status::Range, "a split is refused");
    assert_eq!(sender.target(), Some(PAGE + 0x40), "and changes nothing");
    ok(rig.unmap(1, 0, u64::MAX));
    assert_eq!(sender.target(), None);
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, 2 * PAGE, 3));
    assert_eq!(sender.target(), Some(2 * PAGE + 0x40));
}

#[test]
fn a_mapping_that_must_not_be_written_carries_no_message() {
    let mut rig = rig();
    ok(rig.attach(8, 1));
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, PAGE, 1));
    let sender = sender(&rig, 8);
    sender.program(IOVA);
    assert_eq!(sender.target(), None);
}

#[test]
fn a_message_follows_its_endpoint_from_domain_to_domain() {
    let mut rig = rig();
    let sender = sender(&rig, 8);
    ok(rig.attach(16, 2));
    ok(rig.map(2, 5 * PAGE, 6 * PAGE - 1, 2 * PAGE, 2));
    ok(rig.attach(8, 1));
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, PAGE, 2));
    sender.program(IOVA);
    assert_eq!(sender.target(), Some(PAGE + 0x40));
    ok(rig.attach(8, 2));
    assert_eq!(sender.target(), Some(2 * PAGE + 0x40));
    ok(rig.attach(8, 3));
    assert_eq!(sender.target(), None);
    ok(rig.attach(8, 2));
    ok(rig.send(Request::Detach { domain: 2, endpoint: 8 }));
    assert_eq!(sender.target(), None);
    ok(rig.send(Request::Attach { domain: 9, endpoint: 8, flags: ATTACH_F_BYPASS, reserved: 0 }));
    assert_eq!(sender.target(), Some(IOVA), "one to one in bypass");
}

#[test]
fn a_message_of_an_endpoint_in_no_domain_follows_the_bypass_field_and_resets() {
    let mut rig = rig();
    let sender = sender(&rig, 8);
    sender.program(IOVA);
    for (bypass, target) in [(1, Some(IOVA)), (0, None), (1, Some(IOVA))] {
        assert!(rig.device.config_write(CONFIG_BYPASS_OFFSET, &[bypass], ALL_FEATURES));
        assert_eq!(sender.target(), target);
    }
    ok(rig.attach(8, 1));
    assert_eq!(sender.target(), None);
    rig.device.reset();
    assert_eq!(sender.target(), Some(IOVA), "the field survives a device reset");
    rig.device.system_reset();
    assert_eq!(sender.target(), None, "but not one of the machine");
}

#[test]
fn an_interrupt_is_raised_by_the_same_event_whether_translated_or_not() {
    let sender = sender(&rig(), 8);
    sender.vector.event().write(3).unwrap();
    assert_eq!(sender.inner.event().read().unwrap(), 3);
}

#[test]
fn a_vector_that_is_off_or_gone_is_left_alone() {
    let mut rig = rig();
    let (off, gone, moved) = (sender(&rig, 8), sender(&rig, 8), sender(&rig, 8));
    for sender in [&off, &gone, &moved] {
        sender.program(IOVA);
    }
    off.vector.unroute().unwrap();
    let Sender { vector, inner } = gone;
    drop(vector);
    assert_eq!(Arc::strong_count(&inner), 1, "nobody but this test holds it now");
    moved.program(IOVA + PAGE);
    ok(rig.attach(8, 1));
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, PAGE, 2));
    assert_eq!((off.target(), inner.message(), moved.target()), (None, None, None));
    off.program(IOVA);
    assert_eq!(off.target(), Some(PAGE + 0x40));
}

#[test]
fn programming_a_message_that_leads_nowhere_is_a_fault_and_losing_it_later_is_none() {
    let mut rig = rig();
    let sender = sender(&rig, 8);
    let buffers: Vec<_> =
        (0..2).map(|_| rig.bench.queues[1].chain().writable(FAULT_SIZE as u32).send()).collect();
    ok(rig.attach(8, 1));
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, PAGE, 2));
    sender.program(IOVA);
    ok(rig.unmap(1, 0, u64::MAX));
    sender.program(IOVA + PAGE);
    let events = &mut rig.bench.queues[1];
    let used = events.wait(SECOND).expect("an event");
    let report = events.reply(&buffers[0], used).bytes;
    assert_eq!((report[0], &report[4..12]), (2, &[2, 1, 0, 0, 8, 0, 0, 0][..]));
    assert_eq!(report[16..24], (IOVA + PAGE).to_le_bytes());
    assert_eq!(rig.device.handle().report().counters.events, 1);
}

/// Vectors that take messages to [`DOORBELL`] only.
struct Picky(FakeMsiController);

struct PickyVector(Arc<dyn MsiVector>);

impl MsiController for Picky {
    fn vector(&self, requester: Bdf) -> io::Result<Arc<dyn MsiVector>> {
        Ok(Arc::new(PickyVector(self.0.vector(requester)?)))
    }
}

impl MsiVector for PickyVector {
    fn event(&self) -> &EventFd {
        self.0.event()
    }

    fn route(&self, message: MsiMessage) -> io::Result<()> {
        if message.address != DOORBELL {
            Err(io::ErrorKind::AddrNotAvailable.into())
        } else {
            self.0.route(message)
        }
    }

    fn unroute(&self) -> io::Result<()> {
        self.0.unroute()
    }
}

#[test]
fn a_message_that_leads_to_no_doorbell_has_no_route() {
    let mut rig = rig();
    let controller = Arc::new(Picky(FakeMsiController::default()));
    let vector = rig.device.handle().translated_msi(controller.clone()).vector(Bdf::from_id(8)).unwrap();
    let target = || controller.0.vectors()[0].message().map(|message| message.address);
    ok(rig.attach(8, 1));
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, PAGE, 2));
    vector.route(MsiMessage { address: DOORBELL, data: 7 }).unwrap();
    assert_eq!(target(), Some(DOORBELL));
    assert!(vector.route(MsiMessage { address: IOVA, data: 7 }).is_err());
    assert_eq!(target(), None, "the old route is gone");
    ok(rig.unmap(1, 0, u64::MAX));
    ok(rig.map(1, 5 * PAGE, 6 * PAGE - 1, PAGE, 2));
    assert_eq!(target(), None, "a later refusal is no failure of the request");
}
