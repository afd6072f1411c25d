use super::entry;
use crate::routes::{Route, Target};

#[test]
fn msi_routes_carry_all_address_bits_and_the_device_id_when_valid() {
    for (devid, flags) in [(Some(0x1_0008), 1), (None, 0)] {
        let target = Target::Msi { address: 0x12_fee0_1234, data: 0x4031, devid };
        let kernel = entry(&Route { gsi: 30, target });
        assert_eq!((kernel.gsi, kernel.type_, kernel.flags), (30, 2, flags));
        // SAFETY: the entry was filled as an MSI; all its fields are plain integers.
        let (msi, id) = unsafe { (kernel.u.msi, kernel.u.msi.__bindgen_anon_1.devid) };
        assert_eq!((msi.address_hi, msi.address_lo, msi.data), (0x12, 0xfee0_1234, 0x4031));
        assert_eq!(id, devid.unwrap_or(0));
    }
}

#[test]
fn pin_routes_name_chip_and_pin() {
    let kernel = entry(&Route { gsi: 0, target: Target::Pin { chip: 2, pin: 2 } });
    // SAFETY: the entry was filled as a pin; all its fields are plain integers.
    let pin = unsafe { kernel.u.irqchip };
    assert_eq!((kernel.gsi, kernel.type_, pin.irqchip, pin.pin), (0, 1, 2, 2));
}
