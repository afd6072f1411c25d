//! The PCI host bridge, and on it the virtual IOMMU and who is behind it.

use data_model::Span;
use vm_fdt::FdtWriter;

use super::super::irqs::pci_intx_spi;
use super::{
    FdtShape, GIC_PHANDLE, LEVEL_HIGH, MSI_PHANDLE, SPI, VIOMMU_PHANDLE, Written, at, cells, node, reg,
};
use crate::{PciShape, ViommuShape};

const MEMORY_32: u32 = 0x0200_0000;
const MEMORY_64: u32 = 0x0300_0000;
/// The lines repeat after eight devices, so the map needs only the low three bits of a device number.
const DEVICES: u8 = 8;
const DEVICE_MASK: u32 = 0x3800;
const PIN_MASK: u32 = 7;
const PINS: u8 = 4;
const ALL_REQUESTERS: u32 = 0x1_0000;

/// The host bridge.
pub(super) fn write(fdt: &mut FdtWriter, shape: &FdtShape<'_>) -> Written {
    let pci = shape.layout.pci();
    node(fdt, &at("pcie", pci.ecam.start()), |fdt| {
        fdt.property_string("compatible", "pci-host-ecam-generic")?;
        fdt.property_string("device_type", "pci")?;
        fdt.property_u32("#address-cells", 3)?;
        fdt.property_u32("#size-cells", 2)?;
        fdt.property_array_u64("reg", &reg(pci.ecam))?;
        fdt.property_array_u32("bus-range", &[0, pci.last_bus.into()])?;
        fdt.property_u32("linux,pci-domain", 0)?;
        fdt.property_array_u32("ranges", &windows(&pci))?;
        fdt.property_null("dma-coherent")?;
        fdt.property_u32("#interrupt-cells", 1)?;
        fdt.property_array_u32("interrupt-map-mask", &[DEVICE_MASK, 0, 0, PIN_MASK])?;
        fdt.property_array_u32("interrupt-map", &lines())?;
        fdt.property_array_u32("msi-map", &[0, MSI_PHANDLE, 0, ALL_REQUESTERS])?;
        match shape.viommu {
            Some(viommu) => write_viommu(fdt, viommu),
            None => Ok(()),
        }
    })
}

/// `iommu-map` lists the endpoints one by one and nothing else, exactly what VIOT says on x86. Everything outside, the
/// IOMMU itself first of all, is then untranslated for the kernel: it must not wait for an IOMMU that waits for itself,
/// and a function that the device does not know as an endpoint would be refused by it.
fn write_viommu(fdt: &mut FdtWriter, viommu: &ViommuShape) -> Written {
    let one = |id: u32| [id, VIOMMU_PHANDLE, id, 1];
    let map: Vec<u32> = viommu.sorted()?.iter().flat_map(|endpoint| one(endpoint.id().into())).collect();
    if !map.is_empty() {
        fdt.property_array_u32("iommu-map", &map)?;
    }
    let own = viommu.iommu;
    node(fdt, &format!("iommu@{:x},{:x}", own.device(), own.function()), |fdt| {
        let names = ["virtio,pci-iommu", "pci1af4,1057"].map(String::from).to_vec();
        fdt.property_string_list("compatible", names)?;
        fdt.property_array_u32("reg", &[u32::from(own.id()) << 8, 0, 0, 0, 0])?;
        fdt.property_u32("#iommu-cells", 1)?;
        Ok(fdt.property_phandle(VIOMMU_PHANDLE)?)
    })
}

/// The BAR windows, each at the same address on the bus and for the processor.
fn windows(pci: &PciShape) -> Vec<u32> {
    let low = window(MEMORY_32, pci.mmio32);
    let high = pci.mmio64.map(|span| window(MEMORY_64, span));
    low.into_iter().chain(high.into_iter().flatten()).collect()
}

fn window(kind: u32, span: Span) -> [u32; 7] {
    let [start, len] = reg(span).map(cells);
    [kind, start[0], start[1], start[0], start[1], len[0], len[1]]
}

/// `interrupt-map`: device and pin to a line of the controller, whose own address takes two cells that mean nothing.
fn lines() -> Vec<u32> {
    let mut map = Vec::new();
    for device in 0..DEVICES {
        for pin in 0..PINS {
            let (no_address, intx) = ([0, 0], u32::from(pin) + 1);
            map.extend([u32::from(device) << 11, 0, 0, intx, GIC_PHANDLE]);
            map.extend(no_address);
            map.extend([SPI, pci_intx_spi(device, pin), LEVEL_HIGH]);
        }
    }
    map
}
