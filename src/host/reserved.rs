//! The lines of a group's `reserved_regions` file.

use data_model::Span;

/// What the host says of a reserved region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRegionKind {
    /// Firmware needs it mapped one to one for ever (RMRR): the device cannot be assigned.
    Direct,
    /// Firmware needed it at boot; assignment may take it over.
    DirectRelaxable,
    /// Cannot be mapped.
    Reserved,
    /// Interrupt messages go there.
    Msi,
}

impl HostRegionKind {
    /// The host's word for it.
    pub fn name(self) -> &'static str {
        match self {
            HostRegionKind::Direct => "direct",
            HostRegionKind::DirectRelaxable => "direct-relaxable",
            HostRegionKind::Reserved => "reserved",
            HostRegionKind::Msi => "msi",
        }
    }
}

/// One reserved region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRegion {
    /// Its addresses.
    pub span: Span,
    /// What the host says of it.
    pub kind: HostRegionKind,
}

/// Reads the file. A kind that is not known counts as reserved; a line that is no region is left out.
pub fn parse(text: &str) -> Vec<HostRegion> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<HostRegion> {
    let mut words = line.split_whitespace();
    let start = hex(words.next()?)?;
    let last = hex(words.next()?)?;
    let kind = match words.next()? {
        "direct" => HostRegionKind::Direct,
        "direct-relaxable" => HostRegionKind::DirectRelaxable,
        "msi" => HostRegionKind::Msi,
        _ => HostRegionKind::Reserved,
    };
    Some(HostRegion { span: Span::new(start, last)?, kind })
}

/// A number as sysfs writes it, `0x…`.
pub fn hex(word: &str) -> Option<u64> {
    u64::from_str_radix(word.trim().strip_prefix("0x")?, 16).ok()
}
