//! A worker: builds its device, enters its jail, answers until main is gone.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use base::{GuestRam, Tube};
use data_model::Span;
use devices::pci::PciFunction;
use devices::remote::{Answering, Services, serve_function};
use devices::vfio_pci::{VfioPciDevice, VfioPciParts};
use jail::{Limits, Policy, Start};

use super::emulated;
use super::island::Island;
use super::setup::Setup;

/// A device ready to serve, and the policy it serves under.
struct Built {
    function: Box<dyn PciFunction>,
    special: Box<dyn Answering>,
    policy: Policy,
    /// More devices in the same process, each with the tube on which main asks.
    neighbours: Vec<Neighbour>,
}

/// A device beside the first one of a process.
pub(super) struct Neighbour {
    pub name: String,
    pub tube: Tube,
    pub function: Box<dyn PciFunction>,
}

/// The whole life of a worker process.
///
/// # Errors
/// The device could not be built, the jail not entered (main has been told), or the tube broke.
pub fn worker_main(start: Start) -> Result<()> {
    let Start { channel, descriptors, entrance, .. } = start;
    let first =
        channel.receive().context("wait for the task")?.context("main ended before it gave a task")?;
    drop(channel);
    let setup: Setup = serde_json::from_slice(&first.bytes).context("read the task")?;
    let (tube, built) = match build(&setup, descriptors) {
        Ok(built) => built,
        Err(error) => {
            entrance.give_up(AsRef::<dyn std::error::Error + Send + Sync>::as_ref(&error));
            return Err(error);
        }
    };
    let mut spec = entrance.spec(built.policy, Limits::default());
    // What a device holds depends on its kind; the jail takes away every way to get more.
    spec.keep = None;
    entrance.enter(&spec)?;
    serve(built, &tube)
}

/// The same on a thread of main's; `ready` hears how the start went.
pub(super) fn worker_thread(setup: &Setup, fds: Vec<OwnedFd>, ready: &Sender<Result<()>>) {
    let (tube, built) = match build(setup, fds) {
        Ok(built) => built,
        Err(error) => return drop(ready.send(Err(error))),
    };
    drop(ready.send(Ok(())));
    if let Err(error) = serve(built, &tube) {
        log::error!("{}: {error:#}", setup.role());
    }
}

/// Answers main about every device of the process, each on a thread of its own.
fn serve(built: Built, tube: &Tube) -> Result<()> {
    let Built { mut function, mut special, neighbours, .. } = built;
    std::thread::scope(|scope| {
        for Neighbour { name, tube, mut function } in neighbours {
            let thread = std::thread::Builder::new().name(name.clone());
            let run = move || {
                if let Err(error) = serve_function(&tube, &mut *function, &mut ()) {
                    log::error!("{name}: cannot answer main: {error}");
                }
            };
            thread.spawn_scoped(scope, run).context("start the thread of a device")?;
        }
        serve_function(tube, &mut *function, &mut *special).context("answer main")
    })
}

/// The device, and the tube on which main asks.
fn build(setup: &Setup, fds: Vec<OwnedFd>) -> Result<(Tube, Built)> {
    let mut fds = fds.into_iter();
    let mut next = || fds.next().with_context(|| format!("{}: a descriptor is missing", setup.role()));
    let tube = Tube::from_fd(next()?);
    let services = Services::new(Tube::from_fd(next()?));
    let first = next()?;
    Ok((tube, build_device(setup, &services, first, fds.collect())?))
}

fn build_device(setup: &Setup, services: &Services, first: OwnedFd, rest: Vec<OwnedFd>) -> Result<Built> {
    match setup {
        Setup::Assigned { host, guest, ports } => {
            let device = Arc::new(vfio::Device::from_fd(&host.to_string(), first)?);
            let shared = Arc::new(services.clone());
            let parts = VfioPciParts {
                device,
                requester: *guest,
                msi: shared.clone(),
                line: Some(shared.clone()),
                ports: *ports,
                mapper: shared,
            };
            let function = Box::new(VfioPciDevice::new(parts)?);
            Ok(Built { function, special: Box::new(()), policy: Policy::Vfio, neighbours: Vec::new() })
        }
        Setup::Emulated { device: setup, ram } => {
            let mem = guest_ram(ram, first)?.mem.into();
            let device = emulated::device(setup, rest)?;
            let msi = Arc::new(services.clone());
            let function = emulated::function(setup.at, device, mem, services, msi)?;
            Ok(Built { function, special: Box::new(()), policy: Policy::Device, neighbours: Vec::new() })
        }
        Setup::Island(setup) => {
            let ram = guest_ram(&setup.ram, first)?;
            let (device, island, neighbours) = Island::build(setup, &ram, rest, services)?;
            let (mem, msi) = (ram.mem.into(), Arc::new(services.clone()));
            let function = emulated::function(setup.at, Box::new(device), mem, services, msi)?;
            Ok(Built { function, special: Box::new(island), policy: Policy::Viommu, neighbours })
        }
    }
}

fn guest_ram(layout: &[Span], file: OwnedFd) -> Result<GuestRam> {
    Ok(GuestRam::from_file(layout, File::from(file))?.in_huge_pages())
}

/// An error that crosses a tube as a number.
pub(super) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}
