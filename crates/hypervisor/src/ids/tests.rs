use super::IdPool;

#[test]
fn numbers_run_out_at_the_limit_and_come_back() {
    let mut pool = IdPool::new(24, 27);
    assert_eq!([pool.take(), pool.take(), pool.take(), pool.take()], [Some(24), Some(25), Some(26), None]);
    pool.give(25);
    pool.give(24);
    assert_eq!([pool.take(), pool.take(), pool.take()], [Some(24), Some(25), None]);
}

#[test]
fn a_pool_without_numbers_gives_none() {
    assert_eq!(IdPool::new(5, 5).take(), None);
    assert_eq!(IdPool::new(6, 5).take(), None);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "twice")]
fn giving_back_twice_is_our_bug() {
    let mut pool = IdPool::new(0, 2);
    let id = pool.take().unwrap();
    pool.give(id);
    pool.give(id);
}
