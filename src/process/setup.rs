//! What a worker is told when it starts. The descriptors that belong to it come in the order that each kind names, after
//! the function tube and the service tube.

use data_model::{Bdf, HostBdf, PageMask, Span};
use devices::virtio::iommu::PollMode;
use serde::{Deserialize, Serialize};

/// A worker's task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Setup {
    /// An assigned device. Descriptors: the device.
    Assigned {
        /// On the host.
        host: HostBdf,
        /// In the guest.
        guest: Bdf,
    },
    /// The entropy device. Descriptors: guest RAM.
    Rng {
        /// In the guest.
        at: Bdf,
        /// Ranges of guest RAM.
        ram: Vec<Span>,
    },
    /// The virtual IOMMU. Descriptors: guest RAM, then the container of each leg.
    Island(IslandSetup),
}

impl Setup {
    /// Name of the role, for logs.
    pub fn role(&self) -> String {
        match self {
            Setup::Assigned { host, .. } => format!("vfio {host}"),
            Setup::Rng { .. } => "virtio-rng".into(),
            Setup::Island(_) => "virtio-iommu".into(),
        }
    }
}

/// The virtual IOMMU's task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IslandSetup {
    /// In the guest.
    pub at: Bdf,
    /// Ranges of guest RAM.
    pub ram: Vec<Span>,
    /// Page sizes as the guest sees them.
    pub pages: PageMask,
    /// Addresses that endpoints can use.
    pub input: Span,
    /// `bypass` at power-on.
    pub bypass_at_boot: bool,
    /// How long it looks for requests before it sleeps.
    pub poll: PollMode,
    /// Windows of the host in which a doorbell may be mapped.
    pub windows: Vec<Span>,
    /// The guest's own doorbell, where it is memory that devices write to.
    pub doorbell: Option<Span>,
    /// Reserved regions that every endpoint shows; `true` for the one of MSIs.
    pub regions: Vec<(Span, bool)>,
    /// Legs, in the order of their containers.
    pub legs: Vec<LegSetup>,
    /// Endpoints: in the guest, on the host, and which leg.
    pub endpoints: Vec<(Bdf, HostBdf, Option<usize>)>,
}

/// A leg.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LegSetup {
    /// Its name.
    pub name: String,
    /// Its host group, whose devices main resets when asked.
    pub group: u32,
}
