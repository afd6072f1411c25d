//! Devices of the board: serial port, power and reset, i8042.
