//! What a worker is told when it starts. The descriptors that belong to it come in the order that each kind names, after
//! the function tube and the service tube.

use data_model::{Bdf, HostBdf, PageMask, Span};
use devices::virtio::BlockOptions;
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
        /// Whether the machine has a port space.
        ports: bool,
    },
    /// An emulated device that is not behind the virtual IOMMU. Descriptors: guest RAM, then its own.
    Emulated {
        /// The device.
        device: EmulatedSetup,
        /// Ranges of guest RAM.
        ram: Vec<Span>,
    },
    /// The virtual IOMMU and every emulated device behind it. Descriptors: guest RAM, then the container of each leg, then
    /// for each device its function tube, its service tube, and its own.
    Island(IslandSetup),
}

impl Setup {
    /// Name of the role, for logs.
    pub fn role(&self) -> String {
        match self {
            Setup::Assigned { host, .. } => format!("vfio {host}"),
            Setup::Emulated { device, .. } => device.role(),
            Setup::Island(_) => "virtio-iommu".into(),
        }
    }
}

/// An emulated device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EmulatedSetup {
    /// In the guest.
    pub at: Bdf,
    /// What it is.
    pub kind: EmulatedKind,
}

/// The kinds of emulated devices.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum EmulatedKind {
    /// The entropy device. No descriptors of its own.
    Rng,
    /// A disk. Descriptors: its image.
    Disk(ImageFormat, BlockOptions),
    /// A network card. Descriptors: a queue of the tap device for each pair of the card's.
    Net {
        /// Its address.
        mac: [u8; 6],
        /// Pairs of queues.
        pairs: u16,
    },
    /// A console. Descriptors: its output, and its input if there is one.
    Console {
        /// Whether somebody can type.
        input: bool,
    },
}

/// How a disk's content lies in its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageFormat {
    /// Byte by byte.
    Raw,
    /// As qcow2, without other files.
    Qcow2,
}

impl EmulatedSetup {
    /// Name for logs.
    pub fn role(&self) -> String {
        format!("{} {}", self.name(), self.at)
    }

    /// What it is, in the guest's words.
    pub fn name(&self) -> &'static str {
        match self.kind {
            EmulatedKind::Rng => "virtio-rng",
            EmulatedKind::Disk(..) => "virtio-blk",
            EmulatedKind::Net { .. } => "virtio-net",
            EmulatedKind::Console { .. } => "virtio-console",
        }
    }

    /// How many descriptors are its own.
    pub fn descriptors(&self) -> usize {
        match self.kind {
            EmulatedKind::Rng => 0,
            EmulatedKind::Net { pairs, .. } => pairs.into(),
            EmulatedKind::Disk(..) | EmulatedKind::Console { input: false } => 1,
            EmulatedKind::Console { input: true } => 2,
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
    /// Bytes of guest RAM that each leg may lock; `None` without a limit.
    pub lockable: Option<u64>,
    /// Legs, in the order of their containers.
    pub legs: Vec<LegSetup>,
    /// Assigned endpoints: in the guest, on the host, and which leg.
    pub endpoints: Vec<(Bdf, HostBdf, Option<usize>)>,
    /// Emulated devices behind it, in the order of their descriptors.
    pub emulated: Vec<EmulatedSetup>,
    /// Whether messages of devices are translated like their other writes.
    pub translates_messages: bool,
}

/// A leg.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LegSetup {
    /// Its name.
    pub name: String,
    /// Its host group, whose devices main resets when asked.
    pub group: u32,
}
