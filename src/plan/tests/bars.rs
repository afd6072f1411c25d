//! BARs of the host's devices and the windows of the guest.

use super::*;

use crate::host::{HostBar, KvmFacts};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

fn high(size: u64) -> HostBar {
    HostBar { size, high: true }
}

fn low(size: u64) -> HostBar {
    HostBar { size, high: false }
}

/// What is decided about a guest with devices of these BARs, and the map that goes with it.
fn decided(
    devices: &[&[HostBar]],
    bits: u32,
    memory: u64,
    reserved: &[(u64, u64)],
) -> Result<(Plan, GuestMap), Vec<Refusal>> {
    let mut host = FakeHost::new(Arch::X86_64);
    host.machine.kvm = KvmFacts::Works { address_bits: bits };
    for (index, bars) in devices.iter().enumerate() {
        let bus = index as u8 + 1;
        if bus > 1 {
            host.add(bus, u32::from(bus) + 10);
        }
        host.device_mut(bus, |device| device.bars = bars.to_vec());
    }
    let reserved = reserved.iter().map(|(start, last)| region(*start, *last, HostRegionKind::Reserved));
    host.group_mut(3).reserved.extend(reserved);
    host.groups.iter_mut().for_each(|group| group.trial = Trial::Attached(aperture(48, &[])));
    let buses: Vec<VfioConfig> = (1..=devices.len() as u8).map(device).collect();
    let wish = Assignment { memory, ..assignment(Arch::X86_64, &buses) };
    let plan = decide(&wish, 1, &gather(&host, &wish))?;
    let map = GuestMap::new(&wish, 1, bits, &plan.bar_room).unwrap();
    Ok((plan, map))
}

#[test]
fn the_window_above_ram_has_room_for_what_may_be_there() {
    const HYPER_TRANSPORT: (u64, u64) = (0xfd_0000_0000, 0xff_ffff_ffff);
    type Row = (&'static str, &'static [&'static [HostBar]], u64, (u64, u64), (u64, u64));
    const fn bar(size: u64) -> HostBar {
        HostBar { size, high: true }
    }
    const SMALL: HostBar = HostBar { size: 16 * MIB, high: false };
    const HUGE: &[HostBar] = &[SMALL, bar(32 * MIB), bar(128 * GIB)];
    const ROWS: [Row; 6] = [
        // memory in GiB; bytes and largest BAR; window in GiB
        ("no device", &[], 4, (0, 0), (6, 70)),
        ("none up there", &[&[SMALL]], 4, (0, 0), (6, 70)),
        ("a small one is a port's window", &[&[bar(4096)]], 4, (MIB, MIB), (6, 70)),
        ("one of 128 GiB and others", &[HUGE], 4, (128 * GIB + 32 * MIB, 128 * GIB), (128, 257)),
        ("two of 32 GiB", &[&[bar(32 * GIB)], &[bar(32 * GIB)]], 4, (64 * GIB, 32 * GIB), (32, 97)),
        ("past the interconnect", &[&[bar(GIB)], HUGE], 900, (130 * GIB, 128 * GIB), (1024, 1155)),
    ];
    for (name, devices, memory, bars, (start, end)) in ROWS {
        let (plan, map) = decided(devices, 42, memory * GIB, &[HYPER_TRANSPORT])
            .unwrap_or_else(|refusals| panic!("{name}: {refusals:#?}"));
        assert_eq!((plan.bar_room.bytes, plan.bar_room.align), bars, "{name}");
        let window = map.bars[1];
        assert_eq!(window.start(), start * GIB, "{name}: {window}");
        assert!(window.last() >= end * GIB - 1 && window.last() < (end + 1) * GIB, "{name}: {window}");
        assert!(!window.overlaps(&span(HYPER_TRANSPORT.0, HYPER_TRANSPORT.1)), "{name}: {window}");
    }
}

#[test]
fn bars_that_do_not_fit_are_refused_before_anything_is_touched() {
    let rows: [(&str, Vec<HostBar>, u32, Option<&str>); 7] = [
        ("128 GiB in 40 bits", vec![high(128 * GIB)], 40, None),
        (
            "128 GiB in 37 bits",
            vec![high(128 * GIB)],
            37,
            Some("BARs of 131072 MiB do not fit above guest RAM into 37 bits"),
        ),
        (
            "256 GiB, aligned to it, in 38 bits",
            vec![high(256 * GIB)],
            38,
            Some("do not fit above guest RAM into 38 bits"),
        ),
        ("1 GiB below", vec![low(GIB)], 40, None),
        ("exactly what there is below", vec![low(GIB / 2), low(GIB)], 40, None),
        ("more than that", vec![low(GIB / 2), low(GIB), low(4096)], 40, Some("take 1537 MiB")),
        ("2 GiB below", vec![low(2 * GIB)], 40, Some("memory below 4 GiB does not fit into the guest")),
    ];
    for (name, bars, bits, refused) in rows {
        let outcome = decided(&[&bars], bits, 4 * GIB, &[]);
        let texts: Vec<String> =
            outcome.err().into_iter().flatten().map(|refusal| refusal.to_string()).collect();
        match refused {
            None => assert_eq!(texts, [""; 0], "{name}"),
            Some(words) => assert!(texts.len() == 1 && texts[0].contains(words), "{name}: {texts:?}"),
        }
    }
}
