//! The subcommands that talk to a running machine.

use std::io::Write;
use std::path::Path;

use vm_control::{Client, Reply, Request};

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

/// Prints the state of the virtual IOMMU of the machine at `socket`, as tables or as one line of JSON.
///
/// # Errors
/// No machine answers, it has no virtual IOMMU, or nothing can be printed.
pub fn show(socket: &Path, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let report = match Client::connect(socket)?.ask(&Request::ViommuShow)? {
        Reply::Viommu(report) => report,
        reply => return Err(unexpected(reply)),
    };
    if json {
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(0)
}

fn unexpected(reply: Reply) -> anyhow::Error {
    match reply {
        Reply::Refused(reason) => anyhow::anyhow!("the machine refuses: {reason}"),
        other => anyhow::anyhow!("the machine gave an answer to another question: {other:?}"),
    }
}
