//! How a machine ends, and who may end it.

use std::fmt;

use devices::platform::MachineControl;
use hypervisor::VcpuKicker;
use sync::{Condvar, Mutex};

/// How the machine ended. The exit codes are crosvm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest switched itself off, or the user stopped it.
    PowerOff,
    /// The guest asked for a reset; start it again for that.
    Reset,
    /// The guest crashed: it said so, or a processor could not go on.
    Crash,
}

impl Outcome {
    /// Exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::PowerOff => 0,
            Outcome::Reset => 32,
            Outcome::Crash => 33,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::PowerOff => "powered off",
            Outcome::Reset => "asked for a reset",
            Outcome::Crash => "crashed",
        })
    }
}

/// Ends the machine: the first reason counts.
pub(crate) struct Control {
    outcome: Mutex<Option<Outcome>>,
    ended: Condvar,
    kickers: Vec<VcpuKicker>,
}

impl Control {
    /// For the processors with these kickers.
    pub fn new(kickers: Vec<VcpuKicker>) -> Control {
        Control { outcome: Mutex::new(None), ended: Condvar::new(), kickers }
    }

    /// Ends the machine for this reason, unless it has ended already.
    pub fn end(&self, outcome: Outcome) {
        self.outcome.lock().get_or_insert(outcome);
        self.ended.notify_all();
        for kicker in &self.kickers {
            kicker.kick();
        }
    }

    /// The reason, once there is one.
    pub fn outcome(&self) -> Option<Outcome> {
        *self.outcome.lock()
    }

    /// Waits for the reason.
    pub fn wait(&self) -> Outcome {
        let mut outcome = self.outcome.lock();
        loop {
            match *outcome {
                Some(outcome) => return outcome,
                None => self.ended.wait(&mut outcome),
            }
        }
    }
}

impl MachineControl for Control {
    fn power_off(&self) {
        self.end(Outcome::PowerOff);
    }

    fn reset(&self) {
        self.end(Outcome::Reset);
    }
}
