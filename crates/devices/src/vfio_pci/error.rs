//! Why a device of the host cannot be shown to the guest.

use std::io;

use thiserror::Error;

/// An assigned device could not be set up.
#[derive(Debug, Error)]
pub enum VfioPciError {
    /// Its configuration space cannot be read.
    #[error(
        "{device}: cannot read the configuration space: {source}. Is the device still on the host's bus?"
    )]
    Config {
        /// Address on the host.
        device: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// It is a bridge, or something else without a type 0 header.
    #[error("{device}: only plain functions can be assigned, this one has a header of type {header:#x}")]
    Header {
        /// Address on the host.
        device: String,
        /// Header type, without the multi-function bit.
        header: u8,
    },
    /// A BAR cannot be shown.
    #[error("{device}: BAR {bar} of {size} bytes cannot be shown to a guest (register {register:#x})")]
    Bar {
        /// Address on the host.
        device: String,
        /// Index, 0 to 5.
        bar: u8,
        /// Bytes.
        size: u64,
        /// The register as the device shows it.
        register: u32,
    },
    /// A part of a BAR cannot be mapped.
    #[error("{device}: cannot map {area} of BAR {bar}: {source}")]
    Map {
        /// Address on the host.
        device: String,
        /// Index, 0 to 5.
        bar: u8,
        /// Offsets inside the BAR.
        area: data_model::Span,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The host gives no event.
    #[error("{device}: cannot make an event for its interrupt: {source}")]
    Event {
        /// Address on the host.
        device: String,
        /// The kernel's answer.
        source: io::Error,
    },
}
