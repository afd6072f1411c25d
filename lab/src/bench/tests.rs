//! The turns of a guest and the floor beside it, as the host's script has them taken: here in another shell, with programs that
//! write down what they do in place of measuring.

use super::failures;
use super::readings::{Life, Maps, Readings};
use crate::played::play;

/// Guest and floor do three runs each. `FLOOR` is the floor's program, `GUEST` the guest's.
const PLAY: &str = r#"
. "$folder/turns.sh"
ways=$folder/ways
name=life
E1000E=0000:02:00.0
measured="--runs 3"
tell() { echo "tell $*" >>"$folder/log"; }
did() { echo "$*" >>"$folder/log"; }
taskset() { shift; "$@"; }
runs() { for run in "$@"; do echo "LAB turn"; read -r go || exit; did "$who $run"; done; }
rig() { who=floor; echo "$BASHPID" >"$folder/floor"; FLOOR; }
guest() { who=guest; GUEST; }
make_ways
guest <"$ways/guest" 7>&- 8>&- | {
    while read -r line; do
        case "$line" in
            "LAB turn") turn ;;
            "LAB end maps") finish_floor ;;
        esac
    done
    end_floor
}
[ -e "$folder/floor" ] && [ -e "/proc/$(cat "$folder/floor")" ] && did "the floor is still there"
did over
"#;
const FIGURES: &str = r#"runs 1 2 3; echo '{"figures":"'"$*"'"}'"#;

/// What was done and told, in its order.
fn turns(test: &str, floor: &str, guest: &str) -> Vec<String> {
    let script = PLAY.replace("FLOOR", floor).replace("GUEST", guest);
    let played = play(test, ("turns.sh", include_str!("../scripts/bench-turns.sh")), &script, &[]);
    let log = played.kept("log");
    assert!(played.output.status.success(), "{:?}\n{log}", played.output);
    log.lines().map(str::to_owned).collect()
}

#[test]
fn each_run_of_the_guest_has_one_of_the_floor_right_after_it() {
    let log = turns("all", FIGURES, "runs 1 2 3; echo LAB end maps");
    assert_eq!(log[..6], ["guest 1", "floor 1", "guest 2", "floor 2", "guest 3", "floor 3"]);
    let told = &log[6];
    assert!(told.starts_with("tell beside {") && told.contains("--device 0000:02:00.0 --runs 3"), "{told}");
    assert_eq!(log[7..], ["over"]);
}

#[test]
fn a_guest_goes_on_without_a_floor_that_failed() {
    let failed = "runs 1; echo FAILED: no memory; exit 1";
    let log = turns("failed", failed, "runs 1 2 3; echo LAB end maps");
    let told = "tell fail the floor beside life ended: FAILED: no memory";
    // The second turn finds it out: the floor's first run is still done.
    assert_eq!(log, ["guest 1", "floor 1", told, "guest 2", "guest 3", "over"]);
    let log = turns("dead", "exit 1", "runs 1 2; echo LAB end maps");
    assert_eq!(log, ["tell fail the floor beside life ended: it said nothing", "guest 1", "guest 2", "over"]);
}

#[test]
fn a_floor_ends_with_its_guest() {
    assert_eq!(turns("died", FIGURES, "runs 1 2; exit 1"), ["guest 1", "floor 1", "guest 2", "over"]);
    let failed = turns("gave-up", FIGURES, "runs 1; echo LAB end maps");
    assert_eq!(
        failed,
        ["guest 1", "floor 1", "over"],
        "a guest that failed has no floor's figures beside it"
    );
    assert_eq!(
        turns("none", FIGURES, "echo LAB end maps; runs"),
        ["over"],
        "without turns there is no floor"
    );
}

#[test]
fn maps_without_a_floor_beside_them_fail_the_run() {
    let measured = Life { maps: Some(Maps::default()), ..Life::default() };
    let both = Life { beside: Some(Maps::default()), ..measured.clone() };
    let told = Life { failures: vec!["no disk".into()], ..measured.clone() };
    let lives = [("alone", measured), ("both", both), ("disk", Life::default()), ("told", told)];
    let readings = Readings { retries: 0, lives: lives.map(|(name, life)| (name.to_owned(), life)).into() };
    assert_eq!(failures(&readings), ["alone: no floor was measured beside it", "told: no disk"]);
}
