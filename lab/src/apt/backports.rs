//! Newer packages than the distribution's own: Debian's backports, from the mirror that the machine's sources already name.
//!
//! The machine's own sources stay as they are: the suite is added to private ones.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Apt;
use crate::exec;
use crate::ui::Ui;

/// Where Debian's own key lies, if its package is installed; else apt's trusted keys must do.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The machine's sources in the older form. Those of the newer form are read in any case.
const SOURCES: &str = "/etc/apt/sources.list";

impl Apt {
    /// Adds the backports of this machine's release to what the later commands see, and returns the suite's name.
    pub(super) fn add_backports(&mut self, ui: &Ui) -> Result<String> {
        self.update(ui)?;
        let mut listing = self.command("apt-get");
        listing.args(["indextargets", "--format", "$(REPO_URI) $(CODENAME) $(LABEL) $(COMPONENT)"]);
        let listing = exec::answer(listing.arg("Created-By: Packages"))?;
        let (mirror, suite) =
            mirror(&listing).context("this machine's apt sources name no release of Debian")?;
        let signed = if Path::new(KEYS).is_file() { format!("[signed-by={KEYS}] ") } else { String::new() };
        let own = fs::read_to_string(SOURCES).unwrap_or_default();
        let list = self.state.join("backports.list");
        fs::write(&list, format!("{own}\ndeb {signed}{mirror} {suite} main\n"))
            .with_context(|| format!("writing {}", list.display()))?;
        self.sources = Some(list);
        self.update(ui)?;
        Ok(suite)
    }
}

/// The mirror of the release itself, and the name of its backports. `listing`: one line for each list of packages.
pub(super) fn mirror(listing: &str) -> Option<(String, String)> {
    listing.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            // A suite beside the release has a hyphen in its name, or another label.
            [mirror, codename, "Debian", "main"] if !codename.contains('-') => {
                Some((mirror.to_owned(), format!("{codename}-backports")))
            }
            _ => None,
        }
    })
}
