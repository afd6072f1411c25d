use super::super::tests::{report, run, usual};
use super::*;

/// Heights of the labels in a drawing: the lines that hold an address.
fn label_lines(svg: &str) -> Vec<f64> {
    let labels = svg.lines().filter(|line| line.contains("class=\"address\""));
    labels
        .map(|line| line.split(" y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn drawing_names_each_band_with_address_and_size() {
    let svg = svg(&usual());
    for words in [
        "Domain 1",
        "01:00.0 (0000:00:04.0 on the host): 5 mappings, 28 KiB",
        "0xfee00000-0xfeefffff",
        "1 MiB",
        "MSI window",
        "0xffff8000-0xffffbfff",
        "2 slots, read",
        "3.98 GiB",
        "02:00.0 is in no domain and reaches nothing",
        "cut: longer than drawn",
    ] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
}

#[test]
fn legend_has_the_kinds_that_occur() {
    let legend = |svg: &str, words: &str| svg.contains(&format!(">{words}</text>"));
    let drawn = svg(&usual());
    assert!(legend(&drawn, "slots, write") && legend(&drawn, "hole"));
    assert!(!legend(&drawn, "doorbell") && !legend(&drawn, "reserved"));
}

#[test]
fn labels_never_lie_on_one_another_or_outside() {
    let many = (0..60).map(|n| run(0xffff_0000 - n * 0x2000, 0xffff_0fff - n * 0x2000, RunKind::Rw, 1)).rev();
    let low = (0..60).map(|n| run(n * 0x2000, 0xfff + n * 0x2000, RunKind::Rw, 1));
    for report in [report(many.collect()), report(low.collect()), usual(), report(Vec::new())] {
        let drawn = svg(&report);
        let lines = label_lines(&drawn);
        assert_eq!(lines.len(), bands(&report, &report.domains[0]).len());
        assert!(lines.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 0.11), "{lines:?}");
        let height: f64 =
            drawn.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        assert!(lines.iter().all(|line| (HEADING..height).contains(line)), "{lines:?} in {height}");
    }
}

#[test]
fn text_of_others_is_no_markup() {
    let mut report = usual();
    report.endpoints[0].host = "<script>&".into();
    assert!(svg(&report).contains("(&lt;script&gt;&amp; on the host)"));
}

#[test]
fn machine_without_domains_is_drawn_too() {
    let mut report = usual();
    report.domains.clear();
    let drawn = svg(&report);
    assert!(drawn.contains("There is no domain.") && drawn.ends_with("</svg>\n"));
}

#[test]
fn elements_are_closed() {
    let drawn = svg(&usual());
    for name in ["text", "svg", "style", "title", "defs", "pattern"] {
        let opened =
            drawn.matches(&format!("<{name}>")).count() + drawn.matches(&format!("<{name} ")).count();
        assert_eq!(opened, drawn.matches(&format!("</{name}>")).count(), "{name}");
    }
    let alone = ["<rect ", "<path "].map(|name| drawn.matches(name).count()).iter().sum::<usize>();
    assert_eq!(alone, drawn.matches("/>").count());
}
