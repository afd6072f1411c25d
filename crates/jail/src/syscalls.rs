//! Names of system calls, and their numbers.

#[cfg(any(test, target_arch = "x86_64"))]
const X86_64: &str = include_str!("syscalls/x86_64.txt");
#[cfg(any(test, target_arch = "aarch64"))]
const AARCH64: &str = include_str!("syscalls/aarch64.txt");

#[cfg(target_arch = "x86_64")]
const OURS: &str = X86_64;
#[cfg(target_arch = "aarch64")]
const OURS: &str = AARCH64;

/// The name of a system call of this architecture; `None` when the table, which ends with Linux 6.19, has none.
pub fn syscall_name(number: i64) -> Option<&'static str> {
    lines(OURS).find(|(of, _)| *of == number).map(|(_, name)| name)
}

/// The number of a system call of this architecture.
pub fn syscall_number(name: &str) -> Option<i64> {
    lines(OURS).find(|(_, of)| *of == name).map(|(number, _)| number)
}

/// The lines of a table: number, name.
fn lines(table: &'static str) -> impl Iterator<Item = (i64, &'static str)> {
    table.lines().filter_map(|line| {
        let (number, name) = line.split_once(' ')?;
        Some((number.parse().ok()?, name))
    })
}

#[cfg(test)]
mod tests;
