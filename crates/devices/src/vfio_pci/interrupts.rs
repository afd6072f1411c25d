//! Which of the three kinds of interrupt is on: VFIO takes one at a time.

use super::config::GuestConfig;
use super::host::Host;
use super::intx::Intx;
use super::msi::Msi;
use super::msix::Msix;

/// Bit of MSI-X message control that switches it on.
const MSIX_ENABLE: u16 = 1 << 15;

/// All interrupts of a device.
pub(super) struct Interrupts {
    pub intx: Option<Intx>,
    pub msi: Option<Msi>,
    pub msix: Option<Msix>,
}

impl Interrupts {
    /// Makes VFIO follow the guest's registers. Of MSI and MSI-X, which a guest must not switch on together, MSI-X wins.
    pub fn follow(&mut self, host: &Host, config: &GuestConfig) {
        let control = self.msix.as_ref().map_or(0, |msix| config.u16(msix.control()));
        let want_msix = control & MSIX_ENABLE != 0;
        let want_msi = !want_msix && self.msi.as_ref().is_some_and(|msi| msi.wanted(config));
        if (want_msix || want_msi)
            && let Some(intx) = &mut self.intx
        {
            intx.disable(host);
        }
        if !want_msi && let Some(msi) = &mut self.msi {
            msi.disable(host);
        }
        if let Some(msix) = &mut self.msix {
            msix.set_control(host, control);
        }
        if want_msi && let Some(msi) = &mut self.msi {
            msi.follow(host, config);
        }
        if !want_msix
            && !want_msi
            && let Some(intx) = &mut self.intx
        {
            intx.enable(host);
        }
    }

    /// All off.
    pub fn disable(&mut self, host: &Host) {
        if let Some(intx) = &mut self.intx {
            intx.disable(host);
        }
        if let Some(msi) = &mut self.msi {
            msi.disable(host);
        }
        if let Some(msix) = &mut self.msix {
            msix.reset(host);
        }
    }
}
