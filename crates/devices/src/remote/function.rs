//! The function as main sees it: every access is a question to the device's process.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use base::{Terms, Tube};
use sync::Mutex;

use super::message::{FunctionAnswer, FunctionQuestion};
use crate::pci::{BarWindow, PciFunction};

/// How long a function may take that is perhaps reset, or put to another power state. The kernel waits up to a minute for an
/// assigned device to come back, and where it does not, for a second way of resetting it as long again.
const RESET: Duration = Duration::from_secs(150);
/// Bytes of an answer about registers; that about windows is the longest.
const MOST_BYTES: usize = 256;

/// A function whose registers are in another process.
pub struct RemoteFunction {
    name: String,
    tube: Arc<Mutex<Tube>>,
    windows: Vec<BarWindow>,
    /// The process is gone or broken; told once.
    dead: bool,
}

impl RemoteFunction {
    /// The function at the other end of `tube`. The tube may be shared with who asks special questions.
    pub fn new(name: String, tube: Arc<Mutex<Tube>>) -> RemoteFunction {
        RemoteFunction { name, tube, windows: Vec::new(), dead: false }
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
                log::error!("{}: its process does not answer any more: {error}", self.name);
                self.dead = true;
                // Nothing decodes; direct mappings stay until the machine takes them down.
                self.windows.clear();
                None
            }
        }
    }

    fn read(&mut self, question: &FunctionQuestion, data: &mut [u8]) {
        data.fill(0xff);
        if let Some(FunctionAnswer::Data(bytes)) = self.ask(question)
            && bytes.len() == data.len()
        {
            data.copy_from_slice(&bytes);
        }
    }

    fn change(&mut self, question: &FunctionQuestion) {
        if let Some(FunctionAnswer::Windows(windows)) = self.ask(question) {
            self.windows = windows;
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
        self.change(&FunctionQuestion::ConfigWrite { offset, data: data.to_vec() });
    }

    fn windows(&self) -> Vec<BarWindow> {
        self.windows.clone()
    }

    fn bar_read(&mut self, bar: u8, offset: u64, data: &mut [u8]) {
        self.read(&FunctionQuestion::BarRead { bar, offset, len: data.len() as u8 }, data);
    }

    fn bar_write(&mut self, bar: u8, offset: u64, data: &[u8]) {
        self.ask(&FunctionQuestion::BarWrite { bar, offset, data: data.to_vec() });
    }

    fn reset(&mut self) {
        self.change(&FunctionQuestion::Reset);
    }
}
