//! The function as main sees it: every access is a question to the device's process.

use std::fmt::Display;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use base::{Terms, Tube};
use sync::Mutex;

use super::bars::Places;
use super::message::{FunctionAnswer, FunctionQuestion};
use crate::pci::{BarWindow, PciFunction};

/// How long a function may take that is perhaps reset, or put to another power state. The kernel waits up to a minute for an
/// assigned device to come back, and where it does not, for a second way of resetting it as long again.
const RESET: Duration = Duration::from_secs(150);
/// Bytes of an answer about registers; that about windows is the longest.
const MOST_BYTES: usize = 256;

/// Why a process that answers is lost.
const OTHER: &str = "it answered what it was not asked";

/// A function whose registers are in another process.
pub struct RemoteFunction {
    name: String,
    tube: Arc<Mutex<Tube>>,
    windows: Vec<BarWindow>,
    places: Places,
    /// The process is gone or broken; told once.
    dead: bool,
}

impl RemoteFunction {
    /// The function at the other end of `tube`. The tube may be shared with who asks special questions, `places` is with who
    /// answers the function's requests.
    pub fn new(name: String, tube: Arc<Mutex<Tube>>, places: Places) -> RemoteFunction {
        RemoteFunction { name, tube, windows: Vec::new(), places, dead: false }
    }

    fn ask(&mut self, question: &FunctionQuestion) -> Option<FunctionAnswer> {
        if self.dead {
            return None;
        }
        let terms = Terms { limit: patience(question), most: MOST_BYTES };
        let answer = self.tube.lock().ask_on(terms, question);
        match answer {
            Ok(answer) => Some(answer.value),
            Err(error) => {
                self.lose(&error);
                None
            }
        }
    }

    /// The process is gone, or not to be believed.
    fn lose(&mut self, why: &dyn Display) {
        log::error!("{}: its process does not answer any more: {why}", self.name);
        self.dead = true;
        // Nothing decodes; direct mappings stay until the machine takes them down.
        self.windows.clear();
    }

    fn read(&mut self, question: &FunctionQuestion, data: &mut [u8]) {
        data.fill(0xff);
        match self.ask(question) {
            Some(FunctionAnswer::Data(bytes)) if bytes.len() == data.len() => data.copy_from_slice(&bytes),
            Some(_) => self.lose(&OTHER),
            None => {}
        }
    }

    fn change(&mut self, question: &FunctionQuestion) {
        match self.ask(question) {
            Some(FunctionAnswer::Windows(windows)) => match self.places.with(|bars| bars.check(&windows)) {
                Ok(()) => self.windows = windows,
                Err(why) => self.lose(&format_args!("it shows {why}")),
            },
            Some(_) => self.lose(&OTHER),
            None => {}
        }
    }
}

/// How long the answer may take, if not as long as every answer on the tube.
fn patience(question: &FunctionQuestion) -> Duration {
    match question {
        FunctionQuestion::Reset | FunctionQuestion::ConfigWrite { .. } => RESET,
        _ => Duration::ZERO,
    }
}

/// Asks the device at the other end of `tube` what only its kind knows; descriptors may go along and come back.
pub fn ask_special(
    tube: &Mutex<Tube>,
    question: Vec<u8>,
    fds: &[BorrowedFd<'_>],
) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let answer = tube.lock().ask(&FunctionQuestion::Special(question), fds)?;
    match answer.value {
        FunctionAnswer::Special(bytes) => Ok((bytes, answer.fds)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

impl PciFunction for RemoteFunction {
    fn config_read(&mut self, offset: u16, data: &mut [u8]) {
        self.read(&FunctionQuestion::ConfigRead { offset, len: data.len() as u8 }, data);
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) {
        self.places.with(|bars| bars.write(offset, data));
        self.change(&FunctionQuestion::ConfigWrite { offset, data: data.to_vec() });
    }

    fn windows(&self) -> Vec<BarWindow> {
        self.windows.clone()
    }

    fn bar_read(&mut self, bar: u8, offset: u64, data: &mut [u8]) {
        self.read(&FunctionQuestion::BarRead { bar, offset, len: data.len() as u8 }, data);
    }

    fn bar_write(&mut self, bar: u8, offset: u64, data: &[u8]) {
        match self.ask(&FunctionQuestion::BarWrite { bar, offset, data: data.to_vec() }) {
            Some(FunctionAnswer::Done) | None => {}
            Some(_) => self.lose(&OTHER),
        }
    }

    fn reset(&mut self) {
        self.places.with(|bars| bars.reset());
        self.change(&FunctionQuestion::Reset);
    }
}
