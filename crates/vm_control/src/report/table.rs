//! The report as people read it.

use std::fmt;
use std::time::Duration;

use super::{DomainReport, EndpointReport, LegReport, RegionKind, RequestReport, SlotReport, ViommuReport};

impl fmt::Display for ViommuReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "input range   {}", self.input_range)?;
        writeln!(f, "page sizes    {:#x}", self.page_size_mask)?;
        writeln!(f, "features      {:#x} {}", self.features, self.feature_names.join(" "))?;
        let bypass = if self.bypass {
            "unattached endpoints pass through"
        } else {
            "unattached endpoints are blocked"
        };
        writeln!(f, "bypass        {bypass}")?;
        writeln!(
            f,
            "faults        {}, {} of them dropped for want of a buffer",
            self.faults, self.faults_dropped
        )?;
        writeln!(f, "pinned        {}", base::bytes(self.pinned))?;
        writeln!(
            f,
            "host calls    {}, {} failed, {}",
            self.host_calls,
            self.host_failures,
            time(self.host_time_ns)
        )?;
        section(
            f,
            "ENDPOINT  HOST          GROUP  LEG                DOMAIN  RESERVED",
            &self.endpoints,
            endpoint,
        )?;
        section(f, "DOMAIN      BYPASS  MAPPINGS  MAPPED        ENDPOINTS", &self.domains, domain)?;
        section(
            f,
            "LEG                 MAPPINGS  HOST HOLDS  PINNED        TIME        ENDPOINTS    STATE",
            &self.legs,
            leg,
        )?;
        section(f, "REQUEST  OK          FAILED", &self.requests, request)?;
        if self.unanswered != 0 {
            writeln!(f, "no request, given back unwritten: {}", self.unanswered)?;
        }
        self.domains
            .iter()
            .filter(|domain| !domain.slots.is_empty())
            .try_for_each(|domain| mappings(f, domain))
    }
}

/// A heading and one line per row; nothing at all without rows.
fn section<T>(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    rows: &[T],
    line: impl Fn(&T) -> String,
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{heading}")?;
    rows.iter().try_for_each(|row| writeln!(f, "{}", line(row).trim_end()))
}

fn endpoint(row: &EndpointReport) -> String {
    let domain = row.domain.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let group = row.group.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let regions: Vec<String> = row
        .reserved
        .iter()
        .map(|region| {
            let kind = match region.kind {
                RegionKind::Msi => "msi",
                RegionKind::Reserved => "reserved",
            };
            format!("{} {kind}", region.span)
        })
        .collect();
    // The widths are those of the heading; a formatted Display type ignores them, so each cell is a text first.
    let (bdf, regions) = (row.bdf.to_string(), regions.join(", "));
    format!("{bdf:<8}  {:<12}  {group:<5}  {:<17}  {domain:<6}  {regions}", row.host, row.leg)
}

fn domain(row: &DomainReport) -> String {
    let bypass = if row.bypass { "yes" } else { "no" };
    let mapped = base::bytes(row.bytes);
    format!("{:<10}  {bypass:<6}  {:<8}  {mapped:<12}  {}", row.id, row.mappings, numbers(&row.endpoints))
}

fn leg(row: &LegReport) -> String {
    let held = row.host_mappings.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let state = match row {
        LegReport { quarantined: true, .. } => "quarantined",
        LegReport { between: true, .. } => "between domains",
        _ => "in step",
    };
    let (pinned, time, endpoints) =
        (base::bytes(row.pinned), time(row.host_time_ns), numbers(&row.endpoints));
    format!(
        "{:<18}  {:<8}  {held:<10}  {pinned:<12}  {time:<10}  {endpoints:<11}  {state}",
        row.name, row.mappings
    )
}

fn request(row: &RequestReport) -> String {
    let failed: Vec<String> = row
        .by_status
        .iter()
        .filter(|(status, _)| *status != "OK")
        .map(|(status, n)| format!("{status} {n}"))
        .collect();
    let why = if failed.is_empty() { String::new() } else { format!(": {}", failed.join(", ")) };
    format!("{:<7}  {:<10}  {}{why}", row.kind, row.ok, row.failed)
}

fn mappings(f: &mut fmt::Formatter<'_>, domain: &DomainReport) -> fmt::Result {
    let heading =
        format!("MAPPINGS OF DOMAIN {:<21}  TO                  SIZE          PERMISSION", domain.id);
    section(f, &heading, &domain.slots, slot)?;
    let left = domain.mappings.saturating_sub(domain.slots.len() as u64);
    if left == 0 { Ok(()) } else { writeln!(f, "… and {left} more") }
}

fn slot(row: &SlotReport) -> String {
    let size = row.span.len().map_or_else(|| "all".to_owned(), base::bytes);
    let software = if row.software { " (no host holds it)" } else { "" };
    let (start, last) = (row.span.start(), row.span.last());
    format!("{start:#018x}-{last:#018x}     {:#018x}  {size:<12}  {}{software}", row.phys, row.perm)
}

fn numbers(ids: &[u32]) -> String {
    ids.iter().map(|id| format!("{id:#x}")).collect::<Vec<_>>().join(", ")
}

fn time(nanoseconds: u64) -> String {
    format!("{:.1} ms", Duration::from_nanos(nanoseconds).as_secs_f64() * 1000.0)
}
