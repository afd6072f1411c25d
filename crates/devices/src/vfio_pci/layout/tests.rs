//! Whom bytes belong to.

use super::*;
use crate::vfio_pci::testing::{E1000E, NVME};

fn facts() -> Facts {
    Facts { bars: [0x4000, 0, 0, 0, 0, 0], msi: 32, msix: 64, intx: true }
}

fn layout(change: impl FnOnce(&mut Vec<u8>, &mut Facts)) -> Layout {
    let (mut image, mut facts) = (NVME().config, facts());
    change(&mut image, &mut facts);
    Layout::new(&image, &facts)
}

#[test]
fn msix_is_cut_down_to_what_vfio_has_and_keeps_its_physical_table_out_of_reach() {
    let layout = layout(|_, facts| facts.msix = 8);
    let msix = layout.msix.unwrap();
    assert_eq!((msix.vectors, msix.table), (8, (0, Span::from_len(0x2000, 0x400).unwrap())));
    assert_eq!(layout.image[0xb2..0xb4], [7, 0]);
}

#[test]
fn without_vectors_at_vfio_the_capability_is_hidden() {
    let layout = layout(|_, facts| facts.msix = 0);
    assert_eq!(layout.msix, None);
    assert_eq!(layout.image[0x71], 0, "PCIe is the last of the chain");
    assert!(layout.owners[0xb0..0x100].iter().all(|owner| *owner == Owner::Emulated));
}

#[test]
fn msi_is_cut_down_to_a_power_of_two() {
    let mut image = E1000E().config;
    image.resize(BYTES, 0);
    for (offered, vectors) in [(1, Some(1)), (3, Some(2)), (4, Some(4)), (32, Some(4)), (0, None)] {
        let layout = Layout::new(&image, &Facts { msi: offered, ..facts() });
        assert_eq!(layout.msi.map(|msi| msi.vectors), vectors, "{offered} offered");
    }
}

#[test]
fn registers_between_capabilities_are_the_devices() {
    let layout = layout(|_, _| {});
    assert_eq!(layout.owners[0xc0], Owner::Device);
    assert_eq!(layout.owners[0x50], Owner::Emulated, "up to the next capability, a hidden one hides all");
}

#[test]
fn a_capability_laid_over_msix_does_not_open_it() {
    let layout = layout(|image, _| {
        image[0xb1] = 0xb4;
        image[0xb4] = 0x09;
        image[0xb5] = 0x00;
        image[0xb6] = 0xff;
    });
    assert!(layout.owners[0xb0..0xbc].iter().all(|owner| *owner == Owner::Emulated));
}
