//! virtio-console: one port between the guest's first console (`/dev/hvc0` in Linux) and descriptors of the host.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read, write};

use super::carrier::{Carrier, Port};
use super::device::{ActivateError, Activation, VirtioDevice};
use super::queue::{F_EVENT_IDX, F_INDIRECT_DESC};
use super::thread::Stop;

const NAME: &str = "virtio-console";
/// Virtio device id of a console.
const DEVICE_ID: u16 = 3;
/// Entries of each queue.
const QUEUE_SIZE: u16 = 64;
/// Bytes carried at once.
const PIECE: usize = 4096;
/// How long the host's side may take no byte before the guest's are lost, as on a line without flow control.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Where a console's bytes come from and go to.
#[derive(Debug)]
pub struct ConsoleEnds {
    /// Does not block; a FIFO, a socket or a terminal. `None`: nobody types.
    pub input: Option<OwnedFd>,
    /// Does not block, unless it is a file.
    pub output: OwnedFd,
}

/// The console.
pub struct Console {
    ends: ConsoleEnds,
    carrier: Option<Carrier>,
}

impl Console {
    /// A console with these ends.
    pub fn new(ends: ConsoleEnds) -> Console {
        Console { ends, carrier: None }
    }

    fn start(&self, activation: Activation) -> io::Result<Carrier> {
        let input = self.ends.input.as_ref().map(OwnedFd::try_clone).transpose()?;
        let ends = ConsoleEnds { input, output: self.ends.output.try_clone()? };
        Carrier::start(NAME, 0, activation, ends)
    }
}

impl Port for ConsoleEnds {
    fn input(&self) -> Option<BorrowedFd<'_>> {
        self.input.as_ref().map(AsFd::as_fd)
    }

    fn receive(&mut self, bytes: &mut [u8], room: usize) -> io::Result<usize> {
        let input = self.input.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let most = bytes.len().min(room);
        match read(input, bytes.get_mut(..most).unwrap_or_default())? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            got => Ok(got),
        }
    }

    fn most(&self) -> usize {
        PIECE
    }

    fn packets(&self) -> bool {
        false
    }

    fn send(&mut self, mut bytes: &[u8], stop: &Stop) {
        // A reader that takes a byte now and then could hold up a stop for as long as there are bytes.
        while !bytes.is_empty() && !stop.is_asked() {
            match write(&self.output, bytes) {
                Ok(0) => return,
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let mut full = [PollFd::new(&self.output, PollFlags::OUT)];
                    if !matches!(poll(&mut full, Some(&PATIENCE)), Ok(1..) | Err(Errno::INTR)) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }
}

impl VirtioDevice for Console {
    fn name(&self) -> &'static str {
        NAME
    }

    fn device_id(&self) -> u16 {
        DEVICE_ID
    }

    fn features(&self) -> u64 {
        F_EVENT_IDX | F_INDIRECT_DESC
    }

    fn queue_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE, QUEUE_SIZE]
    }

    /// Neither size nor number of ports is told.
    fn config_read(&self, _offset: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn config_write(&mut self, _offset: u64, _data: &[u8], _features: u64) -> bool {
        true
    }

    fn activate(&mut self, activation: Activation) -> Result<(), ActivateError> {
        let started = self.start(activation);
        self.carrier = Some(started.map_err(ActivateError::of(NAME))?);
        Ok(())
    }

    fn reset(&mut self) {
        self.carrier = None;
    }
}

#[cfg(test)]
mod tests;
