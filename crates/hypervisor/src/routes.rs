//! Which GSI leads where: the table that KVM_SET_GSI_ROUTING wants as a whole.
//!
//! Invariant: the machine's own pins are always in the table; an MSI GSI has at most one entry.

use std::collections::BTreeMap;

/// Pins of the IOAPIC; MSI GSIs start behind them.
const IOAPIC_PINS: u32 = 24;
const PIC_MASTER: u32 = 0;
const PIC_SLAVE: u32 = 1;
const IOAPIC: u32 = 2;
const GIC: u32 = 0;
/// INTID of the first shared interrupt of a GIC.
const FIRST_SPI: u32 = 32;
/// `KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT`.
const LINE_TYPE_SPI: u32 = 1 << 24;

/// Where an interrupt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A pin of an in-kernel interrupt chip, both numbered as KVM does.
    Pin {
        /// Chip number.
        chip: u32,
        /// Pin of the chip.
        pin: u32,
    },
    /// A write of `data` to `address`.
    Msi {
        /// Doorbell, guest-physical.
        address: u64,
        /// The word written.
        data: u32,
        /// The writer's device id, for a chip that wants one (GICv3 ITS).
        devid: Option<u32>,
    },
}

/// One entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The interrupt, as irqfds name it.
    pub gsi: u32,
    /// Where it goes.
    pub target: Target,
}

/// The interrupt chips of a machine, as far as numbering goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// Two PICs and an IOAPIC. GSI 0 (the timer) is IOAPIC pin 2, so the MADT must carry that override; GSI 2 is the PICs'
    /// cascade and leads nowhere.
    Pc,
    /// A GIC with this many shared interrupts; GSI `n` is SPI `n`, which is INTID `32 + n`.
    Gic {
        /// Shared interrupts, at most 988.
        spis: u32,
    },
}

impl Wiring {
    /// Number of GSIs that are pins; MSI GSIs follow.
    pub fn pins(self) -> u32 {
        match self {
            Wiring::Pc => IOAPIC_PINS,
            Wiring::Gic { spis } => spis,
        }
    }

    /// The entries of the pins.
    pub fn default_routes(self) -> Vec<Route> {
        let pin = |gsi, chip, pin| Route { gsi, target: Target::Pin { chip, pin } };
        match self {
            Wiring::Gic { spis } => (0..spis).map(|spi| pin(spi, GIC, spi)).collect(),
            Wiring::Pc => {
                let master = (0..8).filter(|n| *n != 2).map(|n| pin(n, PIC_MASTER, n));
                let slave = (8..16).map(|n| pin(n, PIC_SLAVE, n - 8));
                let ioapic = (0..IOAPIC_PINS).filter(|n| *n != 2);
                let ioapic = ioapic.map(|n| pin(n, IOAPIC, if n == 0 { 2 } else { n }));
                master.chain(slave).chain(ioapic).collect()
            }
        }
    }

    /// The number by which KVM_IRQ_LINE knows the pin `gsi`; `None` when there is no such pin.
    pub fn line_word(self, gsi: u32) -> Option<u32> {
        match self {
            Wiring::Pc if gsi == 2 => None,
            Wiring::Pc => (gsi < IOAPIC_PINS).then_some(gsi),
            Wiring::Gic { spis } => (gsi < spis).then(|| LINE_TYPE_SPI | (FIRST_SPI + gsi)),
        }
    }

    /// The target that stands for SPI `spi`; `None` when there is no such SPI.
    pub fn spi(self, spi: u32) -> Option<Target> {
        match self {
            Wiring::Gic { spis } if spi < spis => Some(Target::Pin { chip: GIC, pin: spi }),
            _ => None,
        }
    }
}

/// The table: the machine's pins, and the MSIs that are routed at present.
#[derive(Debug)]
pub(crate) struct RouteTable {
    pins: Vec<Route>,
    msis: BTreeMap<u32, Target>,
}

impl RouteTable {
    /// The pins of `wiring` alone.
    pub(crate) fn new(wiring: Wiring) -> RouteTable {
        RouteTable { pins: wiring.default_routes(), msis: BTreeMap::new() }
    }

    /// Entries that are always there.
    pub(crate) fn fixed(&self) -> usize {
        self.pins.len()
    }

    /// Sets the entry of an MSI GSI; returns the one before.
    pub(crate) fn set(&mut self, gsi: u32, target: Option<Target>) -> Option<Target> {
        match target {
            Some(target) => self.msis.insert(gsi, target),
            None => self.msis.remove(&gsi),
        }
    }

    /// The entry of an MSI GSI.
    pub(crate) fn get(&self, gsi: u32) -> Option<Target> {
        self.msis.get(&gsi).copied()
    }

    /// All entries, as the kernel wants them.
    pub(crate) fn entries(&self) -> Vec<Route> {
        let msis = self.msis.iter().map(|(gsi, target)| Route { gsi: *gsi, target: *target });
        self.pins.iter().copied().chain(msis).collect()
    }
}

#[cfg(test)]
mod tests;
