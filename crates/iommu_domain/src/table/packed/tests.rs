use super::{BLOCK, Entry, Packed};

/// Entries where each step looks at all of them. Miri is a thousand times slower.
const MANY: u64 = if cfg!(miri) { 100 } else { 2000 };
/// Entries of many blocks.
const MORE: u64 = if cfg!(miri) { 500 } else { 10_000 };

fn entry(start: u64) -> Entry {
    Entry { start, last: start, target: start + 7 }
}

impl Packed {
    /// Panics when an invariant of the module is broken.
    fn check(&self) {
        let mut above = None;
        assert_eq!(self.firsts.len(), self.blocks.len());
        for (first, block) in self.firsts.iter().zip(&self.blocks) {
            let Some(entry) = block.first() else {
                return assert_eq!((self.blocks.len(), self.len()), (1, 0));
            };
            assert_eq!(entry.start, *first);
            assert!(above.is_none_or(|above| above < *first), "blocks follow one another");
            assert!(block.is_sorted_by_key(|entry| entry.start) && block.len() <= BLOCK);
            assert!(block.capacity() <= BLOCK, "a block is one allocation of one size");
            above = block.last().map(|entry| entry.last);
        }
        let lens: Vec<_> = self.blocks.iter().map(Vec::len).collect();
        assert!(lens.windows(2).all(|pair| pair[0] + pair[1] > BLOCK / 2), "neighbours are small: {lens:?}");
        assert_eq!(lens.iter().sum::<usize>(), self.len());
    }
}

/// A row of numbers without an order.
fn scattered(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |n| n * 7919 % count)
}

#[test]
fn rising_and_falling_keys_fill_blocks_whole() {
    const KEYS: u64 = if cfg!(miri) { 320 } else { 3200 };
    for (name, keys) in [("rising", (0..KEYS).collect::<Vec<u64>>()), ("falling", (0..KEYS).rev().collect())]
    {
        let mut map = Packed::default();
        keys.iter().for_each(|key| map.insert(entry(*key)).unwrap());
        map.check();
        assert!(map.blocks.len() <= KEYS as usize / BLOCK + 2, "{name}: {} blocks", map.blocks.len());
    }
}

#[test]
fn whatever_the_order_everything_is_found_and_removed() {
    let mut map = Packed::default();
    for key in scattered(MANY) {
        map.insert(entry(3 * key)).unwrap();
        map.check();
    }
    assert!(map.iter().map(|entry| entry.start).eq((0..MANY).map(|key| 3 * key)));
    for at in 0..3 * MANY {
        assert_eq!(map.at_or_before(at), Some(&entry(at / 3 * 3)));
    }
    let rising: Vec<u64> = map.rising(100, 200).map(|entry| entry.start).collect();
    assert_eq!(rising, (34..=66).map(|key| 3 * key).collect::<Vec<_>>());
    let falling: Vec<u64> = map.falling(100).take(40).map(|entry| entry.start).collect();
    assert_eq!(falling, (0..34).rev().map(|key| 3 * key).collect::<Vec<_>>());
    for key in scattered(MANY) {
        let mut gone = Vec::new();
        // Exactly what is there, and a range with room around it.
        map.remove(3 * key, 3 * key + 2 * (key % 2), |entry| gone.push(*entry));
        assert_eq!(gone, [entry(3 * key)]);
        map.check();
    }
    assert_eq!((map.len(), map.blocks.len()), (0, 1));
    assert_eq!(map.at_or_before(u64::MAX), None);
    map.insert(entry(5)).unwrap();
    map.check();
}

#[test]
fn an_entry_that_shares_an_address_with_one_is_refused_and_named() {
    let mut map = Packed::default();
    let there = |at: u64| Entry { start: 10 * at, last: 10 * at + 4, target: at };
    for at in scattered(MANY) {
        map.insert(there(at + 1)).unwrap();
    }
    let before = map.clone();
    for at in 1..=MANY {
        let first = 10 * at;
        for (start, last) in [
            (first, first + 4),
            (first - 3, first),
            (first + 4, first + 6),
            (first + 2, first + 3),
            (first - 1, first + 9),
        ] {
            assert_eq!(map.insert(Entry { start, last, target: 0 }), Err(there(at)), "{start}-{last}");
        }
    }
    assert_eq!(
        map.insert(Entry { start: 0, last: u64::MAX, target: 0 }),
        Err(there(MANY)),
        "the last of many"
    );
    assert!(map == before, "a refusal changes nothing");
    for at in 1..=MANY {
        map.insert(Entry { start: 10 * at + 5, last: 10 * at + 9, target: 0 }).unwrap();
        map.check();
    }
}

#[test]
fn thinning_out_gives_memory_back() {
    let mut map = Packed::default();
    const BLOCKS: u64 = if cfg!(miri) { 8 } else { 64 };
    (0..BLOCKS * BLOCK as u64).for_each(|key| map.insert(entry(key)).unwrap());
    for block in 0..BLOCKS {
        let first = block * BLOCK as u64;
        map.remove(first + 1, first + BLOCK as u64 - 1, |_| ());
        map.check();
    }
    assert_eq!(map.len(), BLOCKS as usize);
    assert!(
        map.blocks.len() <= (BLOCKS as usize).div_ceil(BLOCK / 4),
        "{} blocks for {BLOCKS} entries",
        map.blocks.len()
    );
}

#[test]
fn a_range_over_many_blocks_goes_at_once() {
    let (end, half) = (MORE - 1, MORE / 2);
    for (first, last) in
        [(0, end), (1, end - 1), (50, end - 99), (half, half), (half, half + 31), (half - 10, half + 100)]
    {
        let mut map = Packed::default();
        (0..MORE).for_each(|key| map.insert(entry(key)).unwrap());
        let mut gone = 0;
        map.remove(first, last, |_| gone += 1);
        map.check();
        assert_eq!(gone, last - first + 1);
        assert_eq!(map.rising(first, last).count(), 0);
        assert_eq!(map.len() as u64, MORE - gone);
        map.insert(entry(first)).unwrap();
        map.check();
    }
}
