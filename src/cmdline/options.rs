//! Options of one flag, `key=value,key`: a small parser whose errors say what would have been right.
//!
//! A struct made with [`spec!`] lists its keys once; the doc comments of its fields are the help text.

use std::collections::BTreeMap;

/// One key a flag knows.
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub form: &'static str,
    /// What it does, a line each.
    pub help: &'static [&'static str],
}

/// A type that can be the value of a key.
pub trait OptionValue: Sized {
    /// Reads it; `None` when the key stands without a value. The error completes "… : ".
    fn read(value: Option<&str>) -> Result<Self, String>;
}

/// What was read: the value of each key that stood there.
pub type Values<'a> = BTreeMap<&'static str, Option<&'a str>>;

/// Cuts `text` at commas and equals signs. The first piece may be the bare value of `bare`.
pub fn cut<'a>(text: &'a str, keys: &[Key], bare: Option<&'static str>) -> Result<Values<'a>, String> {
    let mut values = Values::new();
    for (index, piece) in text.split(',').enumerate() {
        if text.is_empty() {
            break;
        }
        let (key, value) = match (piece.split_once('='), bare) {
            // A path may hold an equals sign.
            (None, Some(bare)) if index == 0 => (bare, Some(piece)),
            (Some(_), Some(bare)) if index == 0 && piece.starts_with('/') => (bare, Some(piece)),
            (Some((key, value)), _) => (key, Some(value)),
            (None, _) => (piece, None),
        };
        let known = keys.iter().find(|known| known.name == key).ok_or_else(|| unknown(key, keys))?;
        if values.insert(known.name, value).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    Ok(values)
}

/// Reads one key out of `values`.
pub fn take<T: OptionValue>(values: &mut Values<'_>, key: &str) -> Result<Option<T>, String> {
    let Some(value) = values.remove(key) else { return Ok(None) };
    T::read(value).map(Some).map_err(|why| match value {
        Some(value) => format!("{key}={value}: {why}"),
        None => format!("{key}: {why}"),
    })
}

/// The help of one flag's keys.
pub fn help(about: &[&str], keys: &[Key]) -> String {
    let mut text = paragraph(about);
    for key in keys {
        text.push_str(&format!("\n  {}\n      {}", key.form, paragraph(key.help)));
    }
    text
}

fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn unknown(key: &str, keys: &[Key]) -> String {
    let nearest = nearest(key, keys.iter().map(|known| known.name));
    let valid: Vec<&str> = keys.iter().map(|known| known.name).collect();
    let valid = valid.join(", ");
    match nearest {
        Some(name) => format!("unknown key `{key}`; did you mean `{name}`? Valid keys: {valid}"),
        None => format!("unknown key `{key}`; valid keys: {valid}"),
    }
}

/// The name nearest to `word`, if any is near enough to have been meant.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (likeness(word, name), name))
        .filter(|(likeness, _)| *likeness > 0.65)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// 1 for the same word, 0 for nothing in common. One measure favours a right start, the other swapped letters.
fn likeness(word: &str, name: &str) -> f64 {
    strsim::jaro_winkler(word, name).max(strsim::normalized_damerau_levenshtein(word, name))
}

/// Reads one of a few words.
pub fn word<T: Copy>(value: Option<&str>, words: &[(&str, T)]) -> Result<T, String> {
    let names = || words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ");
    let Some(value) = value else { return Err(format!("needs a value: {}", names())) };
    match words.iter().find(|(name, _)| *name == value) {
        Some((_, meaning)) => Ok(*meaning),
        None => Err(format!("must be {}", names())),
    }
}

impl OptionValue for String {
    fn read(value: Option<&str>) -> Result<String, String> {
        match value {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err("needs a value".to_owned()),
        }
    }
}

impl OptionValue for u64 {
    fn read(value: Option<&str>) -> Result<u64, String> {
        let value = value.ok_or("needs a number")?;
        value.parse().map_err(|_| "must be a whole number".to_owned())
    }
}

/// `on` or `off`; the key alone means `on`. Also `true` and `false`, as other monitors have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch(pub bool);

impl OptionValue for Switch {
    fn read(value: Option<&str>) -> Result<Switch, String> {
        match value {
            None | Some("true") => Ok(Switch(true)),
            Some("false") => Ok(Switch(false)),
            value => word(value, &[("on", Switch(true)), ("off", Switch(false))]),
        }
    }
}

/// Declares the struct of one flag: a doc comment, the key, how its value looks, the field and its type. Each field is
/// an `Option`; `bare` names the key whose value may stand first without its name.
macro_rules! spec {
    (
        $(#[doc = $about:literal])+
        $(#[bare($bare:literal)])?
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ $key:literal, $form:literal => $field:ident: $type:ty, )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: Option<$type>, )+
        }

        impl $name {
            const KEYS: &[crate::cmdline::options::Key] = &[
                $( crate::cmdline::options::Key { name: $key, form: $form, help: &[$($doc),+] }, )+
            ];

            /// Reads the value of the flag.
            fn read(text: &str) -> Result<$name, String> {
                let bare: Option<&'static str> = None $(.or(Some($bare)))?;
                let mut values = crate::cmdline::options::cut(text, Self::KEYS, bare)?;
                Ok($name { $( $field: crate::cmdline::options::take::<$type>(&mut values, $key)?, )+ })
            }

            /// The help text: the doc comments above.
            pub fn help() -> String {
                crate::cmdline::options::help(&[$($about),+], Self::KEYS)
            }
        }
    };
}
pub(crate) use spec;

#[cfg(test)]
mod tests;
