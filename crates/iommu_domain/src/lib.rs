//! The mixed domain: the guest owns its slots, the host keeps its reserved windows, one table is the truth.
//!
//! [`Iommu`] holds endpoints and domains. What a domain maps is in its [`Table`]; *legs* mirror it into whatever
//! stands behind an endpoint ([`Type1Leg`]: one VFIO container for a host group). After each request every leg
//! that is not quarantined holds exactly what its domain's table says; a quarantined leg holds nothing, and neither does
//! that of a host group whose members the guest is moving from one domain to another.
//!
//! The crate knows no virtio: a device model turns requests into calls, and [`Refusal`]s into answers.
#![forbid(unsafe_code)]

mod error;
mod iommu;
mod leg;
pub mod limits;
pub mod mixed;
mod perm;
mod phys;
mod runs;
mod table;
pub mod testing;

pub use error::{HostFailure, Refusal, TranslateFault};
pub use iommu::{
    Detail, DomainReport, EndpointReport, EndpointSpec, Iommu, IommuConfig, IommuReport, LegReport,
};
pub use leg::{DmaHost, Leg, LegError, ResetDevices, SoftLeg, SoftTable, SoftUse, Type1Leg, VfioHost};
pub use perm::Perm;
pub use phys::{Backing, PhysConflict, PhysMap};
pub use runs::{Run, RunKind, Slot};
pub use table::{Extent, Mapping, Table};

/// Number that names an endpoint: in a virtio-iommu its requester id.
pub type EndpointId = u32;
/// Number that names a domain; the guest chooses it.
pub type DomainId = u32;
