//! Feature bits of the device.

/// Feature bits as masks.
pub struct Features;

impl Features {
    /// `input_range` in the configuration is valid.
    pub const INPUT_RANGE: u64 = 1 << 0;
    /// `domain_range` in the configuration is valid.
    pub const DOMAIN_RANGE: u64 = 1 << 1;
    /// MAP and UNMAP requests.
    pub const MAP_UNMAP: u64 = 1 << 2;
    /// Superseded by [`Features::BYPASS_CONFIG`]; a new device never offers it (F2).
    pub const BYPASS: u64 = 1 << 3;
    /// PROBE requests.
    pub const PROBE: u64 = 1 << 4;
    /// The flag MMIO of MAP.
    pub const MMIO: u64 = 1 << 5;
    /// `bypass` in the configuration, and the flag BYPASS of ATTACH.
    pub const BYPASS_CONFIG: u64 = 1 << 6;

    /// Every bit with its name in the specification, without the prefix.
    pub const NAMES: [(u64, &str); 7] = [
        (Features::INPUT_RANGE, "INPUT_RANGE"),
        (Features::DOMAIN_RANGE, "DOMAIN_RANGE"),
        (Features::MAP_UNMAP, "MAP_UNMAP"),
        (Features::BYPASS, "BYPASS"),
        (Features::PROBE, "PROBE"),
        (Features::MMIO, "MMIO"),
        (Features::BYPASS_CONFIG, "BYPASS_CONFIG"),
    ];
}
