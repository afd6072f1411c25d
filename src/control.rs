//! The subcommands that talk to a running machine.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use vm_control::{Client, Reply, Request, ViommuReport};

use crate::cmdline::{MapArgs, ShowArgs};
use crate::drawing;

/// Asks the machine at `socket` for something that has no answer but "done".
///
/// # Errors
/// No machine answers, or it refuses.
pub fn tell(socket: &Path, request: Request) -> anyhow::Result<u8> {
    match Client::connect(socket)?.ask(&request)? {
        Reply::Done => Ok(0),
        reply => Err(unexpected(reply)),
    }
}

/// Prints the state of the virtual IOMMU of a machine, as tables or as one line of JSON.
///
/// # Errors
/// No machine answers, it has no virtual IOMMU, or nothing can be printed.
pub fn show(args: &ShowArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let request = if args.mappings { Request::ViommuMappings } else { Request::ViommuShow };
    let report = report(&args.socket, request)?;
    if args.json {
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(0)
}

/// What the output can show.
pub struct Look {
    /// It is a terminal.
    pub terminal: bool,
    /// The variable `NO_COLOR`.
    pub no_color: Option<OsString>,
}

impl Look {
    /// That of standard output.
    pub fn of_stdout() -> Look {
        Look { terminal: io::stdout().is_terminal(), no_color: std::env::var_os("NO_COLOR") }
    }

    /// Colours are for terminals, unless `NO_COLOR` says something.
    fn coloured(&self) -> bool {
        self.terminal && self.no_color.as_ref().is_none_or(|value| value.is_empty())
    }
}

/// Draws the address spaces of a machine's domains, into an SVG file or as text.
///
/// # Errors
/// No machine answers, it has no virtual IOMMU, or the drawing cannot be written.
pub fn map(args: &MapArgs, out: &mut dyn Write, look: &Look) -> anyhow::Result<u8> {
    let report = report(&args.socket, Request::ViommuMap)?;
    match &args.svg {
        Some(file) => std::fs::write(file, drawing::svg(&report))
            .with_context(|| format!("cannot write the drawing to {}", file.display()))?,
        None => out.write_all(drawing::text(&report, look.coloured()).as_bytes())?,
    }
    Ok(0)
}

fn report(socket: &Path, request: Request) -> anyhow::Result<ViommuReport> {
    match Client::connect(socket)?.ask(&request)? {
        Reply::Viommu(report) => Ok(report),
        reply => Err(unexpected(reply)),
    }
}

fn unexpected(reply: Reply) -> anyhow::Error {
    match reply {
        Reply::Refused(reason) => anyhow::anyhow!("the machine refuses: {reason}"),
        other => anyhow::anyhow!("the machine gave an answer to another question: {other:?}"),
    }
}

#[cfg(test)]
mod tests;
