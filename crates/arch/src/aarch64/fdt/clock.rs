//! The clock of the day.

use data_model::Span;
use vm_fdt::FdtWriter;

use super::{BUS_CLOCK_PHANDLE, Written, at, node, reg};

/// The clock, and the clock of the bus that kernels ask for before they look at such a part. It has no alarm, and so no
/// interrupt.
pub(super) fn write(fdt: &mut FdtWriter, clock: Span) -> Written {
    node(fdt, "apb-pclk", |fdt| {
        fdt.property_string("compatible", "fixed-clock")?;
        fdt.property_u32("#clock-cells", 0)?;
        fdt.property_u32("clock-frequency", 24_000_000)?;
        Ok(fdt.property_phandle(BUS_CLOCK_PHANDLE)?)
    })?;
    node(fdt, &at("rtc", clock.start()), |fdt| {
        fdt.property_string_list("compatible", ["arm,pl031", "arm,primecell"].map(String::from).to_vec())?;
        fdt.property_array_u64("reg", &reg(clock))?;
        fdt.property_u32("clocks", BUS_CLOCK_PHANDLE)?;
        Ok(fdt.property_string("clock-names", "apb_pclk")?)
    })
}
