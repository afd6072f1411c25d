//! `drive TARGET --execs N [--seed N] [--corpus DIR]`: runs a target on inputs from its corpus and on mutations of them,
//! without the feedback that libFuzzer has. For toolchains that cannot build libFuzzer's instrumentation.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a tool for people")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use suites::Random;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| words.iter().position(|word| word == name).and_then(|at| words.get(at + 1));
    let number = |name: &str, default| option(name).map_or(Some(default), |text| text.parse().ok());
    let target = words.first().and_then(|name| fuzz::TARGETS.iter().find(|(known, _)| known == name));
    let (Some((name, run)), Some(execs), Some(seed)) =
        (target, number("--execs", 100_000), number("--seed", 1))
    else {
        let known: Vec<_> = fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
        println!("usage: drive TARGET [--execs N] [--seed N] [--corpus DIR]; targets: {}", known.join(", "));
        return ExitCode::FAILURE;
    };
    let corpus = corpus(option("--corpus").map(PathBuf::from));
    let mut random = Random::new(seed);
    let begun = Instant::now();
    for n in 0..execs {
        let input = match corpus.get(n as usize) {
            Some(input) => input.clone(),
            None => mutate(&corpus, &mut random),
        };
        // A panic ends the process; the input is needed then.
        if std::panic::catch_unwind(|| run(&input)).is_err() {
            println!("fuzz: {name}: execution {n} of seed {seed} failed on {input:02x?}");
            return ExitCode::FAILURE;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "fuzz: {name}: {execs} executions at random, 0 failures; {} inputs kept; {seconds:.1} s",
        corpus.len()
    );
    ExitCode::SUCCESS
}

fn corpus(folder: Option<PathBuf>) -> Vec<Vec<u8>> {
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> =
        entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// An input of the corpus changed in a few places, two of them spliced, or noise.
fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = match corpus.is_empty() || random.once_in(4) {
        true => (0..random.below(300)).map(|_| random.word() as u8).collect(),
        false => corpus[random.below(corpus.len() as u64) as usize].clone(),
    };
    if !corpus.is_empty() && random.once_in(4) {
        let other = &corpus[random.below(corpus.len() as u64) as usize];
        input.truncate(random.below(input.len() as u64 + 1) as usize);
        input.extend(&other[random.below(other.len() as u64 + 1) as usize..]);
    }
    for _ in 0..random.below(6) {
        let at = random.below(input.len() as u64 + 1) as usize;
        match random.below(4) {
            0 => input.insert(at, random.word() as u8),
            1 if at < input.len() => drop(input.remove(at)),
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.pick(&[*byte ^ (1 << (at % 8)), 0, 0xff, byte.wrapping_add(1)]);
                }
            }
        }
    }
    input
}
