use kvm_bindings::kvm_run;

use super::KickState;

#[test]
fn a_kick_sets_the_flag_until_it_is_taken() {
    let mut page = Box::new(kvm_run::default());
    let state = KickState::new(&mut page);
    let kicker = state.kicker();
    kicker.kick();
    kicker.clone().kick();
    assert_eq!(page.immediate_exit, 1);
    state.taken();
    assert_eq!(page.immediate_exit, 0);
}

#[test]
fn a_kick_after_the_end_of_the_processor_touches_nothing() {
    let mut page = Box::new(kvm_run::default());
    let state = KickState::new(&mut page);
    let kicker = state.kicker();
    drop(state);
    kicker.kick();
    assert_eq!(page.immediate_exit, 0);
}
