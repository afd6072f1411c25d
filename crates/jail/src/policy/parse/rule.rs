//! The part of a line after the colon: `1`, `return ERROR`, or alternatives of conditions on arguments.

use crate::policy::constants;
use crate::policy::{Condition, Test, Verdict};

/// Arguments of which the kernel takes 32 bits only (`int`, `unsigned int`): a libc may leave anything in the upper half.
/// An argument that is missing here is compared in full, which can only deny too much.
const NARROW: &[(&str, u8)] = &[
    ("ioctl", 1),
    ("fcntl", 1),
    ("prctl", 0),
    ("madvise", 2),
    ("futex", 1),
    ("epoll_create1", 0),
    ("epoll_ctl", 1),
    ("eventfd2", 1),
    ("fallocate", 1),
    ("lseek", 2),
    ("statx", 2),
    ("tgkill", 2),
];

/// The most alternatives that one line may expand to: a filter has at most 4096 instructions.
const ALTERNATIVES: usize = 64;

/// Reads the rule of the call `name`; the error in words.
pub fn read(name: &str, text: &str) -> Result<Verdict, String> {
    if text == "1" {
        return Ok(Verdict::Always);
    }
    if let Some(error) = text.strip_prefix("return ") {
        let error = error.trim();
        let number = constants::errno(error)
            .ok_or_else(|| format!("`{error}` is no error that a policy may answer"))?;
        return Ok(Verdict::Answer(number));
    }
    let mut alternatives = Vec::new();
    for alternative in text.split("||") {
        alternatives.extend(conjunction(name, alternative)?);
    }
    if alternatives.len() > ALTERNATIVES {
        return Err(format!(
            "the line stands for {} alternatives, {ALTERNATIVES} are allowed",
            alternatives.len()
        ));
    }
    Ok(Verdict::AnyOf(alternatives))
}

/// `term && term`: a term with a set makes one alternative for each member.
fn conjunction(name: &str, text: &str) -> Result<Vec<Vec<Condition>>, String> {
    let mut product: Vec<Vec<Condition>> = vec![Vec::new()];
    for text in text.split("&&") {
        let choices = term(name, text.trim())?;
        let longer = |so_far: &Vec<Condition>| {
            let so_far = so_far.clone();
            choices
                .iter()
                .map(move |choice| so_far.iter().copied().chain([*choice]).collect())
                .collect::<Vec<_>>()
        };
        product = product.iter().flat_map(longer).collect();
    }
    Ok(product)
}

/// `argN OPERATOR VALUE`.
fn term(name: &str, text: &str) -> Result<Vec<Condition>, String> {
    let shape = || format!("`{text}` is not `argN ==|!=|<=|within VALUE` and not `argN in {{VALUE, …}}`");
    let mut words = text.splitn(3, char::is_whitespace);
    let (Some(subject), Some(operator), Some(value)) = (words.next(), words.next(), words.next()) else {
        return Err(shape());
    };
    let arg = subject.strip_prefix("arg").and_then(|digits| digits.parse().ok()).filter(|arg| *arg < 6);
    let arg: u8 = arg.ok_or_else(shape)?;
    let wide = !NARROW.contains(&(name, arg));
    let value = value.trim();
    let test: fn(u64) -> Test = match operator {
        "==" | "in" => Test::Equal,
        "!=" => Test::NotEqual,
        "<=" => Test::AtMost,
        "within" => Test::Within,
        _ => return Err(shape()),
    };
    let values = match (operator, value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))) {
        ("in", Some(members)) => members.split(',').map(expression).collect::<Result<Vec<_>, _>>()?,
        ("in", None) | (_, Some(_)) => return Err(shape()),
        (_, None) => vec![expression(value)?],
    };
    Ok(values.into_iter().map(|value| Condition { arg, wide, test: test(value) }).collect())
}

/// Names and numbers joined by `|`.
fn expression(text: &str) -> Result<u64, String> {
    text.split('|').map(|item| atom(item.trim())).try_fold(0, |sum, item| Ok(sum | item?))
}

fn atom(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    number
        .or_else(|| constants::value(text))
        .ok_or_else(|| format!("`{text}` is no constant that policies know"))
}
