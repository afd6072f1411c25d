//! Emulated devices as the user wants them.

use std::path::PathBuf;

use devices::virtio::BlockOptions;

use super::consoles::ConsoleConfig;
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
    /// A network card.
    Net(NetConfig),
    /// A console besides the first serial port.
    Console(ConsoleConfig),
}

/// A network card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetConfig {
    /// The host's tap device.
    pub tap: String,
    /// The card's address.
    pub mac: [u8; 6],
    /// Pairs of queues.
    pub pairs: u16,
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

pub(super) fn behind(choice: Option<IommuChoice>) -> bool {
    choice == Some(IommuChoice::Viommu)
}

/// All emulated devices that the flags ask for, the entropy device first.
pub(super) fn read(
    args: &RunArgs,
    consoles: Vec<EmulatedConfig>,
    refusals: &mut Vec<Refusal>,
) -> Vec<EmulatedConfig> {
    let rng = behind(args.rng.as_ref().and_then(|spec| spec.iommu));
    let mut found = vec![EmulatedConfig { kind: Emulated::Rng, behind_viommu: rng }];
    for spec in &args.block {
        let kind = Emulated::Disk(disk(spec, refusals));
        found.push(EmulatedConfig { kind, behind_viommu: behind(spec.iommu) });
    }
    for spec in &args.net {
        let tap = spec.tap_name.clone().unwrap_or_default();
        let mac = spec.mac.map_or_else(|| address_of(&tap), |mac| mac.0);
        let pairs = limits::card_pairs(spec.pairs, refusals);
        let kind = Emulated::Net(NetConfig { tap, mac, pairs });
        found.push(EmulatedConfig { kind, behind_viommu: behind(spec.iommu) });
    }
    found.extend(consoles);
    found
}

/// The address of a card for which none was given: of one's own making (bit 1 of the first byte), the same for the same tap.
fn address_of(tap: &str) -> [u8; 6] {
    // FNV-1a.
    let hash =
        tap.bytes().fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_be_bytes();
    [0x02, 0x6d, a, b, c, d]
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

#[cfg(test)]
mod tests;
