//! The table for the terminal and for the book, and the figures' place in the page of the book.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Outcome;
use super::chart;
use super::table::{Row, Target};
use super::times::Cell;
use crate::qemu::Idle;

const PAGE: &str = "docs/src/performance.md";

/// The table as text of even columns.
pub fn text(rows: &[Row]) -> String {
    let head = ["", "floor", "QEMU", "mixvm", "poll=off", "wanted"].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |line: &[String; 6]| {
        let mut text = format!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        text.trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

/// The table as the book has it.
fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| work | floor | QEMU | mixvm | mixvm, `poll=off` | wanted |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        text.push_str(&format!("| {} |\n", cells(row).join(" | ")));
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    let none = || "–".to_owned();
    let guest = |cell: &Option<Cell>| match cell {
        None => none(),
        Some(Cell { value, times: None }) => number(*value, row.unit),
        Some(Cell { value, times: Some(times) }) => {
            let [middle, low, high] = [times.median, times.low, times.high].map(short);
            format!("{} (×{middle}, {low}–{high})", number(*value, row.unit))
        }
    };
    let floor = row.floor.map_or_else(none, |floor| number(floor, row.unit));
    let wanted = match (wanted(row.target), row.met()) {
        (wanted, Some(true)) => format!("{wanted}: yes"),
        (wanted, Some(false)) => format!("{wanted}: no"),
        (wanted, None) => wanted,
    };
    [row.work.clone(), floor, guest(&row.qemu), guest(&row.mixvm), guest(&row.unpolled), wanted]
}

fn wanted(target: Target) -> String {
    match target {
        Target::AtMostFloor(times) => format!("at most ×{}", short(times)),
        Target::AtLeastFloor(part) => format!("at least ×{}", short(part)),
        Target::LessThanQemu => "less than QEMU".to_owned(),
        Target::AtMost(most) => format!("at most {}", short(most)),
        Target::AtLeast(least) => format!("at least {}", short(least)),
        Target::None => String::new(),
    }
}

fn number(value: f64, unit: &str) -> String {
    match unit {
        "" => short(value),
        "/s" => format!("{}/s", short(value)),
        unit => format!("{} {unit}", short(value)),
    }
}

/// Two or three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Writes the figures of one architecture into the page, and its chart beside it.
pub fn write(tree: &Path, outcome: &Outcome) -> Result<()> {
    let path = tree.join(PAGE);
    let old = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let new = placed(&old, outcome).with_context(|| format!("{PAGE} has no markers for {}", outcome.arch))?;
    let chart = path.with_file_name(chart_name(outcome.arch));
    fs::write(&chart, chart::svg(&outcome.rows)).with_context(|| format!("writing {}", chart.display()))?;
    fs::write(&path, new).with_context(|| format!("writing {}", path.display()))
}

fn chart_name(arch: &str) -> String {
    format!("performance-{arch}.svg")
}

/// The page with the figures in place of those that stand there.
fn placed(page: &str, outcome: &Outcome) -> Option<String> {
    let begin =
        format!("<!-- figures of {}: written by `cargo lab bench --write-report` -->\n", outcome.arch);
    let end = format!("<!-- end of {} -->", outcome.arch);
    let from = page.find(&begin)? + begin.len();
    let to = from + page.get(from..)?.find(&end)?;
    Some(format!("{}\n{}\n{}", page.get(..from)?, section(outcome), page.get(to..)?))
}

fn section(outcome: &Outcome) -> String {
    let method = &outcome.method;
    format!(
        "{}, Linux {} as host and guest, QEMU {}, {} processors in the lab host{}, 1 in the guest, medians of {} runs{}.\n\n\
         {}\n![What each work costs, in multiples of the floor]({})\n",
        method.date,
        method.kernel,
        method.qemu,
        method.host_cpus,
        match method.host_idle {
            Idle::Halt => "",
            Idle::Poll => " that stay awake without work",
        },
        method.runs,
        if method.failures.is_empty() {
            String::new()
        } else {
            format!("; failed: {}", method.failures.join("; "))
        },
        markdown(&outcome.rows),
        chart_name(outcome.arch)
    )
}

#[cfg(test)]
mod tests;
