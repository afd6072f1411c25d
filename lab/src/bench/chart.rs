//! A picture of the rows that have a floor: how many times as long each work takes behind QEMU and behind mixvm.

use super::table::Row;
use super::times::Cell;

const LEFT: f64 = 250.0;
const RIGHT: f64 = 70.0;
const WIDTH: f64 = 820.0;
const THICK: f64 = 13.0;
const GAP: f64 = 14.0;
const TOP: f64 = 44.0;
/// Name and colour of each series.
const SERIES: [(&str, &str); 3] = [("QEMU", "#b8b8b8"), ("mixvm", "#1f6fb2"), ("mixvm, poll=off", "#8fbbe0")];

/// How many times as long the middle run took, and between which half of the runs lie.
struct Bar {
    middle: f64,
    low: f64,
    high: f64,
}

/// The chart as a file.
pub fn svg(rows: &[Row]) -> String {
    let groups: Vec<_> = rows.iter().filter_map(group).collect();
    let most = groups.iter().flat_map(|(_, bars)| bars.iter().flatten()).fold(10.0f64, |a, b| a.max(b.high));
    let decades = most.log10().ceil();
    let x = |times: f64| LEFT + (WIDTH - LEFT - RIGHT) * times.max(1.0).log10() / decades;
    let height = TOP + groups.len() as f64 * (3.0 * THICK + GAP) + 30.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (n, (name, colour)) in SERIES.iter().enumerate() {
        let at = LEFT + 130.0 * n as f64;
        out += &format!("<rect x=\"{at}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\n");
        out += &format!("<text x=\"{}\" y=\"22\">{name}</text>\n", at + 18.0);
    }
    for decade in 0..=decades as i32 {
        let times = 10f64.powi(decade);
        let at = x(times);
        out += &format!(
            "<line x1=\"{at}\" y1=\"{TOP}\" x2=\"{at}\" y2=\"{}\" stroke=\"#ddd\"/>\n",
            height - 24.0
        );
        out += &format!("<text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">×{times}</text>\n", height - 8.0);
    }
    for (n, (name, bars)) in groups.iter().enumerate() {
        let y = TOP + n as f64 * (3.0 * THICK + GAP) + GAP / 2.0;
        out += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\n",
            LEFT - 8.0,
            y + 1.5 * THICK + 4.0
        );
        for (series, bar) in bars.iter().enumerate() {
            let Some(bar) = bar else { continue };
            let [low, middle, high] = [bar.low, bar.middle, bar.high].map(x);
            out += &drawn(bar, [low, middle, high], y + series as f64 * THICK, SERIES[series].1);
        }
    }
    out + "</svg>\n"
}

/// One bar, from the left to the middle run, and a line along which half of the runs lie.
fn drawn(bar: &Bar, [low, middle, high]: [f64; 3], y: f64, colour: &str) -> String {
    let (width, height, centre) = ((middle - LEFT).max(1.0), THICK - 2.0, y + (THICK - 2.0) / 2.0);
    format!(
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>\n\
         <line x1=\"{low:.1}\" y1=\"{centre}\" x2=\"{high:.1}\" y2=\"{centre}\" stroke=\"#555\"/>\n\
         <text x=\"{:.1}\" y=\"{}\" font-size=\"10\">×{:.1}</text>\n",
        high + 4.0,
        y + THICK - 4.0,
        bar.middle
    )
}

/// The row's name, and each series in multiples of the floor's time.
fn group(row: &Row) -> Option<(String, [Option<Bar>; 3])> {
    let bar = |cell: &Option<Cell>| {
        let times = cell.as_ref()?.times.as_ref().filter(|times| times.low > 0.0)?;
        let [middle, low, high] = [times.median, times.low, times.high];
        match row.unit {
            "µs" => Some(Bar { middle, low, high }),
            "/s" => Some(Bar { middle: 1.0 / middle, low: 1.0 / high, high: 1.0 / low }),
            _ => None,
        }
    };
    let all = [&row.qemu, &row.mixvm, &row.unpolled].map(bar);
    all.iter().any(Option::is_some).then(|| (row.work.replace('&', "&amp;").replace('<', "&lt;"), all))
}

#[cfg(test)]
mod tests;
