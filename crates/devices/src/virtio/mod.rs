//! Virtio: the device trait, the PCI transport, and the devices.

mod block;
mod carrier;
mod console;
mod device;
mod dma;
pub mod iommu;
mod net;
mod pci;
mod queue;
mod rng;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
mod thread;
mod worker;

pub use block::{Block, BlockOptions, Image, Qcow2Image, RawImage};
pub use console::{Console, ConsoleEnds};
pub use device::{ActivateError, Activation, QueueHandle, VirtioDevice, VirtioInterrupt};
pub use dma::{Dma, DmaFaults, DmaView};
pub use net::{NET_HEADER, Net, TapSwitch};
pub use pci::{PciDeps, VirtioPciDevice, VirtioPciError};
pub use queue::{Chain, F_EVENT_IDX, F_INDIRECT_DESC, Ring, RingError, Unreachable};
pub use rng::Rng;
pub use worker::{Worker, WorkerHandler};
