//! A program that runs in the lab host, as the host's script runs it: here in another shell.

use std::fs;
use std::process::Command;

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
command_step it 10 "$1"
"#;
/// A clock that does not strike.
const QUIET: &str = "exit 1";

struct Played {
    /// What went to the lab host's console.
    told: Vec<String>,
    console: String,
    stderr: String,
}

fn play(test: &str, tick: &str, shell: &str) -> Played {
    let folder = std::env::temp_dir().join(format!("mixvm-command-{}-{test}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("command.sh"), include_str!("../../scripts/command.sh")).unwrap();
    let mut command = Command::new("timeout");
    command.args(["20", "bash", "-c", &PLAY.replace("TICK", tick), "sh", shell]).env("folder", &folder);
    let output = command.output().unwrap();
    let kept = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let (console, stderr) = (kept("console"), kept("stderr"));
    fs::remove_dir_all(&folder).unwrap();
    assert!(output.status.success(), "{output:?}");
    Played {
        told: String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect(),
        console,
        stderr,
    }
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
        let played = play(&format!("told-{at}"), QUIET, shell);
        let mut expected = vec!["@lab step it".to_owned()];
        expected.extend(lines.iter().map(|line| format!("@l2 {line}")));
        expected.extend([format!("fact exit {status}"), "finished".into(), "@lab step-end it".into()]);
        assert_eq!(played.told, expected, "{shell}");
        assert_eq!(played.console, *console, "{shell}");
        assert_eq!(played.stderr.contains("no"), shell.contains("no >&2"), "{shell}");
    }
}

#[test]
fn a_program_that_is_silent_is_said_to_run_on_and_its_half_line_stays_whole() {
    // The clock strikes three times while half a line is said, and after it the program goes on.
    let tick = r#"until [ -e "$folder/half" ]; do :; done
        strikes=$((${strikes:-0} + 1))
        [ "$strikes" -le 3 ] || { : >"$folder/struck"; exit 1; }"#;
    let shell = r#"printf half; : >"$folder/half"; until [ -e "$folder/struck" ]; do :; done; echo ' and half'; echo end"#;
    let played = play("silent", tick, shell);
    let waiting = ["@lab waiting it 10", "@lab waiting it 20"];
    assert_eq!(
        played.told[..5],
        ["@lab step it", waiting[0], waiting[1], "@l2 half and half", "@l2 end"],
        "{:?}",
        played.told
    );
}
