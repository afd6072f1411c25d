//! Fault reports: what the event queue carries.

/// Size of a fault report in bytes.
pub const FAULT_SIZE: usize = 24;

/// Why an access failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FaultReason {
    /// Something else, or a failure of the host on the endpoint's behalf.
    Unknown = 0,
    /// The endpoint is in no domain.
    Domain = 1,
    /// No mapping, or one that forbids the access.
    Mapping = 2,
}

/// What is known of the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultFlags(pub u32);

impl FaultFlags {
    /// The access was a read.
    pub const READ: u32 = 1 << 0;
    /// The access was a write.
    pub const WRITE: u32 = 1 << 1;
    /// The address field is valid (E3).
    pub const ADDRESS: u32 = 1 << 8;
    /// Every defined flag; others stay zero (E1).
    pub const ALL: u32 = FaultFlags::READ | FaultFlags::WRITE | FaultFlags::ADDRESS;
}

/// A fault of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Why.
    pub reason: FaultReason,
    /// What is known of the access.
    pub flags: FaultFlags,
    /// Whose access it was (E2).
    pub endpoint: u32,
    /// Where, if the flags say that it is known; an IOVA.
    pub address: u64,
}

impl Fault {
    /// The report as it goes on the wire.
    pub fn encode(&self) -> [u8; FAULT_SIZE] {
        let mut bytes = [0; FAULT_SIZE];
        bytes[0] = self.reason as u8;
        bytes[4..8].copy_from_slice(&(self.flags.0 & FaultFlags::ALL).to_le_bytes());
        bytes[8..12].copy_from_slice(&self.endpoint.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.address.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests;
