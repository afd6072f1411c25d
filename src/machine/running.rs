//! What runs beside the processors, and how it is taken down.
//!
//! Invariant: whether the guest ended, the start failed half-way or a processor could not be run, everything goes in the order
//! of [`Running`]'s fields: nobody waits for a process that cannot end yet.

use std::fs::File;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use devices::platform::SerialInput;
use devices::vfio_pci::Lookout;
use vm_control::Listener;

use super::assigned::Assigned;
use super::background::Background;
use super::emulated::Ends;
use super::pci::Built;
use super::printer::Printer;
use super::{Outcome, Parts, console, control};
use crate::config::Serial;
use crate::process::{Sandbox, Undertaker};

/// A machine that is ready to run; dropped, it is taken down.
pub(super) struct Running {
    /// Whom the machine ends for: the user, and the host that wants a device back.
    _ends: (Background, Lookout),
    console: Option<console::Input>,
    server: Option<Background>,
    built: Built,
    pub parts: Parts,
    /// With the last end of their tubes, which were in the fields above, the device processes end, and their devices stop.
    workers: Workers,
    /// What the devices have written by now is all that they ever will.
    printers: Vec<Printer>,
    /// Main's own descriptors of devices outlive the processes that had copies.
    _assigned: Assigned,
}

impl Running {
    /// With nobody to talk to yet. From here on the device processes are watched.
    ///
    /// # Errors
    /// The host gives no thread.
    pub fn new(
        ends: (Background, Lookout),
        parts: Parts,
        assigned: Assigned,
        built: Built,
        sandbox: Sandbox,
    ) -> Result<Running> {
        let (children, threads) = sandbox.into_parts();
        let (control, blocker) = (parts.control.clone(), assigned.blocker());
        let bury = move |what: &str| {
            log::error!("{what}; its devices are stopped, and the machine ends");
            blocker.block_all();
            control.end(Outcome::Crash);
        };
        let undertaker = children.map(|children| Undertaker::start(children, bury)).transpose()?;
        let workers = Workers { undertaker, threads };
        Ok(Running {
            _ends: ends,
            console: None,
            server: None,
            built,
            parts,
            workers,
            printers: Vec::new(),
            _assigned: assigned,
        })
    }

    /// Terminal, log files and control socket: the last steps before the guest starts, and the first that a user sees.
    ///
    /// # Errors
    /// The host gives no thread, or a log cannot be emptied.
    pub fn open_to_users(
        &mut self,
        (serial, port): (&Serial, SerialInput),
        ends: Ends,
        listener: Option<Listener>,
    ) -> Result<()> {
        let control = &self.parts.control;
        let print = |pipe| Printer::start(pipe, console::stdout());
        self.printers = ends.printed.into_iter().map(print).collect::<Result<_>>()?;
        let island = self.built.island.clone();
        let serve = |listener| control::serve(listener, control, island);
        self.server = listener.map(serve).transpose()?;
        ends.logs.iter().try_for_each(empty)?;
        let typed = console::Typed::of(serial, port, ends.typed);
        self.console = typed.map(|typed| console::Input::start(typed, control)).transpose()?.flatten();
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.workers.machine_ends();
    }
}

fn empty(log: &File) -> Result<()> {
    log.set_len(0).context("empty the log of an earlier machine")
}

/// The device processes, and main's threads that answer them.
struct Workers {
    /// `None`: they are threads of this process.
    undertaker: Option<Undertaker>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    fn machine_ends(&self) {
        if let Some(undertaker) = &self.undertaker {
            undertaker.machine_ends();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let ended = self.undertaker.take().is_none_or(Undertaker::finish);
        // A process that does not end even when it is killed keeps its ends open: its threads would be waited for in vain.
        if ended {
            self.threads.drain(..).for_each(|thread| drop(thread.join()));
        }
    }
}
