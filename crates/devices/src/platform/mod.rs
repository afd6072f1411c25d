//! Devices of the board: serial port, clock, power and reset, i8042, GICv2m frame.

mod clock;
mod i8042;
mod power;
mod serial;
mod v2m;

pub use clock::Clock;
pub use i8042::I8042;
pub use power::{MachineControl, PowerBlock, ResetRegister};
pub use serial::{IrqEdge, SerialInput, SerialPort};
pub use v2m::V2mFrame;
