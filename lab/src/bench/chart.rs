//! A picture of the rows that have a floor: how many times as long each work takes behind QEMU and behind mixvm.

use super::table::Row;

const LEFT: f64 = 250.0;
const RIGHT: f64 = 70.0;
const WIDTH: f64 = 820.0;
const BAR: f64 = 13.0;
const GAP: f64 = 14.0;
const TOP: f64 = 44.0;
/// Name and colour of each series.
const SERIES: [(&str, &str); 3] = [("QEMU", "#b8b8b8"), ("mixvm", "#1f6fb2"), ("mixvm, poll=off", "#8fbbe0")];

/// The chart as a file.
pub fn svg(rows: &[Row]) -> String {
    let groups: Vec<_> = rows.iter().filter_map(group).collect();
    let most = groups.iter().flat_map(|(_, times)| times.iter().flatten()).fold(10.0f64, |a, b| a.max(*b));
    let decades = most.log10().ceil();
    let x = |times: f64| LEFT + (WIDTH - LEFT - RIGHT) * times.max(1.0).log10() / decades;
    let height = TOP + groups.len() as f64 * (3.0 * BAR + GAP) + 30.0;
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
    for (n, (name, times)) in groups.iter().enumerate() {
        let y = TOP + n as f64 * (3.0 * BAR + GAP) + GAP / 2.0;
        out += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\n",
            LEFT - 8.0,
            y + 1.5 * BAR + 4.0
        );
        for (series, times) in times.iter().enumerate() {
            let Some(times) = times else { continue };
            let (y, end, colour) = (y + series as f64 * BAR, x(*times), SERIES[series].1);
            let width = (end - LEFT).max(1.0);
            out += &format!(
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>\n",
                BAR - 2.0
            );
            out += &format!(
                "<text x=\"{:.1}\" y=\"{}\" font-size=\"10\">×{times:.1}</text>\n",
                end + 4.0,
                y + BAR - 4.0
            );
        }
    }
    out + "</svg>\n"
}

/// The row's name, and each series in multiples of the floor's time.
fn group(row: &Row) -> Option<(String, [Option<f64>; 3])> {
    let floor = row.floor.filter(|floor| *floor > 0.0)?;
    let times = |value: Option<f64>| {
        let value = value.filter(|value| *value > 0.0)?;
        match row.unit {
            "µs" => Some(value / floor),
            "/s" => Some(floor / value),
            _ => None,
        }
    };
    let all = [row.qemu, row.mixvm, row.unpolled].map(times);
    all.iter().any(Option::is_some).then(|| (row.work.replace('&', "&amp;").replace('<', "&lt;"), all))
}

#[cfg(test)]
mod tests;
