//! The control socket of a running machine.

use std::sync::Arc;

use anyhow::Result;
use vm_control::{Listener, MAX_RUNS, MAX_SLOTS, Reply, Request};

use super::Outcome;
use super::background::Background;
use super::life::Control;
use crate::process::IslandLink;

/// Starts to answer who knocks at `listener`; dropped, the thread ends and the socket is gone.
///
/// # Errors
/// The host gives no thread or no descriptor.
pub(crate) fn serve(
    listener: Listener,
    control: &Arc<Control>,
    island: Option<IslandLink>,
) -> Result<Background> {
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
    Background::start("control", move |stopped| {
        if let Err(error) = vm_control::serve(&listener, stopped, answer) {
            log::error!("the control socket does not answer any more: {error}");
        }
    })
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
