//! Processors, how they are woken, and their timers.

use vm_fdt::FdtWriter;

use super::super::Gic;
use super::super::irqs::TIMER_PPIS;
use super::{LEVEL_HIGH, PPI, Written, cells, node};

/// The affinity fields of an MPIDR; the rest is flags.
const AFFINITY: u64 = 0xff_00ff_ffff;

/// The processors and the calls that wake them.
pub(super) fn write(fdt: &mut FdtWriter, mpidrs: &[u64]) -> Written {
    node(fdt, "cpus", |fdt| {
        fdt.property_u32("#address-cells", 2)?;
        fdt.property_u32("#size-cells", 0)?;
        mpidrs.iter().try_for_each(|mpidr| cpu(fdt, mpidr & AFFINITY))
    })?;
    node(fdt, "psci", |fdt| {
        let known = ["arm,psci-1.0", "arm,psci-0.2"].map(String::from).to_vec();
        fdt.property_string_list("compatible", known)?;
        Ok(fdt.property_string("method", "hvc")?)
    })
}

fn cpu(fdt: &mut FdtWriter, affinity: u64) -> Written {
    node(fdt, &super::at("cpu", affinity), |fdt| {
        fdt.property_string("device_type", "cpu")?;
        fdt.property_string("compatible", "arm,armv8")?;
        fdt.property_string("enable-method", "psci")?;
        Ok(fdt.property_array_u32("reg", &cells(affinity))?)
    })
}

/// The timers. A GICv2 wants to know which processors a private interrupt belongs to; all of them.
pub(super) fn timer(fdt: &mut FdtWriter, gic: Gic, cpus: usize) -> Written {
    let processors = match gic {
        Gic::V2 { .. } => ((1u32 << cpus.min(8)) - 1) << 8,
        Gic::V3 { .. } => 0,
    };
    let interrupts: Vec<u32> =
        TIMER_PPIS.iter().flat_map(|ppi| [PPI, *ppi, LEVEL_HIGH | processors]).collect();
    node(fdt, "timer", |fdt| {
        fdt.property_string("compatible", "arm,armv8-timer")?;
        fdt.property_array_u32("interrupts", &interrupts)?;
        Ok(fdt.property_null("always-on")?)
    })
}
