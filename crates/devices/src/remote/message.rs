//! What is said on the two tubes.

use data_model::{Bdf, Span};
use serde::{Deserialize, Serialize};

use crate::irq::MsiMessage;
use crate::pci::BarWindow;

/// Main asks about the function.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FunctionQuestion {
    /// Read `len` bytes of configuration space.
    ConfigRead {
        /// Register.
        offset: u16,
        /// Bytes.
        len: u8,
    },
    /// Write configuration space.
    ConfigWrite {
        /// Register.
        offset: u16,
        /// What to write.
        data: Vec<u8>,
    },
    /// Read `len` bytes of a BAR.
    BarRead {
        /// Which.
        bar: u8,
        /// Where.
        offset: u64,
        /// Bytes.
        len: u8,
    },
    /// Write a BAR.
    BarWrite {
        /// Which.
        bar: u8,
        /// Where.
        offset: u64,
        /// What to write.
        data: Vec<u8>,
    },
    /// Back to the state of power-on.
    Reset,
    /// Something that only this kind of device knows; the bytes are its own affair. Descriptors may come along.
    Special(Vec<u8>),
}

/// The function answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FunctionAnswer {
    /// Bytes read.
    Data(Vec<u8>),
    /// Done; the BARs decode here now.
    Windows(Vec<BarWindow>),
    /// Done.
    Done,
    /// The answer to [`FunctionQuestion::Special`].
    Special(Vec<u8>),
}

/// The device asks main for something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ServiceQuestion {
    /// A new MSI vector for this requester; its event comes with the answer.
    Vector(Bdf),
    /// Route a vector.
    Route(u32, MsiMessage),
    /// Take its route away.
    Unroute(u32),
    /// Give it back.
    Free(u32),
    /// Tie an address to the event that comes along.
    BindDoorbell(u64),
    /// Undo that.
    UnbindDoorbell(u64),
    /// Show the guest a part of the file that comes along.
    Map {
        /// Guest-physical range.
        span: Span,
        /// Where in the file the range starts, in bytes.
        offset: u64,
    },
    /// Undo that.
    Unmap(u32),
    /// Raise or lower the interrupt line.
    Line(bool),
    /// Tie the line to the two events that come along: trigger, resample.
    BindLine,
    /// Undo that.
    UnbindLine,
    /// Reset the assigned devices of this host group, which could not be brought back to their domain.
    Block(u32),
}

/// Main answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceAnswer {
    /// Done.
    Done,
    /// The number of what was made: a vector, a slot.
    Made(u32),
    /// Refused, with the system's error number; 0 when there is none.
    Failed(i32),
}
