//! What the root complex needs of a PCI function.

use data_model::Span;
use serde::{Deserialize, Serialize};

/// A range that a BAR decodes at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarWindow {
    /// BAR index, 0 to 5; of a 64-bit BAR the lower one.
    pub bar: u8,
    /// Guest-physical range, or ports when `io`.
    pub span: Span,
    /// Whether it lies in the x86 port space.
    pub io: bool,
}

/// One PCI function. Its configuration space is 4096 bytes; unknown registers read as zero.
pub trait PciFunction: Send {
    /// Reads `data.len()` (1, 2 or 4) bytes of configuration space; the access never crosses a dword.
    fn config_read(&mut self, offset: u16, data: &mut [u8]);

    /// Writes configuration space; the access never crosses a dword.
    fn config_write(&mut self, offset: u16, data: &[u8]);

    /// The BARs that decode now: decoding is enabled in the command register and an address is programmed. The root
    /// complex asks after each configuration write and traps exactly these; a direct mapping of a part of one wins.
    fn windows(&self) -> Vec<BarWindow>;

    /// Reads at `offset` of `bar`. Fills all of `data`.
    fn bar_read(&mut self, bar: u8, offset: u64, data: &mut [u8]);

    /// Writes at `offset` of `bar`.
    fn bar_write(&mut self, bar: u8, offset: u64, data: &[u8]);

    /// Back to the state of power-on: at a reset of the machine.
    fn reset(&mut self);
}
