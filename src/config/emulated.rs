//! Emulated devices as the user wants them.

use std::path::PathBuf;

use devices::virtio::BlockOptions;

use super::limits;
use crate::cmdline::RunArgs;
use crate::cmdline::specs::{BlockSpec, IommuChoice};
use crate::errors::Refusal;
use crate::process::ImageFormat;

/// An emulated device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatedConfig {
    /// What it is.
    pub kind: Emulated,
    /// Behind the virtual IOMMU, or with all of RAM at its disposal.
    pub behind_viommu: bool,
}

/// The kinds of emulated devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Emulated {
    /// A source of random bytes.
    Rng,
    /// A disk.
    Disk(DiskConfig),
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskConfig {
    /// Where its content is.
    pub path: PathBuf,
    /// How it lies there.
    pub format: ImageFormat,
    /// How the guest sees it.
    pub options: BlockOptions,
}

fn behind(choice: Option<IommuChoice>) -> bool {
    choice == Some(IommuChoice::Viommu)
}

/// The entropy device and the disks that the flags ask for.
pub(super) fn read(args: &RunArgs, refusals: &mut Vec<Refusal>) -> Vec<EmulatedConfig> {
    let rng = behind(args.rng.as_ref().and_then(|spec| spec.iommu));
    let mut found = vec![EmulatedConfig { kind: Emulated::Rng, behind_viommu: rng }];
    for spec in &args.block {
        let kind = Emulated::Disk(disk(spec, refusals));
        found.push(EmulatedConfig { kind, behind_viommu: behind(spec.iommu) });
    }
    found
}

fn disk(spec: &BlockSpec, refusals: &mut Vec<Refusal>) -> DiskConfig {
    let options = BlockOptions {
        read_only: spec.read_only.is_some_and(|switch| switch.0),
        discard: spec.sparse.is_none_or(|switch| switch.0),
        block_size: limits::block_size(spec.block_size, refusals),
        queues: limits::disk_queues(spec.queues, refusals),
        serial: limits::serial(spec.id.clone().unwrap_or_default(), refusals),
    };
    let format = spec.format.unwrap_or(ImageFormat::Raw);
    DiskConfig { path: spec.path.clone().unwrap_or_default(), format, options }
}
