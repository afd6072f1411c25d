//! The serial port's other end: terminal, file or nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use base::{EventFd, Poller};
use devices::platform::SerialInput;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use super::Outcome;
use super::life::Control;
use crate::config::Serial;

/// Ctrl-A, then x: ends the machine, as in other monitors. Ctrl-A twice sends one.
const ESCAPE: u8 = 1;
const INPUT: u64 = 0;
const STOP: u64 = 1;

/// Where the guest's output goes.
pub(crate) fn output(serial: &Serial) -> Result<Box<dyn Write + Send>> {
    Ok(match serial {
        Serial::Stdout => Box::new(Unbuffered(io::stdout())),
        Serial::None => Box::new(io::sink()),
        Serial::File(path) => {
            let file =
                File::create(path).with_context(|| format!("make the serial log {}", path.display()))?;
            Box::new(file)
        }
    })
}

/// Standard output without line buffering: a prompt has no line end.
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
    /// Starts when the serial port is the terminal.
    pub fn start(serial: &Serial, port: SerialInput, control: &Arc<Control>) -> Result<Option<Input>> {
        if *serial != Serial::Stdout {
            return Ok(None);
        }
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
        let thread = std::thread::Builder::new()
            .name("console".into())
            .spawn(move || carry(&mut poller, &port, watch.then_some(&*control)))?;
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

fn carry(poller: &mut Poller, port: &SerialInput, control: Option<&Control>) {
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
        let len = match io::stdin().read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(len) => len,
        };
        for byte in &buffer[..len] {
            match (control, escaped, *byte) {
                (Some(_), false, ESCAPE) => escaped = true,
                (Some(control), true, b'x') => return control.end(Outcome::PowerOff),
                (_, _, byte) => {
                    escaped = false;
                    port.push(&[byte]);
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
