//! Main's side of the workers: starts them, answers their requests, and buries them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use base::Tube;
use devices::remote::{LocalServices, RemoteFunction, serve_services};
use jail::{Children, Launch, Worker};
use sync::Mutex;

use super::said::{self, Outlet};
use super::setup::Setup;
use super::worker::worker_thread;
use crate::config::SandboxConfig;

/// A device that does not answer for so long counts as dead. What may reset one has longer: `RemoteFunction` knows.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the kernel may take to find, clear and pin a GiB of guest memory, on a slow and busy host.
const TO_PIN_A_GIB: Duration = Duration::from_secs(4);

/// How long a device may take to answer in a machine whose virtual IOMMU has so many `legs`, over so many bytes of `ram`. One write of
/// the guest may have each leg filled with all of RAM, and nobody whose way leads past the virtual IOMMU gets an answer meanwhile.
pub fn patience(ram: u64, legs: usize) -> Duration {
    let gibs = u32::try_from(ram.div_ceil(1 << 30)).unwrap_or(u32::MAX);
    let to_fill = TO_PIN_A_GIB.saturating_mul(gibs).saturating_mul(u32::try_from(legs).unwrap_or(u32::MAX));
    PATIENCE.saturating_add(to_fill)
}

/// The two tubes of a worker that is being started.
pub struct Wiring {
    /// Main asks about registers.
    pub function: Arc<Mutex<Tube>>,
    device_end: Tube,
    services: Tube,
    client_end: Tube,
}

impl Wiring {
    /// New tubes, for a device that may take `patience` to answer.
    ///
    /// # Errors
    /// The host has no descriptor left.
    pub fn new(patience: Duration) -> Result<Wiring> {
        let (main, device_end) = Tube::pair().context("make a tube")?;
        let (services, client_end) = Tube::pair().context("make a tube")?;
        let function = Arc::new(Mutex::new(main.with_limit(patience)));
        Ok(Wiring { function, device_end, services, client_end })
    }
}

/// Where workers run.
enum Home {
    /// In jailed processes.
    Jailed { config: SandboxConfig, children: Children },
    /// On threads of this process: the same code, no protection.
    Here,
}

/// Starts all workers of the machine.
pub struct Sandbox {
    home: Home,
    threads: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// No worker yet; `None` runs them in this process.
    ///
    /// # Errors
    /// The host has no descriptor left.
    pub fn new(config: Option<SandboxConfig>) -> Result<Sandbox> {
        let home = match config {
            Some(config) => Home::Jailed { config, children: Children::new()? },
            None => Home::Here,
        };
        Ok(Sandbox { home, threads: Vec::new() })
    }

    /// Starts a worker and waits until it can answer, in its jail.
    ///
    /// # Errors
    /// It could not be started, its device could not be built, or a piece of the jail is missing on this host.
    pub fn start(
        &mut self,
        wiring: Wiring,
        setup: &Setup,
        fds: Vec<OwnedFd>,
        services: LocalServices,
    ) -> Result<RemoteFunction> {
        let (function, tubes) = self.connect(setup.role(), wiring, services)?;
        let fds = tubes.into_iter().chain(fds).collect();
        match &self.home {
            Home::Jailed { .. } => self.start_process(setup, fds)?,
            Home::Here => self.start_thread(setup, fds)?,
        }
        Ok(function)
    }

    /// Main's side of a device, answering already, and the two tubes that the worker needs for it. A worker of several
    /// devices is given those of the others among its descriptors.
    ///
    /// # Errors
    /// The host gives no thread.
    pub fn connect(
        &mut self,
        role: String,
        wiring: Wiring,
        services: LocalServices,
    ) -> Result<(RemoteFunction, [OwnedFd; 2])> {
        let Wiring { function, device_end, services: tube, client_end } = wiring;
        let (name, places) = (role.clone(), services.own.clone());
        self.spawn(&format!("for {role}"), move || {
            if let Err(error) = serve_services(&tube, services) {
                log::error!("{name}: its requests are no longer answered: {error}");
            }
        })?;
        Ok((RemoteFunction::new(role, function, places), [device_end.into(), client_end.into()]))
    }

    fn start_process(&mut self, setup: &Setup, fds: Vec<OwnedFd>) -> Result<()> {
        let Home::Jailed { config, children } = &mut self.home else { return Ok(()) };
        let (errors, listener) = said::listen(&setup.role(), Outlet::standard_error())?;
        let started = jailed(*config, setup, fds, errors).and_then(|(worker, denied)| {
            children.add(worker)?;
            Ok(denied)
        });
        match started {
            Ok(denied) => {
                self.threads.extend(denied);
                self.threads.push(listener);
                Ok(())
            }
            Err(error) => {
                // It is dead: what it had to say comes before the error.
                drop(listener.join());
                Err(error)
            }
        }
    }

    fn start_thread(&mut self, setup: &Setup, fds: Vec<OwnedFd>) -> Result<()> {
        let (ready, heard) = std::sync::mpsc::channel();
        let task = setup.clone();
        self.spawn(&setup.role(), move || worker_thread(&task, fds, &ready))?;
        heard.recv().with_context(|| format!("{}: its thread died", setup.role()))?
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        // The kernel keeps 15 bytes of a name.
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        self.threads.push(thread.with_context(|| format!("start the thread {name}"))?);
        Ok(())
    }

    /// The processes, to be watched, and the threads, to be joined once every tube is closed and every process has ended.
    pub fn into_parts(self) -> (Option<Children>, Vec<JoinHandle<()>>) {
        match self.home {
            Home::Jailed { children, .. } => (Some(children), self.threads),
            Home::Here => (None, self.threads),
        }
    }
}

/// A worker in its jail, and the thread that tells the calls that its policy lacks.
fn jailed(
    config: SandboxConfig,
    setup: &Setup,
    fds: Vec<OwnedFd>,
    errors: OwnedFd,
) -> Result<(Worker, Option<JoinHandle<()>>)> {
    let role = setup.role();
    let launch = Launch::new(&role).without(config.without).denials(config.denials).standard_error(errors);
    let mut worker = fds.into_iter().fold(launch, Launch::descriptor).spawn()?;
    let task = serde_json::to_vec(setup).context("write the task")?;
    worker.channel().send(&task, &[]).with_context(|| format!("{role}: give it its task"))?;
    let denied = worker.wait_jailed()?.map(|denied| denied.tell(|call| log::warn!("{call}"))).transpose()?;
    Ok((worker, denied))
}

/// A copy of a descriptor for a worker.
pub fn copy(fd: impl AsFd) -> Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned().context("copy a descriptor for a device process")
}
