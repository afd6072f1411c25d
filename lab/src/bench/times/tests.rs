use super::Times;

#[test]
fn a_machine_that_flips_between_fast_and_slow_leaves_the_ratio_alone() {
    let pace = [1.0, 2.0, 2.0, 1.0, 2.0];
    let [floor, guest] = [40.0, 120.0].map(|time| pace.map(|pace| pace * time));
    let times = Times::of(&guest, &floor).unwrap();
    assert_eq!((times.low, times.median, times.high), (3.0, 3.0, 3.0));
}

#[test]
fn half_of_the_runs_lie_between_low_and_high() {
    let times = |guest: &[f64]| {
        let times = Times::of(guest, &vec![2.0; guest.len()]).unwrap();
        (times.low, times.median, times.high, times.runs)
    };
    assert_eq!(times(&[8.0]), (4.0, 4.0, 4.0, vec![4.0]));
    assert_eq!(times(&[8.0, 2.0, 6.0]), (1.0, 3.0, 4.0, vec![4.0, 1.0, 3.0]), "of three, all");
    let (low, median, high, _) = times(&[2.0, 20.0, 4.0, 18.0, 6.0, 16.0, 8.0, 14.0, 10.0]);
    assert_eq!((low, median, high), (3.0, 5.0, 8.0));
}

#[test]
fn runs_without_a_floor_beside_them_count_for_nothing() {
    assert_eq!(Times::of(&[8.0], &[]), None);
    assert_eq!(Times::of(&[8.0, 9.0], &[0.0, 3.0]).unwrap().runs, [3.0]);
    assert_eq!(Times::of(&[8.0, 9.0], &[4.0]).unwrap().runs, [2.0]);
}
