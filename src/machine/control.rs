//! The control socket of a running machine.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use vm_control::{Listener, MAX_RUNS, MAX_SLOTS, Reply, Request};

use super::Outcome;
use super::life::Control;
use crate::process::IslandLink;

/// The thread that answers; dropped, it stops and the socket is gone.
pub(crate) struct Server {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to answer who knocks at `listener`.
    ///
    /// # Errors
    /// The host gives no thread or no descriptor.
    pub fn start(listener: Listener, control: &Arc<Control>, island: Option<IslandLink>) -> Result<Server> {
        let (watched, stop) = rustix::pipe::pipe().context("make a pipe")?;
        let control = control.clone();
        let answer = move |request| match (request, &island) {
            (Request::Stop, _) => {
                control.end(Outcome::PowerOff);
                Reply::Done
            }
            (Request::Suspend, _) => done(control.suspend()),
            (Request::Resume, _) => done(control.resume()),
            (Request::ViommuShow, Some(island)) => report(island, 0, 0),
            (Request::ViommuMappings, Some(island)) => report(island, MAX_SLOTS, 0),
            (Request::ViommuMap, Some(island)) => report(island, 0, MAX_RUNS),
            (Request::ViommuShow | Request::ViommuMappings | Request::ViommuMap, None) => {
                Reply::Refused("this machine has no virtual IOMMU".into())
            }
        };
        let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
            if let Err(error) = vm_control::serve(&listener, &watched, answer) {
                log::error!("the control socket does not answer any more: {error}");
            }
        })?;
        Ok(Server { stop: Some(stop), thread: Some(thread) })
    }
}

fn report(island: &IslandLink, slots: usize, runs: usize) -> Reply {
    match island.report(slots, runs) {
        Ok(report) => Reply::Viommu(report),
        Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
            Reply::Refused("the virtual IOMMU is busy with a request of the guest: ask again".into())
        }
        Err(error) => Reply::Refused(format!("the virtual IOMMU does not answer: {error}")),
    }
}

fn done(outcome: Result<(), String>) -> Reply {
    outcome.map_or_else(Reply::Refused, |()| Reply::Done)
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing this end wakes the thread.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
