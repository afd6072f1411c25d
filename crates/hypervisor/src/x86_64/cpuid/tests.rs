use super::{Entry, Topology, phys_bits, table};

const FOUR: Topology = Topology { cpus: 4, tsc_deadline: true };

fn leaf(function: u32, index: u32, [eax, ebx, ecx, edx]: [u32; 4]) -> Entry {
    Entry { function, index, eax, ebx, ecx, edx, ..Default::default() }
}

fn vendor(max_leaf: u32, name: &[u8; 12]) -> Entry {
    let word = |n: usize| u32::from_le_bytes(name[n..n + 4].try_into().unwrap());
    leaf(0, 0, [max_leaf, word(0), word(8), word(4)])
}

fn get(table: &[Entry], function: u32, index: u32) -> [u32; 4] {
    let found: Vec<_> = table.iter().filter(|e| e.function == function && e.index == index).collect();
    assert_eq!(found.len(), 1, "leaf {function:#x}.{index}");
    [found[0].eax, found[0].ebx, found[0].ecx, found[0].edx]
}

#[test]
fn each_processor_says_its_own_number() {
    let host = [
        vendor(0x1f, b"GenuineIntel"),
        leaf(1, 0, [7, 0xaa08_0801, 1 << 27, 1]),
        leaf(0xb, 0, [9; 4]),
        leaf(0x1f, 0, [9; 4]),
    ];
    for id in 0..4 {
        let table = table(&host, id, FOUR);
        let [eax, ebx, ecx, edx] = get(&table, 1, 0);
        assert_eq!((eax, ebx), (7, id << 24 | 4 << 16 | 0x0801));
        assert_eq!((ecx, edx), (1 << 31 | 1 << 24 | 1 << 21, 1 | 1 << 28));
        for levels in [0xb, 0x1f] {
            assert_eq!(get(&table, levels, 0), [0, 1, 0x100, id]);
            assert_eq!(get(&table, levels, 1), [2, 4, 0x201, id]);
            assert_eq!(get(&table, levels, 2), [0, 0, 2, id]);
        }
    }
}

#[test]
fn a_single_processor_has_no_siblings_and_no_timer_that_kvm_lacks() {
    let host = [vendor(4, b"GenuineIntel"), leaf(1, 0, [0, 0, 1 << 24, 1 << 28])];
    let table = table(&host, 0, Topology { cpus: 1, tsc_deadline: false });
    assert_eq!(get(&table, 1, 0), [0, 1 << 16, 1 << 31 | 1 << 21, 0]);
    assert!(table.iter().all(|e| e.function <= 4), "no leaf beyond the highest");
}

#[test]
fn leaf_1f_is_not_invented() {
    let table = table(&[vendor(0x20, b"GenuineIntel")], 0, FOUR);
    assert!(table.iter().any(|e| e.function == 0xb) && table.iter().all(|e| e.function != 0x1f));
}

#[test]
fn core_counts_of_odd_sizes_round_up_to_whole_id_bits() {
    for (cpus, bits) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (255, 8)] {
        let topology = Topology { cpus, tsc_deadline: false };
        let table = table(&[vendor(0xb, b"GenuineIntel")], 0, topology);
        assert_eq!(get(&table, 0xb, 1)[..2], [bits, cpus], "{cpus} processors");
    }
}

#[test]
fn only_the_last_level_cache_is_shared() {
    let old = 0x3f << 26 | 0xfff << 14;
    let host = [
        vendor(0xb, b"GenuineIntel"),
        leaf(4, 0, [old | 1 << 5 | 1, 1, 2, 3]),
        leaf(4, 3, [old | 3 << 5 | 3, 1, 2, 3]),
        leaf(4, 4, [0, 0, 0, 0]),
    ];
    let table = table(&host, 2, FOUR);
    assert_eq!(get(&table, 4, 0), [3 << 26 | 1 << 5 | 1, 1, 2, 3]);
    assert_eq!(get(&table, 4, 3), [3 << 26 | 3 << 14 | 3 << 5 | 3, 1, 2, 3]);
    assert_eq!(get(&table, 4, 4), [0; 4]);
}

#[test]
fn amd_leaves_count_cores_and_others_are_left_alone() {
    let leaves = [
        leaf(0x8000_0001, 0, [0; 4]),
        leaf(0x8000_0008, 0, [0x3030, 5, 0xf0_a0ff, 6]),
        leaf(0x8000_001e, 0, [9; 4]),
    ];
    let amd: Vec<_> = [vendor(0xd, b"AuthenticAMD")].into_iter().chain(leaves).collect();
    let mine = table(&amd, 3, FOUR);
    assert_eq!(get(&mine, 0x8000_0001, 0)[2], 2);
    assert_eq!(get(&mine, 0x8000_0008, 0), [0x3030, 5, 0xf0_2003, 6]);
    assert_eq!(get(&mine, 0x8000_001e, 0), [3, 3, 0, 9]);
    let intel: Vec<_> = [vendor(0xd, b"GenuineIntel")].into_iter().chain(leaves).collect();
    assert_eq!(get(&table(&intel, 3, FOUR), 0x8000_0008, 0)[2], 0xf0_a0ff);
}

#[test]
fn address_width_is_the_least_that_is_told() {
    for (leaves, want) in [
        (vec![], 36),
        (vec![leaf(0x8000_0008, 0, [0x3028, 0, 0, 0])], 40),
        (vec![leaf(0x8000_0008, 0, [0x30_3934, 0, 0, 0])], 48),
        (vec![leaf(0x8000_0008, 0, [0x34_3930, 0, 0, 0])], 48),
    ] {
        assert_eq!(phys_bits(&leaves), want, "{leaves:?}");
    }
}
