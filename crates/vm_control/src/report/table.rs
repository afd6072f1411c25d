//! The report as people read it.

use std::fmt;

use super::{DomainReport, EndpointReport, LegReport, RegionKind, RequestReport, ViommuReport};

impl fmt::Display for ViommuReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "input range   {}", self.input_range)?;
        writeln!(f, "page sizes    {:#x}", self.page_size_mask)?;
        writeln!(f, "features      {:#x}", self.features)?;
        let bypass = if self.bypass {
            "unattached endpoints pass through"
        } else {
            "unattached endpoints are blocked"
        };
        writeln!(f, "bypass        {bypass}")?;
        writeln!(f, "faults        {}", self.faults)?;
        writeln!(f, "host calls    {}", self.host_calls)?;
        section(f, "ENDPOINT  HOST          LEG                DOMAIN  RESERVED", &self.endpoints, endpoint)?;
        section(f, "DOMAIN      BYPASS  MAPPINGS  MAPPED        ENDPOINTS", &self.domains, domain)?;
        section(f, "LEG                 MAPPINGS  HOST HOLDS  STATE", &self.legs, leg)?;
        section(f, "REQUEST  OK          FAILED", &self.requests, request)
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
    format!(
        "{:<8}  {:<12}  {:<17}  {:<6}  {}",
        row.bdf.to_string(),
        row.host,
        row.leg,
        domain,
        regions.join(", ")
    )
}

fn domain(row: &DomainReport) -> String {
    let members: Vec<String> = row.endpoints.iter().map(|id| format!("{id:#x}")).collect();
    let bypass = if row.bypass { "yes" } else { "no" };
    let mapped = base::bytes(row.bytes);
    format!("{:<10}  {bypass:<6}  {:<8}  {mapped:<12}  {}", row.id, row.mappings, members.join(", "))
}

fn leg(row: &LegReport) -> String {
    let held = row.host_mappings.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let state = if row.quarantined { "quarantined" } else { "in step" };
    format!("{:<18}  {:<8}  {held:<10}  {state}", row.name, row.mappings)
}

fn request(row: &RequestReport) -> String {
    format!("{:<7}  {:<10}  {}", row.kind, row.ok, row.failed)
}
