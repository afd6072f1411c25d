//! A 16550 serial port: output to any writer, input pushed by whoever reads the terminal.
//!
//! Input that the port cannot take at once waits in a queue of a fixed size; the guest's reads draw it in.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use base::EventFd;
use sync::Mutex;
use vm_superio::serial::{NoEvents, Serial};
use vm_superio::{Trigger, serial};

use crate::bus::BusDevice;

/// Input held for a guest that does not read, in bytes. More is dropped.
const INPUT_LIMIT: usize = 64 << 10;

const DATA: u8 = 0;
const INTERRUPT_ENABLE: u8 = 1;
const INTERRUPT_ID: u8 = 2;
const LINE_CONTROL: u8 = 3;
const LINE_STATUS: u8 = 5;

/// In line control: registers 0 and 1 are the divisor latch.
const LATCH_ACCESS: u8 = 0x80;
/// In line status: there is input.
const DATA_READY: u8 = 1;
/// In interrupt identification: none is pending.
const NO_INTERRUPT: u8 = 1;
/// Interrupt identification for input, with the FIFO bits.
const RECEIVED_DATA: u8 = 0xc4;

/// An edge-triggered interrupt: one call, one interrupt.
pub trait IrqEdge: Send + Sync {
    /// Raises it.
    fn raise(&self) -> io::Result<()>;
}

impl IrqEdge for EventFd {
    fn raise(&self) -> io::Result<()> {
        self.write(1)
    }
}

struct Edge(Arc<dyn IrqEdge>);

impl Trigger for Edge {
    type E = io::Error;

    fn trigger(&self) -> io::Result<()> {
        self.0.raise()
    }
}

struct Port {
    uart: Serial<Edge, NoEvents, Box<dyn Write + Send>>,
    waiting: VecDeque<u8>,
    complained: bool,
}

impl Port {
    /// Moves waiting input into the port's own buffer as far as it goes.
    fn draw(&mut self) {
        let room = self.uart.fifo_capacity();
        let now: Vec<u8> = self.waiting.iter().copied().take(room).collect();
        if now.is_empty() {
            return;
        }
        let result = self.uart.enqueue_raw_bytes(&now);
        let taken = *result.as_ref().unwrap_or(&now.len());
        self.waiting.drain(..taken);
        self.check(result.map(drop));
    }

    /// A register as the guest reads it.
    fn read(&mut self, register: u8) -> u8 {
        let value = self.uart.read(register);
        match register {
            // One refill for each time the buffer runs empty, so that a long input is not one interrupt for each byte.
            DATA if self.uart.read(LINE_STATUS) & DATA_READY == 0 => self.draw(),
            // The emulation forgets the interrupt at the first byte read. A guest that stops before the last (Linux
            // after 256) would never come back.
            INTERRUPT_ID if value & NO_INTERRUPT != 0 && self.has_readable() => return RECEIVED_DATA,
            _ => {}
        }
        value
    }

    /// Whether there is input, and the guest wants an interrupt for it.
    fn has_readable(&mut self) -> bool {
        let latch = self.uart.read(LINE_CONTROL) & LATCH_ACCESS != 0;
        !latch && self.uart.read(INTERRUPT_ENABLE) & 1 != 0 && self.uart.read(LINE_STATUS) & DATA_READY != 0
    }

    /// Tells the first failure: a guest that prints must not fill the log.
    fn check(&mut self, result: Result<(), serial::Error<io::Error>>) {
        if let Err(error) = result
            && !std::mem::replace(&mut self.complained, true)
        {
            log::warn!("serial port: {error}; later failures are not told");
        }
    }
}

/// The serial port: 8 registers of one byte.
pub struct SerialPort {
    port: Arc<Mutex<Port>>,
}

/// The way in for what the user types.
#[derive(Clone)]
pub struct SerialInput {
    port: Arc<Mutex<Port>>,
}

impl SerialPort {
    /// Registers, in bytes.
    pub const LEN: u64 = 8;

    /// A port that writes to `output` and interrupts by `irq`.
    pub fn new(irq: Arc<dyn IrqEdge>, output: Box<dyn Write + Send>) -> SerialPort {
        let uart = Serial::new(Edge(irq), output);
        SerialPort { port: Arc::new(Mutex::new(Port { uart, waiting: VecDeque::new(), complained: false })) }
    }

    /// A handle for the thread that reads the terminal.
    pub fn input(&self) -> SerialInput {
        SerialInput { port: self.port.clone() }
    }
}

impl SerialInput {
    /// Gives bytes to the guest; how many were taken. The rest is more than a guest that does not read may hold.
    pub fn push(&self, bytes: &[u8]) -> usize {
        let mut port = self.port.lock();
        let taken = bytes.len().min(INPUT_LIMIT - port.waiting.len().min(INPUT_LIMIT));
        port.waiting.extend(bytes.iter().take(taken));
        port.draw();
        taken
    }
}

impl BusDevice for SerialPort {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let mut port = self.port.lock();
        if let (Some(byte), Ok(register @ 0..8)) = (data.first_mut(), u8::try_from(offset)) {
            *byte = port.read(register);
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let mut port = self.port.lock();
        if let (Some(byte), Ok(register @ 0..8)) = (data.first(), u8::try_from(offset)) {
            let result = port.uart.write(register, *byte);
            port.check(result);
            port.draw();
        }
    }
}

#[cfg(test)]
mod tests;
