use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::*;
use crate::virtio::testkit::FakeMsiController;

const ENABLE: u16 = CONTROL_ENABLE;
const MASK_ALL: u16 = CONTROL_ENABLE | CONTROL_MASK;

fn table(count: u16) -> (Arc<FakeMsiController>, MsixTable) {
    let controller = Arc::new(FakeMsiController::default());
    (controller.clone(), MsixTable::new(controller, Bdf::from_id(0x0100), count))
}

fn program(table: &mut MsixTable, vector: u64, address: u64, data: u32, masked: bool) -> Vec<MsixChange> {
    let mut changes = table.table_write(vector * 16, &address.to_le_bytes());
    changes.extend(table.table_write(vector * 16 + 8, &data.to_le_bytes()));
    changes.extend(table.table_write(vector * 16 + 12, &u32::from(masked).to_le_bytes()));
    changes
}

fn pending(table: &MsixTable) -> u64 {
    let mut raw = [0; 8];
    table.pending_read(0, &mut raw);
    u64::from_le_bytes(raw)
}

#[test]
fn an_unmasked_vector_sends_its_message() {
    let (controller, mut table) = table(4);
    assert_eq!(program(&mut table, 2, 0xfee0_0000, 0x41, false), []);
    assert!(!table.trigger(2).unwrap(), "MSI-X is off");
    assert_eq!(table.set_control(ENABLE), [MsixChange::Enabled(true), MsixChange::VectorRouted(2)]);
    let vector = controller.with_data(0x41).unwrap();
    assert_eq!(vector.message(), Some(MsiMessage { address: 0xfee0_0000, data: 0x41 }));
    assert_eq!(vector.requester, Bdf::from_id(0x0100));
    assert!(table.trigger(2).unwrap());
    assert_eq!(vector.take(), 1);
    assert!(!table.trigger(4).unwrap(), "no such vector");
}

#[test]
fn what_comes_while_masked_is_sent_at_the_unmask() {
    // How the guest masks, and how it unmasks.
    type Act = fn(&mut MsixTable) -> Vec<MsixChange>;
    let entry_mask: Act = |table| table.table_write(12, &[1, 0, 0, 0]);
    let entry_unmask: Act = |table| table.table_write(12, &[0, 0, 0, 0]);
    let function_mask: Act = |table| table.set_control(MASK_ALL);
    let function_unmask: Act = |table| table.set_control(ENABLE);
    for (mask, unmask) in [(entry_mask, entry_unmask), (function_mask, function_unmask)] {
        let (controller, mut table) = table(2);
        program(&mut table, 0, 0xfee0_0000, 0x41, false);
        table.set_control(ENABLE);
        let vector = controller.with_data(0x41).unwrap();
        assert_eq!(mask(&mut table), [MsixChange::VectorMasked(0)]);
        assert_eq!(vector.message(), None);
        assert!(table.trigger(0).unwrap());
        assert_eq!((vector.take(), pending(&table)), (0, 1));
        assert_eq!(unmask(&mut table), [MsixChange::VectorRouted(0)]);
        assert_eq!((vector.take(), pending(&table)), (1, 0));
    }
}

#[test]
fn a_changed_message_is_routed_anew() {
    let (controller, mut table) = table(1);
    program(&mut table, 0, 0xfee0_0000, 0x41, false);
    table.set_control(ENABLE);
    assert_eq!(table.table_write(8, &0x42u32.to_le_bytes()), [MsixChange::VectorRouted(0)]);
    assert!(controller.with_data(0x42).is_some());
    assert_eq!(table.table_write(8, &0x42u32.to_le_bytes()), [], "nothing changed");
}

#[test]
fn a_host_without_routes_keeps_interrupts_pending() {
    let (controller, mut table) = table(1);
    controller.exhausted.store(true, Ordering::Relaxed);
    program(&mut table, 0, 0xfee0_0000, 1, false);
    assert_eq!(table.set_control(ENABLE), [MsixChange::Enabled(true), MsixChange::VectorLost(0)]);
    assert!(table.trigger(0).unwrap());
    assert_eq!(pending(&table), 1);
}

#[test]
fn a_reset_gives_everything_back() {
    let (controller, mut table) = table(2);
    program(&mut table, 0, 0xfee0_0000, 1, false);
    table.set_control(ENABLE);
    table.reset();
    assert_eq!((table.control(), pending(&table), table.is_masked(0)), (1, 0, true));
    assert_eq!(controller.vectors()[0].message(), None);
    assert!(table.vector(0).is_none());
}

proptest! {
    #[test]
    fn any_access_is_safe_and_reads_back(
        writes in proptest::collection::vec((0u64..100, proptest::collection::vec(any::<u8>(), 1..9)), 1..40),
        far in any::<u64>(),
    ) {
        let (_controller, mut table) = table(3);
        table.set_control(ENABLE);
        for (offset, data) in &writes {
            table.table_write(*offset, data);
            let mut one = [0; 1];
            table.table_read(*offset, &mut one);
            let mask = match offset % 16 {
                _ if *offset >= 48 => 0,
                0 => 0xfc,
                12 => 1,
                13..=15 => 0,
                _ => 0xff,
            };
            prop_assert_eq!(one[0], data[0] & mask);
        }
        table.table_write(far, &[1, 2, 3]);
        let mut raw = [0xee; 8];
        table.table_read(far | 1 << 40, &mut raw);
        prop_assert_eq!(raw, [0; 8]);
        table.pending_read(far | 1 << 40, &mut raw);
        prop_assert_eq!(raw, [0; 8]);
    }
}
