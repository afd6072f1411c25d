//! The jail tried from inside: workers enter it and do what they may and what they may not.
//!
//! No test harness: the program is its own worker (it re-executes itself), and forks while it has one thread. Words choose checks by
//! name. What this host does not allow to check is printed, at the end too.
// UNSAFETY: forks, and makes raw system calls of every kind; that is what is tested.
#![allow(unsafe_code)]
// The whole program is a test, which clippy cannot see without a harness.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod allowed;
mod escape_list;
mod escapes;
mod kit;
mod life;
mod outside;
mod refusals;
mod reports;
mod sweep;
mod worker;

use std::process::ExitCode;

use kit::Notes;

/// A check: its name and its code, which panics when it fails.
type Check = (&'static str, fn(&mut Notes));

const CHECKS: &[Check] = &[
    ("every_piece_is_in_place_as_seen_from_outside", outside::every_piece_is_in_place),
    ("each_piece_can_be_gone_without", outside::each_piece_can_be_gone_without),
    ("an_unprivileged_user_gets_the_same_jail", outside::an_unprivileged_user_gets_the_same_jail),
    ("what_a_worker_needs_works_inside", allowed::what_a_worker_needs_works),
    ("no_escape_succeeds", escapes::no_escape_succeeds),
    ("each_wall_stands_alone", escapes::each_wall_stands_alone),
    ("every_system_call_is_as_the_policy_says", sweep::every_system_call),
    ("every_argument_rule_holds_and_no_more", sweep::every_argument_rule),
    ("denied_calls_are_named_and_carried_out", reports::denied_calls_are_named),
    ("a_stray_descriptor_is_refused", refusals::a_stray_descriptor),
    ("more_descriptors_than_a_worker_gets_are_refused", refusals::too_many_descriptors),
    ("too_low_a_limit_of_open_files_is_named", refusals::more_than_its_limit),
    ("a_second_thread_is_refused", refusals::a_second_thread),
    ("a_thread_that_ends_is_waited_for", refusals::a_thread_that_ends),
    ("no_user_namespaces_is_refused_with_the_way_out", refusals::no_user_namespaces),
    ("a_chroot_is_named_as_the_reason", refusals::a_chroot),
    ("a_worker_typed_by_hand_ends", refusals::typed_by_hand),
    ("each_death_is_told_once", life::each_death_is_told_once),
    ("a_panic_on_any_thread_ends_the_worker", life::a_panic_ends_it),
    ("hundreds_of_descriptors_arrive_in_their_order", life::descriptors_arrive_in_order),
    ("an_abort_is_told_as_one", life::an_abort_is_told),
    ("a_workers_last_words_arrive_and_its_pipe_ends", life::last_words_arrive),
    ("dropping_the_children_ends_them", life::dropping_ends_them),
    ("a_worker_dies_with_its_main_process", life::dies_with_main),
    ("starting_and_ending_leaks_nothing", life::leaks_nothing),
];

fn main() -> ExitCode {
    match jail::worker_start() {
        Ok(Some(start)) => worker::run(start),
        Ok(None) => {}
        Err(_) => return ExitCode::from(3),
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Some(code) = kit::hidden_role() {
        return code;
    }
    let mut notes = Notes::default();
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in
        CHECKS.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|w| name.contains(&**w)))
    {
        let begin = std::time::Instant::now();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&mut notes)));
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("check {name} ... {verdict} ({} ms)", begin.elapsed().as_millis());
        passed += u32::from(result.is_ok());
        failed += u32::from(result.is_err());
    }
    notes.print();
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
