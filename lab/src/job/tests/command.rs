//! A program that runs in the lab host, as the host's script runs it: here in another shell.

use crate::played::play;

/// `TICK` is how long the script's clock sleeps, `SHELL` what the step runs.
const PLAY: &str = r#"
. "$folder/command.sh"
heard=$folder/heard
out=$folder
begin() { :; }
finish() { echo finished; }
mark() { echo "@lab $*"; }
fact() { echo "fact $*"; }
sleep() { TICK; }
KILL_AFTER=1
command_step it "$1" "$2"
"#;
/// A clock that does not strike.
const QUIET: &str = "exit 1";

struct Step {
    /// What went to the lab host's console.
    told: Vec<String>,
    console: String,
    stderr: String,
}

/// The step may take `limit` seconds.
fn step(test: &str, tick: &str, limit: &str, shell: &str) -> Step {
    let script = PLAY.replace("TICK", tick);
    let played =
        play(test, ("command.sh", include_str!("../../scripts/command.sh")), &script, &[limit, shell]);
    assert!(played.output.status.success(), "{:?}", played.output);
    let told = String::from_utf8_lossy(&played.output.stdout).lines().map(str::to_owned).collect();
    Step { told, console: played.kept("console"), stderr: played.kept("stderr") }
}

#[test]
fn what_a_program_says_is_told_line_by_line_and_kept() {
    let cases: &[(&str, &str, &[&str], &str)] = &[
        ("true", "0", &[], ""),
        (r"echo; printf '%s\n' ' a  b \n %s'; exit 3", "3", &["", r" a  b \n %s"], "\n a  b \\n %s\n"),
        ("echo one; printf two", "0", &["one", "two"], "one\ntwo\n"),
        ("echo no >&2; kill -9 $$", "137", &[], ""),
    ];
    for (at, (shell, status, lines, console)) in cases.iter().enumerate() {
        let step = step(&format!("told-{at}"), QUIET, "10", shell);
        let mut expected = vec!["@lab step it".to_owned()];
        expected.extend(lines.iter().map(|line| format!("@l2 {line}")));
        expected.extend([format!("fact exit {status}"), "finished".into(), "@lab step-end it".into()]);
        assert_eq!(step.told, expected, "{shell}");
        assert_eq!(step.console, *console, "{shell}");
        assert_eq!(step.stderr.contains("no"), shell.contains("no >&2"), "{shell}");
    }
}

#[test]
fn a_program_that_is_silent_is_said_to_run_on_and_its_half_line_stays_whole() {
    // The clock strikes three times while half a line is said, and after it the program goes on.
    let tick = r#"until [ -e "$folder/half" ]; do :; done
        strikes=$((${strikes:-0} + 1))
        [ "$strikes" -le 3 ] || { : >"$folder/struck"; exit 1; }"#;
    let shell = r#"printf half; : >"$folder/half"; until [ -e "$folder/struck" ]; do :; done; echo ' and half'; echo end"#;
    let step = step("silent", tick, "10", shell);
    let waiting = ["@lab waiting it 10", "@lab waiting it 20"];
    assert_eq!(
        step.told[..5],
        ["@lab step it", waiting[0], waiting[1], "@l2 half and half", "@l2 end"],
        "{:?}",
        step.told
    );
}

#[test]
fn a_program_that_does_not_heed_its_limit_is_killed() {
    let step = step("deaf", QUIET, "1", "trap '' TERM; echo deaf; while :; do :; done");
    assert_eq!(step.told, ["@lab step it", "@l2 deaf", "fact exit 137", "finished", "@lab step-end it"]);
}
