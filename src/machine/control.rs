//! The control socket of a running machine.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use devices::virtio::iommu::ViommuHandle;
use vm_control::{Listener, Reply, Request};

use super::outcome::{Control, Outcome};
use super::report;
use crate::plan::Plan;

/// The thread that answers; dropped, it stops and the socket is gone.
pub(crate) struct Server {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts when there is a path for the socket.
    pub fn start(
        path: Option<&Path>,
        control: &Arc<Control>,
        viommu: Option<ViommuHandle>,
        plan: &Plan,
    ) -> Result<Option<Server>> {
        let Some(path) = path else { return Ok(None) };
        let listener = Listener::bind(path)?;
        let (watched, stop) = rustix::pipe::pipe().context("make a pipe")?;
        let (control, plan) = (control.clone(), plan.clone());
        let answer = move |request| match (request, &viommu) {
            (Request::Stop, _) => {
                control.end(Outcome::PowerOff);
                Reply::Done
            }
            (Request::ViommuShow, Some(viommu)) => Reply::Viommu(report::viommu(&viommu.report(), &plan)),
            (Request::ViommuShow, None) => Reply::Refused("this machine has no virtual IOMMU".into()),
        };
        let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
            if let Err(error) = vm_control::serve(&listener, &watched, answer) {
                log::error!("the control socket does not answer any more: {error}");
            }
        })?;
        Ok(Some(Server { stop: Some(stop), thread: Some(thread) }))
    }
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
