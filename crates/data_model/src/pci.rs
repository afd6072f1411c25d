//! PCI addresses: in the guest ([`Bdf`], one segment) and on the host ([`HostBdf`], with its domain number).

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bus, device and function in the guest; also the requester id and the virtio-iommu endpoint id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bdf(u16);

impl Bdf {
    /// The address of `bus:device.function`; `None` when device > 31 or function > 7.
    pub const fn new(bus: u8, device: u8, function: u8) -> Option<Bdf> {
        if device > 31 || function > 7 {
            return None;
        }
        Some(Bdf((bus as u16) << 8 | (device as u16) << 3 | function as u16))
    }

    /// The address with this requester id.
    pub const fn from_id(id: u16) -> Bdf {
        Bdf(id)
    }

    /// The requester id: bus in the high byte, then five bits of device and three of function.
    pub const fn id(&self) -> u16 {
        self.0
    }

    /// Bus number.
    pub const fn bus(&self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Device number, 0 to 31.
    pub const fn device(&self) -> u8 {
        (self.0 >> 3) as u8 & 0x1f
    }

    /// Function number, 0 to 7.
    pub const fn function(&self) -> u8 {
        self.0 as u8 & 7
    }
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus(), self.device(), self.function())
    }
}

/// A PCI device of the host: domain (segment), bus, device, function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostBdf {
    /// PCI domain, called segment by ACPI.
    pub domain: u32,
    /// Address inside the domain.
    pub bdf: Bdf,
}

impl fmt::Display for HostBdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{}", self.domain, self.bdf)
    }
}

/// Why a text is not a PCI address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseBdfError;

impl fmt::Display for ParseBdfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a PCI address; write it as 0000:01:00.0 (domain:bus:device.function)")
    }
}

impl core::error::Error for ParseBdfError {}

impl FromStr for Bdf {
    type Err = ParseBdfError;

    /// Reads `BB:DD.F`, hexadecimal.
    fn from_str(text: &str) -> Result<Bdf, ParseBdfError> {
        let (bus, rest) = text.split_once(':').ok_or(ParseBdfError)?;
        let (device, function) = rest.split_once('.').ok_or(ParseBdfError)?;
        Bdf::new(hex(bus, 2)? as u8, hex(device, 2)? as u8, hex(function, 1)? as u8).ok_or(ParseBdfError)
    }
}

impl FromStr for HostBdf {
    type Err = ParseBdfError;

    /// Reads `DDDD:BB:DD.F`, hexadecimal; the domain may be left out.
    fn from_str(text: &str) -> Result<HostBdf, ParseBdfError> {
        match text.split_once(':') {
            Some((domain, bdf)) if bdf.contains(':') => {
                Ok(HostBdf { domain: hex(domain, 8)?, bdf: bdf.parse()? })
            }
            _ => Ok(HostBdf { domain: 0, bdf: text.parse()? }),
        }
    }
}

/// One to `most` hexadecimal digits, nothing else (no sign, no prefix).
fn hex(text: &str, most: usize) -> Result<u32, ParseBdfError> {
    let plain = !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !plain {
        return Err(ParseBdfError);
    }
    u32::from_str_radix(text, 16).map_err(|_| ParseBdfError)
}

#[cfg(test)]
mod tests;
