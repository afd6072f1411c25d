//! The answer to a request.

/// Size of the tail that ends the writable part of each request, in bytes.
pub const TAIL_SIZE: usize = 4;

/// Outcome of a request, as the tail carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// Communication failed.
    IoErr = 1,
    /// Not supported: an endpoint that cannot join the domain.
    Unsupp = 2,
    /// The device or the host behind it failed.
    DevErr = 3,
    /// An argument is not allowed.
    Inval = 4,
    /// A range is out of bounds, misaligned, or would split a mapping.
    Range = 5,
    /// No such endpoint or domain.
    NoEnt = 6,
    /// The physical range is no memory.
    Fault = 7,
    /// A limit of the device or of the host is reached.
    NoMem = 8,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Status; 9] = [
        Status::Ok,
        Status::IoErr,
        Status::Unsupp,
        Status::DevErr,
        Status::Inval,
        Status::Range,
        Status::NoEnt,
        Status::Fault,
        Status::NoMem,
    ];

    /// Its name in the specification, without the prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::IoErr => "IOERR",
            Status::Unsupp => "UNSUPP",
            Status::DevErr => "DEVERR",
            Status::Inval => "INVAL",
            Status::Range => "RANGE",
            Status::NoEnt => "NOENT",
            Status::Fault => "FAULT",
            Status::NoMem => "NOMEM",
        }
    }

    /// The status with this number, if the specification names one.
    pub fn from_wire(byte: u8) -> Option<Status> {
        Status::ALL.get(usize::from(byte)).copied()
    }
}

/// The tail with this status; the reserved bytes are zero (G3).
pub const fn tail(status: Status) -> [u8; TAIL_SIZE] {
    [status as u8, 0, 0, 0]
}

#[cfg(test)]
mod tests;
