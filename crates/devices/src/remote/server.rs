//! The device's side of the function tube.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use base::Tube;

use super::message::{FunctionAnswer, FunctionQuestion};
use crate::pci::PciFunction;

/// Longest register access in bytes.
const LONGEST: usize = 8;

/// What a device answers besides its registers.
pub trait Answering {
    /// Answers a special question, with descriptors if need be; those that came along are its own now.
    fn answer(&mut self, question: &[u8], fds: Vec<OwnedFd>) -> (Vec<u8>, Vec<OwnedFd>);
}

/// A device that knows no special questions.
impl Answering for () {
    fn answer(&mut self, _question: &[u8], _fds: Vec<OwnedFd>) -> (Vec<u8>, Vec<OwnedFd>) {
        (Vec::new(), Vec::new())
    }
}

/// Answers main until it is gone, which is no error: the machine has ended.
pub fn serve_function(
    tube: &Tube,
    function: &mut dyn PciFunction,
    special: &mut dyn Answering,
) -> io::Result<()> {
    loop {
        let question = match tube.receive::<FunctionQuestion>() {
            Ok(question) => question,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let (answer, fds) = match question.value {
            FunctionQuestion::Special(bytes) => {
                let (answer, fds) = special.answer(&bytes, question.fds);
                (FunctionAnswer::Special(answer), fds)
            }
            access => (answer(function, access), Vec::new()),
        };
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        match tube.send(&answer, &fds) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            sent => sent?,
        }
    }
}

fn answer(function: &mut dyn PciFunction, question: FunctionQuestion) -> FunctionAnswer {
    let mut data = [0xff; LONGEST];
    let mut read = |len: u8, access: &mut dyn FnMut(&mut [u8])| {
        let data = &mut data[..LONGEST.min(len.into())];
        access(data);
        FunctionAnswer::Data(data.to_vec())
    };
    match question {
        FunctionQuestion::ConfigRead { offset, len } => {
            read(len, &mut |data: &mut [u8]| function.config_read(offset, data))
        }
        FunctionQuestion::BarRead { bar, offset, len } => {
            read(len, &mut |data: &mut [u8]| function.bar_read(bar, offset, data))
        }
        FunctionQuestion::ConfigWrite { offset, data } => {
            function.config_write(offset, &data);
            FunctionAnswer::Windows(function.windows())
        }
        FunctionQuestion::BarWrite { bar, offset, data } => {
            function.bar_write(bar, offset, &data);
            FunctionAnswer::Done
        }
        FunctionQuestion::Reset => {
            function.reset();
            FunctionAnswer::Windows(function.windows())
        }
        FunctionQuestion::Special(_) => FunctionAnswer::Done,
    }
}
