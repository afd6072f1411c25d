//! A pair of rings: commands to the controller, answers from it. One command is out at a time.

use std::sync::atomic::Ordering;

use base::GuestMem;
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use super::PAGE;
use super::command::Command;

/// Entries of each ring; a ring of commands fills a page.
pub const DEPTH: u16 = 64;
const COMMAND: u64 = 64;
const ANSWER: u64 = 16;
/// Where an answer has its last word: status and phase above the number of the command.
const STATUS: u64 = 12;

/// The rings, in two pages one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    number: u16,
    at: u64,
    tail: u16,
    head: u16,
    phase: bool,
}

impl Queue {
    /// Queue `number` with its rings at `at`.
    pub fn new(number: u16, at: u64) -> Queue {
        Queue { number, at, tail: 0, head: 0, phase: true }
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Where the ring of commands is.
    pub fn submissions(&self) -> u64 {
        self.at
    }

    /// Where the ring of answers is.
    pub fn completions(&self) -> u64 {
        self.at + PAGE
    }

    /// Where the next command goes.
    pub fn tail(&self) -> u16 {
        self.tail
    }

    /// Where the next answer is expected.
    pub fn head(&self) -> u16 {
        self.head
    }

    /// Both rings as they were in the beginning.
    pub fn clear(&mut self, memory: &GuestMem) -> Result<(), GuestMemoryError> {
        *self = Queue::new(self.number, self.at);
        memory.write_slice(&[0; 2 * PAGE as usize], GuestAddress(self.at))
    }

    /// Puts a command into its ring; the controller sees it when its doorbell is rung.
    pub fn submit(&mut self, memory: &GuestMem, command: Command) -> Result<(), GuestMemoryError> {
        let at = self.submissions() + COMMAND * u64::from(self.tail);
        memory.write_slice(&command.bytes(self.tail), GuestAddress(at))?;
        self.tail = (self.tail + 1) % DEPTH;
        Ok(())
    }

    /// Status of the next answer, 0 for a success; `None` when there is none.
    pub fn take(&mut self, memory: &GuestMem) -> Result<Option<u16>, GuestMemoryError> {
        let at = self.completions() + ANSWER * u64::from(self.head) + STATUS;
        let word: u32 = memory.load(GuestAddress(at), Ordering::Acquire)?;
        let word = u32::from_le(word);
        if (word >> 16 & 1 != 0) != self.phase {
            return Ok(None);
        }
        self.head = (self.head + 1) % DEPTH;
        self.phase ^= self.head == 0;
        Ok(Some((word >> 17) as u16))
    }
}

#[cfg(test)]
mod tests;
