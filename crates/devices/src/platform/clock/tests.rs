use std::time::{SystemTime, UNIX_EPOCH};

use super::Clock;
use crate::bus::BusDevice;

const DATA: u64 = 0x00;
const LOAD: u64 = 0x08;

fn word(clock: &mut Clock, offset: u64) -> u32 {
    let mut word = [0xee; 4];
    clock.read(offset, &mut word);
    u32::from_le_bytes(word)
}

fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32
}

#[test]
fn it_shows_the_hosts_time_until_it_is_set() {
    let mut clock = Clock::new();
    let before = now();
    let shown = word(&mut clock, DATA);
    assert!((before..=now()).contains(&shown), "{shown}");
    clock.write(LOAD, &1_000_000_u32.to_le_bytes());
    let passed = now() - before;
    let shown = word(&mut clock, DATA);
    assert!((1_000_000..=1_000_001 + passed).contains(&shown), "{shown}");
}

#[test]
fn a_driver_finds_its_identity() {
    let mut clock = Clock::new();
    let id = |clock: &mut Clock, first: u64| {
        (0..4).map(|n| word(clock, first + 4 * n) << (8 * n)).fold(0, |id, byte| id | byte)
    };
    assert_eq!(id(&mut clock, 0xfe0) & 0x000f_ffff, 0x0004_1031);
    assert_eq!(id(&mut clock, 0xff0), 0xb105_f00d);
}

#[test]
fn accesses_that_are_no_register_read_zero_and_do_nothing() {
    let mut clock = Clock::new();
    for (offset, len) in [(DATA, 1), (DATA, 8), (0x100, 4), (0xffc, 2), (0x1_0000, 4), (u64::MAX, 4)] {
        let mut data = vec![0xee; len];
        clock.read(offset, &mut data);
        assert_eq!(data, vec![0; len], "{offset:#x}");
        clock.write(offset, &data);
    }
    assert!(word(&mut clock, DATA) + 2 >= now());
}
