//! The report of `cargo llvm-cov` summed up by folder, and the floors.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

/// Folders, and the share of their lines that tests must run, in percent. The innermost folder counts.
const FLOORS: &[(&str, u64)] = &[
    ("crates/virtio_iommu_spec/src", 100),
    ("crates/iommu_domain/src", 97),
    ("crates/devices/src/virtio/iommu", 95),
];

/// Parts of paths whose lines are tests, or for tests alone.
const TESTS: &[&str] = &["tests", "tests.rs", "testkit", "testing.rs", "testing", "examples"];

#[derive(Deserialize)]
struct Report {
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: Lines,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
struct Lines {
    count: u64,
    covered: u64,
}

/// Lines by group: a folder with a floor with all below it, any other folder by itself.
#[derive(Debug, Default)]
pub struct Table {
    groups: BTreeMap<String, Lines>,
}

/// A group that has too few.
pub struct Below {
    name: String,
    lines: Lines,
    floor: u64,
}

impl Table {
    /// Sums up a report of files below `root`.
    pub fn parse(report: &str, root: &Path) -> anyhow::Result<Table> {
        let report: Report = serde_json::from_str(report)?;
        let mut table = Table::default();
        for file in report.data.into_iter().flat_map(|data| data.files) {
            let path = Path::new(&file.filename);
            let Ok(path) = path.strip_prefix(root) else { continue };
            let path = path.to_string_lossy().replace('\\', "/");
            if !path.starts_with("crates/") || path.split('/').any(|part| TESTS.contains(&part)) {
                continue;
            }
            let sum = table.groups.entry(group(&path)).or_default();
            sum.count += file.summary.lines.count;
            sum.covered += file.summary.lines.covered;
        }
        anyhow::ensure!(!table.groups.is_empty(), "it names no file of the tree");
        Ok(table)
    }

    /// The groups below their floor, and those with a floor and no lines at all.
    pub fn below(&self) -> Vec<Below> {
        let low = |(name, floor): &(&str, u64)| {
            let lines = self.groups.get(*name).copied().unwrap_or_default();
            let good = lines.count > 0 && lines.covered * 100 >= lines.count * floor;
            (!good).then(|| Below { name: (*name).into(), lines, floor: *floor })
        };
        FLOORS.iter().filter_map(low).collect()
    }

    /// For the page.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| folder | lines | run by tests | floor |\n|---|---|---|---|");
        for (name, lines) in &self.groups {
            let floor = FLOORS.iter().find(|(folder, _)| folder == name);
            let floor = floor.map(|(_, floor)| format!("{floor} %")).unwrap_or_default();
            text += &format!("\n| `{name}` | {} | {} | {floor} |", lines.count, lines.percent());
        }
        text
    }

    /// For the figures.
    pub fn line(&self) -> String {
        let of = |(name, _): &(&str, u64)| {
            let lines = self.groups.get(*name).copied().unwrap_or_default();
            format!("{name} {}", lines.percent())
        };
        format!("cover: {}", FLOORS.iter().map(of).collect::<Vec<_>>().join(", "))
    }
}

impl Lines {
    /// Rounded down, so that 100 % means all.
    fn percent(self) -> String {
        let tenths = (self.covered * 1000).checked_div(self.count).unwrap_or_default();
        format!("{}.{} %", tenths / 10, tenths % 10)
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Below { name, lines, floor } = self;
        write!(f, "{name}: {} of {} lines, wanted {floor} %", lines.covered, lines.count)
    }
}

/// The folder with a floor that the file lies in, or its own.
fn group(path: &str) -> String {
    let inside = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    match FLOORS.iter().find(|(folder, _)| inside(folder)) {
        Some((folder, _)) => (*folder).into(),
        None => path.rsplit_once('/').map_or("", |(folder, _)| folder).into(),
    }
}

#[cfg(test)]
mod tests;
