//! The demo's closing page, for people and as JSON.

use serde::Serialize;

use crate::report::Report;
use crate::ui::PhaseTime;
use crate::viommu::Viommu;

/// Everything that the demo measured.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The architecture's name.
    pub arch: &'static str,
    /// Whether every check held.
    pub passed: bool,
    /// The checks that did not hold.
    pub failures: Vec<String>,
    /// SHA-256 that the disk has.
    pub digest_expected: String,
    /// What guest and host told.
    pub report: Report,
    /// Seconds per phase.
    pub phases: Vec<Phase>,
    /// Stalls of the lab host or the guest that were answered by another try.
    pub retries: u32,
}

/// Seconds of one phase.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl From<&PhaseTime> for Phase {
    fn from(time: &PhaseTime) -> Self {
        Self { name: time.name, seconds: (time.seconds * 10.0).round() / 10.0 }
    }
}

impl Summary {
    /// The summary as lines of text.
    pub fn text(&self) -> String {
        let report = &self.report;
        let mut page = Page::default();
        page.line("guest reserved", &list(&report.reserved, "none"));
        for group in &report.groups {
            let text = format!("group {} {} {} ({})", group.number, group.kind, group.device, group.driver);
            page.line("guest group", &text);
        }
        match &report.viommu {
            Some(viommu) => viommu_lines(viommu, &mut page),
            None => page.line(
                "virtual IOMMU",
                &format!("not seen: {}", report.viommu_error.as_deref().unwrap_or("")),
            ),
        }
        let queues: Vec<_> = report.vectors.iter().map(|v| format!("{} {}", v.name, v.taken)).collect();
        page.line("interrupts", &format!("{} ({})", report.interrupts(""), list(&queues, "none")));
        page.line("digest expected", &self.digest_expected);
        page.line("digest read", report.digest.as_deref().unwrap_or("none"));
        page.line("host DMA faults", &list(&report.host_faults, "none"));
        let code = report.exit.map_or("none".to_owned(), |code| code.to_string());
        page.line("VMM exit code", &code);
        let phases: Vec<_> = self.phases.iter().map(|p| format!("{} {:.1}", p.name, p.seconds)).collect();
        page.line("seconds", &phases.join(", "));
        page.line("retries", &self.retries.to_string());
        for failure in &self.failures {
            page.line("FAILED", failure);
        }
        page.line("result", if self.passed { "passed" } else { "failed" });
        page.0
    }
}

fn viommu_lines(viommu: &Viommu, page: &mut Page) {
    for endpoint in &viommu.endpoints {
        for region in &endpoint.reserved {
            let text =
                format!("{:#x}-{:#x} {} (endpoint {})", region.start, region.last, region.kind, endpoint.bdf);
            page.line("PROBE reserved", &text);
        }
    }
    page.line("input range", &format!("{:#x}-{:#x}", viommu.input_range.start, viommu.input_range.last));
    page.line("page size mask", &format!("{:#x}", viommu.page_size_mask));
    let kinds: Vec<_> = viommu.requests.iter().map(|r| format!("{} {}+{}", r.kind, r.ok, r.failed)).collect();
    page.line("requests ok+failed", &list(&kinds, "none"));
    for domain in &viommu.domains {
        page.line("guest domain", &format!("{}: {} live mappings", domain.id, domain.mappings));
    }
    for leg in &viommu.legs {
        let host = leg.host_mappings.map_or("not counted".to_owned(), |count| count.to_string());
        page.line(
            "host container",
            &format!("{}: {} live mappings, the kernel counts {host}", leg.name, leg.mappings),
        );
    }
}

fn list(items: &[String], empty: &str) -> String {
    if items.is_empty() { empty.to_owned() } else { items.join(", ") }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        self.0.push_str(&format!("{label:>18}  {text}\n"));
    }
}

#[cfg(test)]
mod tests;
