//! Emulated devices, from what a worker was told and given.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_model::Bdf;
use devices::irq::MsiController;
use devices::pci::PciFunction;
use devices::remote::Services;
use devices::virtio::{
    Block, Console, ConsoleEnds, Dma, Image, Net, PciDeps, Qcow2Image, RawImage, Rng, VirtioDevice,
    VirtioPciDevice,
};

use super::setup::{EmulatedKind, EmulatedSetup, ImageFormat};

/// The device, from its own descriptors.
pub(super) fn device(setup: &EmulatedSetup, fds: Vec<OwnedFd>) -> Result<Box<dyn VirtioDevice>> {
    let mut fds = fds.into_iter();
    match &setup.kind {
        EmulatedKind::Rng => Ok(Box::new(Rng::default())),
        EmulatedKind::Disk(format, options) => {
            let file = File::from(fds.next().context("the disk's image is missing")?);
            let image: Arc<dyn Image> = match format {
                ImageFormat::Raw => {
                    Arc::new(RawImage::new(file).context("ask for the length of the disk's image")?)
                }
                ImageFormat::Qcow2 => {
                    let image = Qcow2Image::new(file, options.read_only);
                    Arc::new(
                        image.context("open the qcow2 image; one that refers to other files is refused")?,
                    )
                }
            };
            Ok(Box::new(Block::new(image, options.clone())))
        }
        EmulatedKind::Net { mac, pairs } => {
            let taps: Vec<_> = fds.take((*pairs).into()).collect();
            ensure!(taps.len() == usize::from(*pairs), "a queue of the network card's tap device is missing");
            Ok(Box::new(Net::new(taps, *mac, Arc::new(base::switch_tap_queue))))
        }
        EmulatedKind::Console { .. } => {
            let output = fds.next().context("the console's output is missing")?;
            Ok(Box::new(Console::new(ConsoleEnds { output, input: fds.next() })))
        }
    }
}

/// A virtio device as a PCI function; `msi` gives its vectors.
pub(super) fn function(
    at: Bdf,
    device: Box<dyn VirtioDevice>,
    mem: Dma,
    services: &Services,
    msi: Arc<dyn MsiController>,
) -> Result<Box<dyn PciFunction>> {
    let shared = Arc::new(services.clone());
    let deps = PciDeps { at, mem, msi, doorbells: shared.clone(), line: Some(shared) };
    Ok(Box::new(VirtioPciDevice::new(device, deps)?))
}
