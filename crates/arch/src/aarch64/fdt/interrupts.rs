//! The interrupt controller, and in it what turns messages into interrupts.

use data_model::Span;
use vm_fdt::FdtWriter;

use super::super::irqs::{SPI_BASE, V2M_SPI, V2M_SPI_COUNT};
use super::super::{Gic, Layout, MsiFrame};
use super::{GIC_PHANDLE, MSI_PHANDLE, Written, at, node, reg};

/// The controller and its MSI frame.
pub(super) fn write(fdt: &mut FdtWriter, layout: &Layout) -> Written {
    let distributor = layout.gic_distributor();
    let compatible = match layout.gic() {
        Gic::V2 { .. } => "arm,cortex-a15-gic",
        Gic::V3 { .. } => "arm,gic-v3",
    };
    let both: Vec<u64> = [reg(distributor), reg(layout.gic_per_cpu())].concat();
    node(fdt, &at("interrupt-controller", distributor.start()), |fdt| {
        fdt.property_string("compatible", compatible)?;
        fdt.property_u32("#interrupt-cells", 3)?;
        fdt.property_null("interrupt-controller")?;
        fdt.property_array_u64("reg", &both)?;
        fdt.property_phandle(GIC_PHANDLE)?;
        fdt.property_u32("#address-cells", 2)?;
        fdt.property_u32("#size-cells", 2)?;
        fdt.property_null("ranges")?;
        match layout.gic().msi() {
            MsiFrame::Its { .. } => its(fdt, layout.msi_frame()),
            MsiFrame::V2m { .. } => v2m(fdt, layout.msi_frame()),
        }
    })
}

fn its(fdt: &mut FdtWriter, frame: Span) -> Written {
    node(fdt, &at("msi-controller", frame.start()), |fdt| {
        fdt.property_string("compatible", "arm,gic-v3-its")?;
        fdt.property_null("msi-controller")?;
        fdt.property_u32("#msi-cells", 1)?;
        fdt.property_array_u64("reg", &reg(frame))?;
        Ok(fdt.property_phandle(MSI_PHANDLE)?)
    })
}

/// The frame's interrupts are given here, by the controller's numbers, so that nothing has to answer reads of its type register.
fn v2m(fdt: &mut FdtWriter, frame: Span) -> Written {
    node(fdt, &at("v2m", frame.start()), |fdt| {
        fdt.property_string("compatible", "arm,gic-v2m-frame")?;
        fdt.property_null("msi-controller")?;
        fdt.property_array_u64("reg", &reg(frame))?;
        fdt.property_u32("arm,msi-base-spi", SPI_BASE + V2M_SPI)?;
        fdt.property_u32("arm,msi-num-spis", V2M_SPI_COUNT)?;
        Ok(fdt.property_phandle(MSI_PHANDLE)?)
    })
}
