//! The serial port's other end: terminal, file or nothing; and where what is typed goes.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use base::{EventFd, Poller};
use devices::platform::SerialInput;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, write};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use super::Outcome;
use super::life::Control;
use crate::config::Serial;

/// Ctrl-A, then x: ends the machine, as in other monitors. Ctrl-A twice sends one.
const ESCAPE: u8 = 1;
const INPUT: u64 = 0;
const STOP: u64 = 1;

/// Where the guest's output goes; a file also as what is to be emptied once nothing can be refused any more.
pub(crate) fn output(serial: &Serial) -> Result<(Box<dyn Write + Send>, Option<File>)> {
    Ok(match serial {
        Serial::Stdout { .. } => (Box::new(stdout()), None),
        Serial::None => (Box::new(io::sink()), None),
        Serial::File(path) => {
            let file = File::options().write(true).create(true).truncate(false).open(path);
            let opened = file.and_then(|file| Ok((file.try_clone()?, file)));
            let (file, log) = opened.with_context(|| format!("make the serial log {}", path.display()))?;
            (Box::new(file), log.metadata().is_ok_and(|meta| meta.is_file()).then_some(log))
        }
    })
}

/// Standard output without line buffering: a prompt has no line end.
pub(crate) fn stdout() -> impl Write + Send + 'static {
    Unbuffered(io::stdout())
}

/// Whom what is typed is for.
pub(crate) enum Typed {
    /// The first serial port.
    Port(SerialInput),
    /// The device at the other end of a pipe, which does not block.
    Pipe(OwnedFd),
}

impl Typed {
    /// `None`: nobody is to have it.
    pub fn of(serial: &Serial, port: SerialInput, pipe: Option<OwnedFd>) -> Option<Typed> {
        match serial {
            Serial::Stdout { typed: true } => Some(Typed::Port(port)),
            _ => pipe.map(Typed::Pipe),
        }
    }

    /// Passes bytes on. A pipe that is full has a guest behind it that does not read: what comes from a program waits for it
    /// until `stop`; what a person types is lost (`None`), for the next key may end the machine.
    fn push(&self, mut bytes: &[u8], stop: Option<&EventFd>) {
        let pipe = match self {
            Typed::Port(port) => {
                port.push(bytes);
                return;
            }
            Typed::Pipe(pipe) => pipe,
        };
        while !bytes.is_empty() {
            match write(pipe, bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let Some(stop) = stop.map(base::event_fd) else { return };
                    let mut ways = [PollFd::new(pipe, PollFlags::OUT), PollFd::new(&stop, PollFlags::IN)];
                    if poll(&mut ways, None).is_err() || !ways[1].revents().is_empty() {
                        return;
                    }
                }
                // The device has ended.
                Err(_) => return,
            }
        }
    }
}

struct Unbuffered(io::Stdout);

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.0.flush()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Carries what is typed to the guest; dropped, it stops and gives the terminal back as it was.
pub(crate) struct Input {
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
    terminal: Option<Termios>,
}

impl Input {
    /// Starts, if there can be somebody who types.
    pub fn start(typed: Typed, control: &Arc<Control>) -> Result<Option<Input>> {
        let stop = base::new_event().context("make an event")?;
        let mut poller = Poller::new()?;
        poller.add(&stop, STOP)?;
        if poller.add(&io::stdin(), INPUT).is_err() {
            // A regular file or /dev/null cannot be waited for: there is nobody to type.
            return Ok(None);
        }
        let terminal = raw_mode();
        let control = control.clone();
        let watch = terminal.is_some();
        let ended = stop.try_clone().context("copy an event")?;
        let thread = std::thread::Builder::new()
            .name("console".into())
            .spawn(move || carry(&mut poller, (&typed, &ended), watch.then_some(&*control)))?;
        Ok(Some(Input { stop, thread: Some(thread), terminal }))
    }
}

/// Switches a terminal to raw mode; what it was before.
fn raw_mode() -> Option<Termios> {
    let stdin = io::stdin();
    if !isatty(&stdin) {
        return None;
    }
    let before = tcgetattr(&stdin).ok()?;
    let mut raw = before.clone();
    raw.make_raw();
    // The guest sends its own carriage returns; ours still need them for log lines.
    raw.output_modes = before.output_modes;
    tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
    Some(before)
}

fn carry(poller: &mut Poller, (typed, stop): (&Typed, &EventFd), control: Option<&Control>) {
    let mut escaped = false;
    let mut buffer = [0; 256];
    loop {
        let Ok(ready) = poller.wait(None) else { return };
        if ready.iter().any(|ready| ready.token == STOP) {
            return;
        }
        if ready.is_empty() {
            continue;
        }
        // Not through the library's own buffer: what waits in there wakes nobody.
        let len = match read(io::stdin(), &mut buffer) {
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Ok(0) | Err(_) => return,
            Ok(len) => len,
        };
        if control.is_none() {
            typed.push(&buffer[..len], Some(stop));
            continue;
        }
        for byte in &buffer[..len] {
            match (control, escaped, *byte) {
                (Some(_), false, ESCAPE) => escaped = true,
                (Some(control), true, b'x') => return control.end(Outcome::PowerOff),
                (_, _, byte) => {
                    escaped = false;
                    typed.push(&[byte], None);
                }
            }
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        drop(self.stop.write(1));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        if let Some(before) = &self.terminal
            && let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, before)
        {
            log::warn!("the terminal keeps its raw mode ({error}); type `reset`");
        }
    }
}

#[cfg(test)]
mod tests;
