//! What the tables of both architectures describe: the PCI host bridge and the virtual IOMMU on it.

use std::collections::BTreeSet;

use data_model::{Bdf, Span};
use thiserror::Error;

/// The PCI host bridge: one segment, numbered 0, whose first bus is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciShape {
    /// Configuration space: 1 MiB for each bus.
    pub ecam: Span,
    /// The last bus number.
    pub last_bus: u8,
    /// BAR window below 4 GiB.
    pub mmio32: Span,
    /// BAR window above 4 GiB; `None` when the guest's physical addresses leave no room for one.
    pub mmio64: Option<Span>,
}

/// The virtual IOMMU and who is behind it.
///
/// Only these endpoints are described as translated. Anything else on the bus, the IOMMU itself first of all, is told to the
/// guest as untranslated, which is what the device does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViommuShape {
    /// Where the virtio-iommu function is; on bus 0.
    pub iommu: Bdf,
    /// Functions behind it. The endpoint id is the number of the BDF. Functions that may be plugged in later belong here
    /// too: the guest reads the description once.
    pub endpoints: Vec<Bdf>,
}

/// Why a virtual IOMMU cannot be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// The IOMMU is listed behind itself.
    #[error("the virtual IOMMU {0} cannot be behind itself; take it out of its list of endpoints")]
    BehindItself(Bdf),
    /// The same function twice.
    #[error("endpoint {0} is listed twice behind the virtual IOMMU")]
    Twice(Bdf),
    /// The IOMMU is behind a bridge, where no table can name it before the guest numbers its buses.
    #[error("the virtual IOMMU {0} must sit on bus 0")]
    NotOnRootBus(Bdf),
}

impl ViommuShape {
    /// The endpoints in order of their ids.
    pub(crate) fn sorted(&self) -> Result<Vec<Bdf>, TopologyError> {
        if self.iommu.bus() != 0 {
            return Err(TopologyError::NotOnRootBus(self.iommu));
        }
        let mut seen = BTreeSet::new();
        for endpoint in &self.endpoints {
            if *endpoint == self.iommu {
                return Err(TopologyError::BehindItself(*endpoint));
            }
            if !seen.insert(*endpoint) {
                return Err(TopologyError::Twice(*endpoint));
            }
        }
        Ok(seen.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
