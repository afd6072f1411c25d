//! Carries what device processes write to their standard error to main's own.
//!
//! A process may have been taken over, so what it writes is not trusted: each line bears the role of whoever wrote it, holds
//! nothing that a terminal obeys, and a flood is cut. And nobody waits for a standard error that takes nothing: neither the
//! process, whose pipe is always read, nor the end of the machine.

use std::collections::VecDeque;
use std::io::{ErrorKind, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};

/// Bytes of a line; a longer one is told in pieces.
const LINE: usize = 4096;
/// Bytes that a process may write at once, and per millisecond in the long run: ample for a log, little for a disk.
const BURST: u64 = 256 << 10;
const PER_MS: u64 = 16;
/// Of the lines that were lost, the last are told after all when the process has ended: they say why.
const LAST: usize = 8;
/// A pipe that has room has it for so many bytes (`PIPE_BUF`).
const PIECE: usize = 4096;
/// How long standard error may take no byte before lines are lost.
const PATIENCE: Duration = Duration::from_millis(200);

/// The end for the process, and the thread that tells `to` what comes out of the other, until no process has that end any more.
pub(super) fn listen(
    role: &str,
    to: Outlet<impl AsFd + Send + 'static>,
) -> Result<(OwnedFd, JoinHandle<()>)> {
    let (from, end) = std::io::pipe().context("make a pipe")?;
    let teller = Teller::new(role, to, Instant::now());
    let thread = std::thread::Builder::new().name(format!("said by {role}"));
    let thread = thread.spawn(move || carry(from, teller)).context("start a thread")?;
    Ok((end.into(), thread))
}

fn carry(mut from: PipeReader, mut teller: Teller<impl AsFd>) {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(len @ 1..) => teller.hear(buffer.get(..len).unwrap_or_default(), Instant::now()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return teller.end(Instant::now()),
        }
    }
}

/// Where lines go.
pub(super) struct Outlet<F> {
    to: F,
    patience: Duration,
    /// It took nothing when it was last asked: nobody waits for it again until it does.
    stuck: bool,
}

impl Outlet<std::io::Stderr> {
    /// Main's standard error. Not through the library's lock, which somebody may hold who waits for a terminal.
    pub fn standard_error() -> Self {
        Outlet { to: std::io::stderr(), patience: PATIENCE, stuck: false }
    }
}

impl<F: AsFd> Outlet<F> {
    /// Writes all of it; whether that could be done.
    fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            self.stuck = !self.takes(if self.stuck { Duration::ZERO } else { self.patience });
            if self.stuck {
                return false;
            }
            match write(&self.to, bytes.get(..PIECE).unwrap_or(bytes)) {
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn takes(&self, patience: Duration) -> bool {
        let mut fds = [PollFd::new(&self.to, PollFlags::OUT)];
        let timeout = Timespec::try_from(patience).unwrap_or_default();
        loop {
            match poll(&mut fds, Some(&timeout)) {
                Err(Errno::INTR) => {}
                ready => return ready.is_ok_and(|count| count > 0),
            }
        }
    }
}

/// Makes lines of bytes, and tells them.
struct Teller<F> {
    role: String,
    outlet: Outlet<F>,
    line: Vec<u8>,
    allowance: Allowance,
    /// Lines that were not told.
    lost: u64,
    /// The last of them.
    last: VecDeque<String>,
}

impl<F: AsFd> Teller<F> {
    fn new(role: &str, outlet: Outlet<F>, now: Instant) -> Teller<F> {
        let allowance = Allowance { left: BURST, since: now };
        Teller { role: role.to_owned(), outlet, line: Vec::new(), allowance, lost: 0, last: VecDeque::new() }
    }

    fn hear(&mut self, bytes: &[u8], now: Instant) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
            }
            if *byte == b'\n' || self.line.len() == LINE {
                self.tell(now);
            }
        }
    }

    fn tell(&mut self, now: Instant) {
        if self.line.is_empty() {
            return;
        }
        let line = format!("{}: {}\n", self.role, shown(&self.line));
        self.line.clear();
        let told =
            self.allowance.take(line.len(), now) && self.tell_lost() && self.outlet.write(line.as_bytes());
        if told {
            return;
        }
        self.lost = self.lost.saturating_add(1);
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Before the next line that is told: how many are missing here. Whether that could be said.
    fn tell_lost(&mut self) -> bool {
        if self.lost == 0 {
            return true;
        }
        let note =
            format!("{}: {} lines are lost: too many at once, or nobody reads\n", self.role, self.lost);
        if !self.outlet.write(note.as_bytes()) {
            return false;
        }
        self.lost = 0;
        self.last.clear();
        true
    }

    /// What has no line end yet; then the last lines that were lost.
    fn end(mut self, now: Instant) {
        self.tell(now);
        let last = std::mem::take(&mut self.last);
        self.lost = self.lost.saturating_sub(last.len() as u64);
        if self.tell_lost() {
            // Up to the first that cannot be told.
            last.iter().all(|line| self.outlet.write(line.as_bytes()));
        }
    }
}

/// The text of a line without what a terminal obeys or shows as something else: control characters, bytes that are no
/// text, marks that turn the direction of writing.
fn shown(line: &[u8]) -> String {
    let mut out = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\t' | ' '..='~' => out.push(char),
                char => out.extend(char.escape_debug()),
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out
}

/// How many bytes may be told: a stock that fills up again with time.
struct Allowance {
    left: u64,
    since: Instant,
}

impl Allowance {
    /// Takes so many bytes out of it, if they are in it.
    fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let ms = u64::try_from(now.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX);
        if ms > 0 {
            self.left = self.left.saturating_add(ms.saturating_mul(PER_MS)).min(BURST);
            self.since = now;
        }
        match self.left.checked_sub(bytes as u64) {
            Some(left) => self.left = left,
            None => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests;
