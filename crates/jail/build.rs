//! Compiles the policies of `seccomp/` for the target: BPF programs as bytes, and their rules as Rust constants.

#[path = "src/policy/mod.rs"]
mod policy;

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use policy::{Call, Condition, Filters, Policy, Sources, Test, Verdict};

/// The policies that processes run under; `common` is included by each of them.
const POLICIES: &[&str] = &["device", "vfio", "viommu"];

fn main() -> Result<(), Box<dyn Error>> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let crate_root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let table = crate_root.join(format!("src/syscalls/{arch}.txt"));
    for input in ["build.rs", "src/policy", "src/syscalls", "../../seccomp"] {
        println!("cargo::rerun-if-changed={}", crate_root.join(input).display());
    }
    let numbers = numbers(&fs::read_to_string(&table).map_err(|e| format!("{}: {e}", table.display()))?);
    let workspace = crate_root.join("../..").canonicalize()?;
    let sources = Sources {
        read: &|path: &Path| fs::read_to_string(workspace.join(path)).map_err(|e| e.to_string()),
        number: &|name: &str| numbers.get(name).copied(),
    };
    let mut code = String::new();
    for name in POLICIES {
        let path = PathBuf::from(format!("seccomp/{arch}/{name}.policy"));
        // Display, not Debug: cargo shows what stands here, and file:line is for people.
        let policy = policy::parse(&path, &sources).unwrap_or_else(|e| fail(&e.to_string()));
        let filters =
            policy::compile(&policy, &arch).unwrap_or_else(|e| fail(&format!("{}: {e}", path.display())));
        write_policy(&out, name, &policy, &filters, &mut code)?;
    }
    Ok(fs::write(out.join("policies.rs"), code)?)
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    std::process::exit(1)
}

fn numbers(table: &str) -> HashMap<String, u32> {
    let line = |line: &str| {
        let (number, name) = line.split_once(' ')?;
        Some((name.to_string(), number.parse().ok()?))
    };
    table.lines().filter_map(line).collect()
}

fn write_policy(
    out: &Path,
    name: &str,
    policy: &Policy,
    filters: &Filters,
    code: &mut String,
) -> Result<(), Box<dyn Error>> {
    let program = |kind: &str, bytes: &[u8]| -> Result<String, std::io::Error> {
        let path = out.join(format!("{name}.{kind}.bpf"));
        fs::write(&path, bytes)?;
        Ok(format!("include_bytes!({path:?})"))
    };
    let kill = program("kill", &filters.kill)?;
    let report = program("report", &filters.report)?;
    writeln!(code, "static {}: Compiled = Compiled {{", name.to_uppercase())?;
    writeln!(code, "    kill: {kill},\n    report: {report},")?;
    writeln!(code, "    rules: &[")?;
    for (number, call) in policy {
        writeln!(
            code,
            "        Rule {{ number: {number}, name: {:?}, verdict: {} }},",
            call.name,
            verdict(call)
        )?;
    }
    Ok(writeln!(code, "    ],\n}};")?)
}

fn verdict(call: &Call) -> String {
    match &call.verdict {
        Verdict::Always => "Verdict::Always".into(),
        Verdict::Answer(error) => format!("Verdict::Answer({error})"),
        Verdict::AnyOf(alternatives) => {
            let all = |all: &Vec<Condition>| {
                let conditions: Vec<String> = all.iter().map(condition).collect();
                format!("&[{}]", conditions.join(", "))
            };
            let alternatives: Vec<String> = alternatives.iter().map(all).collect();
            format!("Verdict::AnyOf(&[{}])", alternatives.join(", "))
        }
    }
}

fn condition(condition: &Condition) -> String {
    let (test, value) = match condition.test {
        Test::Equal(value) => ("Equal", value),
        Test::NotEqual(value) => ("NotEqual", value),
        Test::AtMost(value) => ("AtMost", value),
        Test::Within(value) => ("Within", value),
    };
    format!(
        "Condition {{ arg: {}, wide: {}, test: Test::{test}({value:#x}) }}",
        condition.arg, condition.wide
    )
}
