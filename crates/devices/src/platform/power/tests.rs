use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::platform::I8042;

#[derive(Default)]
struct Machine {
    off: AtomicU32,
    reset: AtomicU32,
}

impl Machine {
    fn asked(&self) -> (u32, u32) {
        (self.off.load(Ordering::Relaxed), self.reset.load(Ordering::Relaxed))
    }
}

impl MachineControl for Machine {
    fn power_off(&self) {
        self.off.fetch_add(1, Ordering::Relaxed);
    }

    fn reset(&self) {
        self.reset.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn only_the_type_of_s5_switches_off() {
    for (written, off) in [(5 << 10 | 1 << 13, 1), (5 << 10, 0), (4 << 10 | 1 << 13, 0), (1 << 13, 0)] {
        let machine = Arc::new(Machine::default());
        let mut block = PowerBlock::new(machine.clone(), 5);
        block.write(4, &u16::to_le_bytes(written));
        assert_eq!(machine.asked(), (off, 0), "{written:#x}");
        let mut control = [0; 2];
        block.read(4, &mut control);
        assert_eq!(u16::from_le_bytes(control), written & !(1 << 13) | 1, "SCI_EN reads 1, SLP_EN 0");
    }
}

#[test]
fn odd_accesses_to_the_power_block_do_no_harm() {
    let machine = Arc::new(Machine::default());
    let mut block = PowerBlock::new(machine.clone(), 5);
    block.write(2, &[0xff; 2]);
    block.write(5, &[0x20 | 5 << 2]);
    assert_eq!(machine.asked(), (1, 0), "the high byte alone asks too");
    block.write(u64::MAX, &[0xff; 8]);
    let mut data = [0; 8];
    block.read(0, &mut data);
    assert_eq!(data, [0, 0, 0xff, 0xff, 1, 5 << 2, 0xff, 0xff]);
}

#[test]
fn the_reset_register_acts_on_the_rising_bit() {
    for (writes, resets) in [(&[6u8][..], 1), (&[2, 6], 1), (&[2, 2], 0), (&[0x0e], 1), (&[4, 4], 2)] {
        let machine = Arc::new(Machine::default());
        let mut register = ResetRegister::new(machine.clone());
        for value in writes {
            register.write(*value);
        }
        assert_eq!(machine.asked(), (0, resets), "{writes:?}");
    }
}

#[test]
fn the_keyboard_controller_resets_and_answers_its_tests() {
    let machine = Arc::new(Machine::default());
    let mut controller = I8042::new(machine.clone());
    let mut status = [0];
    controller.read(4, &mut status);
    assert_eq!(status, [4]);
    for (command, answer) in [(0xaa, 0x55), (0xab, 1), (0x20, 0)] {
        controller.write(4, &[command]);
        controller.read(4, &mut status);
        assert_eq!(status, [5]);
        let mut data = [0];
        controller.read(0, &mut data);
        assert_eq!(data, [answer], "{command:#x}");
    }
    controller.write(4, &[0x60]);
    controller.write(0, &[0x61]);
    controller.write(4, &[0x20]);
    controller.read(0, &mut status);
    assert_eq!(status, [0x61]);
    assert_eq!(machine.asked(), (0, 0));
    controller.write(4, &[0xfe]);
    assert_eq!(machine.asked(), (0, 1));
}
