use super::Rarely;

#[test]
fn a_million_occurrences_are_twenty_lines() {
    let mut rarely = Rarely::default();
    let told: Vec<u64> = (0..1_000_000).filter_map(|_| rarely.count()).collect();
    assert_eq!((told.len(), &told[..5]), (20, [1, 2, 4, 8, 16].as_slice()));
    assert_eq!(rarely.total(), 1_000_000);
}
