//! Devices of the board: serial port, power and reset, i8042.

mod i8042;
mod power;
mod serial;

pub use i8042::I8042;
pub use power::{MachineControl, PowerBlock, ResetRegister};
pub use serial::{IrqEdge, SerialInput, SerialPort};
