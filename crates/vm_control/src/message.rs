//! What can be asked of a running machine, and what it answers.

use serde::{Deserialize, Serialize};

use crate::ViommuReport;

/// Longest request line in bytes, its newline included.
pub const MAX_REQUEST: usize = 4 << 10;

/// Longest reply line in bytes, its newline included.
pub const MAX_REPLY: usize = 4 << 20;

/// Mappings that one reply lists at most, all domains together: as many as fit into it.
pub const MAX_SLOTS: usize = 32 << 10;

/// Runs of one domain that one reply tells at most: more than a drawing can show.
pub const MAX_RUNS: usize = 64;

/// A request to a running machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Stop the virtual CPUs and end the process.
    Stop,
    /// Halt the virtual CPUs; the devices go on.
    Suspend,
    /// Let halted virtual CPUs go on.
    Resume,
    /// Describe the virtual IOMMU.
    ViommuShow,
    /// The same, with each mapping of each domain, up to [`MAX_SLOTS`] of them.
    ViommuMappings,
    /// The same, with the address space of each domain in runs, for a drawing.
    ViommuMap,
}

/// The machine's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done, or has begun and cannot fail any more.
    Done,
    /// The state of the virtual IOMMU.
    Viommu(ViommuReport),
    /// It was not done; the sentence says why.
    Refused(String),
}
