//! Scripts of the lab host, played by tests in a shell of this machine.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// How a script was played. Its folder goes with it.
pub struct Played {
    pub output: Output,
    folder: PathBuf,
}

impl Played {
    /// What the script wrote into this file of its folder; nothing when there is none.
    pub fn kept(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs `script` with these words beside a file of this name and text, which lies in `$folder`. A script that waits for what
/// never comes is ended.
pub fn play(test: &str, (name, text): (&str, &str), script: &str, words: &[&str]) -> Played {
    let folder = std::env::temp_dir().join(format!("lab-played-{}-{name}-{test}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    let mut command = Command::new("timeout");
    command.args(["20", "bash", "-c", script, "sh"]).args(words).env("folder", &folder);
    let output = command.output().unwrap();
    Played { output, folder }
}
