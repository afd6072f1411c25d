//! Which interrupt controller the guest has, and where messages are written.

use data_model::Span;

use crate::LayoutError;

const ITS_LEN: u64 = 0x2_0000;
const ITS_ALIGN: u64 = 0x1_0000;
const V2M_LEN: u64 = 0x1000;
const SETSPI: u64 = 0x40;

/// The interrupt controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gic {
    /// GICv2, for at most 8 processors.
    V2 {
        /// Takes messages; a GICv2m frame.
        msi: MsiFrame,
    },
    /// GICv3.
    V3 {
        /// Takes messages.
        msi: MsiFrame,
    },
}

/// What turns interrupt messages into interrupts, and its place: part of the plan, because the host's IOMMU keeps a window for
/// its own messages, and the guest's doorbell belongs inside it where that is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsiFrame {
    /// Interrupt translation service: 128 KiB, aligned to 64 KiB.
    Its {
        /// First address.
        base: u64,
    },
    /// GICv2m frame: 4 KiB.
    V2m {
        /// First address.
        base: u64,
    },
}

impl Gic {
    /// A GICv3 with an ITS at its usual place.
    pub const V3_ITS: Gic = Gic::V3 { msi: MsiFrame::ITS_DEFAULT };

    /// What takes messages.
    pub fn msi(&self) -> MsiFrame {
        match self {
            Gic::V2 { msi } | Gic::V3 { msi } => *msi,
        }
    }

    /// Whether controller and frame fit together.
    pub(super) fn check(&self) -> Result<(), LayoutError> {
        match self {
            Gic::V2 { msi: MsiFrame::Its { .. } } => Err(LayoutError::ItsNeedsGicV3),
            _ => Ok(()),
        }
    }
}

impl MsiFrame {
    /// An ITS inside the window that Linux hosts keep by default (0x0800_0000, 1 MiB).
    pub const ITS_DEFAULT: MsiFrame = MsiFrame::Its { base: 0x0808_0000 };
    /// A GICv2m frame inside the same window.
    pub const V2M_DEFAULT: MsiFrame = MsiFrame::V2m { base: 0x0802_0000 };

    /// First address of the frame.
    pub fn base(&self) -> u64 {
        match self {
            MsiFrame::Its { base } | MsiFrame::V2m { base } => *base,
        }
    }

    /// The whole frame.
    pub fn span(&self) -> Result<Span, LayoutError> {
        let (base, len, align) = match self {
            MsiFrame::Its { base } => (*base, ITS_LEN, ITS_ALIGN),
            MsiFrame::V2m { base } => (*base, V2M_LEN, V2M_LEN),
        };
        let wrong = LayoutError::MsiFramePlace { base, align };
        if !base.is_multiple_of(align) {
            return Err(wrong);
        }
        Span::from_len(base, len).ok_or(wrong)
    }

    /// The page that devices write messages to: 64 KiB for an ITS, 4 KiB for GICv2m.
    pub fn doorbell_page(&self) -> Result<Span, LayoutError> {
        let frame = self.span()?;
        match self {
            MsiFrame::Its { .. } => Ok(Span::new(frame.start() + ITS_ALIGN, frame.last()).unwrap_or(frame)),
            MsiFrame::V2m { .. } => Ok(frame),
        }
    }

    /// The address that devices write messages to.
    pub fn doorbell(&self) -> Result<u64, LayoutError> {
        Ok(self.doorbell_page()?.start() + SETSPI)
    }

    /// What it is, in words.
    pub(super) fn name(&self) -> &'static str {
        match self {
            MsiFrame::Its { .. } => "interrupt translation service",
            MsiFrame::V2m { .. } => "GICv2m frame",
        }
    }
}
