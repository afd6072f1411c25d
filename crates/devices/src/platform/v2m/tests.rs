use base::EventFd;

use super::*;

fn frame() -> (V2mFrame, Vec<Arc<EventFd>>) {
    let events: Vec<_> = (0..3).map(|_| Arc::new(EventFd::new(libc::EFD_NONBLOCK).unwrap())).collect();
    let spis = events.iter().map(|event| event.clone() as Arc<dyn IrqEdge>).collect();
    (V2mFrame::new(128, spis), events)
}

fn raised(events: &[Arc<EventFd>]) -> Vec<u64> {
    events.iter().map(|event| event.read().unwrap_or(0)).collect()
}

#[test]
fn registers_tell_the_interrupts_and_no_known_maker() {
    let (mut frame, _) = frame();
    for (offset, expected) in
        [(0x008, 128 << 16 | 3), (0xfcc, 0), (0xfe8, 0x10), (0x040, 0), (0x009, 0), (0xffc, 0)]
    {
        let mut word = [0xff; 4];
        frame.read(offset, &mut word);
        assert_eq!(u32::from_le_bytes(word), expected, "{offset:#x}");
    }
    let mut wide = [0xff; 8];
    frame.read(0x008, &mut wide);
    assert_eq!(u64::from_le_bytes(wide), 128 << 16 | 3, "what lies beyond the register reads as zero");
}

#[test]
fn only_a_word_with_one_of_its_interrupts_raises_one() {
    let (mut frame, events) = frame();
    for (offset, data, expected) in [
        (0x040, &[129, 0, 0, 0][..], [0, 1, 0]),
        (0x040, &[130, 0, 0, 0], [0, 0, 1]),
        (0x040, &[127, 0, 0, 0], [0, 0, 0]),
        (0x040, &[131, 0, 0, 0], [0, 0, 0]),
        (0x040, &[0xff; 4], [0, 0, 0]),
        (0x040, &[128, 0], [0, 0, 0]),
        (0x044, &[128, 0, 0, 0], [0, 0, 0]),
        (0x008, &[128, 0, 0, 0], [0, 0, 0]),
    ] {
        frame.write(offset, data);
        assert_eq!(raised(&events), expected, "{data:?} at {offset:#x}");
    }
}
