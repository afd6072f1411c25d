//! A PL031 clock: the seconds since 1970, as the host has them at each read, so that a machine that was halted reads the right
//! time afterwards. No alarm, and so no interrupt.

use vm_superio::Rtc;
use vm_superio::rtc_pl031::NoEvents;

use crate::bus::BusDevice;

/// The clock's registers, each a word of 32 bits.
#[derive(Default)]
pub struct Clock {
    rtc: Rtc<NoEvents>,
}

impl Clock {
    /// A clock that shows the host's time, until the guest sets it.
    pub fn new() -> Clock {
        Clock { rtc: Rtc::new() }
    }
}

impl BusDevice for Clock {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        if let (Ok(register), Ok(word)) = (u16::try_from(offset), data.try_into()) {
            self.rtc.read(register, word);
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        if let (Ok(register), Ok(word)) = (u16::try_from(offset), data.try_into()) {
            self.rtc.write(register, word);
        }
    }
}

#[cfg(test)]
mod tests;
