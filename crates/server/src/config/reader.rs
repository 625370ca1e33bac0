//! Reads a TOML file key by key and gathers every fault, where serde would stop at the first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Problem, Problems, Severity};

/// Reads a file's text with `read`, which asks its [`Section`]s for values; gives the result and the warnings, or all
/// problems when one of them is a fault.
pub fn read<T>(
    file: &Path,
    text: &str,
    read: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Result<(T, Vec<Problem>), Problems> {
    let source = Source { file, text, problems: RefCell::default() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or_default();
        let message = error.message().to_owned();
        source.report(Severity::Fault, &span, String::new(), message, "write valid TOML (https://toml.io)".into());
    }
    let mut result = None;
    // After a fault of syntax keys may seem to be missing that are there: only the syntax is reported.
    if source.problems.borrow().is_empty() {
        let root = Section::new(&source, String::new(), root.span(), root.get_ref());
        result = read(&root);
        root.finish();
    }
    let mut problems = source.problems.into_inner();
    problems.sort_by_key(|problem| problem.line);
    match result {
        Some(result) if problems.iter().all(|problem| problem.severity == Severity::Warning) => Ok((result, problems)),
        _ => Err(Problems(problems)),
    }
}

struct Source<'t> {
    file: &'t Path,
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

/// A table of the file. Keys nobody asked for are faults, named when the section ends.
pub struct Section<'t> {
    source: &'t Source<'t>,
    path: String,
    span: Range<usize>,
    table: &'t DeTable<'t>,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'t> Section<'t> {
    fn new(source: &'t Source<'t>, path: String, span: Range<usize>, table: &'t DeTable<'t>) -> Section<'t> {
        Section { source, path, span, table, known: RefCell::default() }
    }

    fn value(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.borrow_mut().insert(key);
        self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key).map(|(_, value)| value)
    }

    fn key(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// Reports a fault of a key that was read.
    pub fn fault(&self, key: &'static str, fault: impl Display, remedy: impl Display) {
        self.problem(Severity::Fault, key, &fault, &remedy);
    }

    /// Reports what a key, or its absence, will cause, where the server can do without.
    pub fn warning(&self, key: &'static str, fault: impl Display, remedy: impl Display) {
        self.problem(Severity::Warning, key, &fault, &remedy);
    }

    fn problem(&self, severity: Severity, key: &'static str, fault: &dyn Display, remedy: &dyn Display) {
        let span = self.value(key).map_or(self.span.clone(), Spanned::span);
        self.source.report(severity, &span, self.key(key), fault.to_string(), remedy.to_string());
    }

    fn wrong_kind(&self, key: &'static str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let fault = format!("{} where {wanted} belongs", article(value.get_ref().type_str()));
        self.source.report(Severity::Fault, &value.span(), self.key(key), fault, format!("write {wanted}"));
    }

    /// A text, when the key is there.
    pub fn text(&self, key: &'static str) -> Option<&'t str> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_kind(key, value, "a text in quotes");
        }
        text
    }

    /// A text that parses, when the key is there; `example` is the remedy.
    pub fn parsed<T: FromStr>(&self, key: &'static str, example: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(key)?;
        text.parse().map_err(|error| self.fault(key, format!("\"{text}\": {error}"), example)).ok()
    }

    /// [`Section::parsed`] of a key that must be there.
    pub fn required<T: FromStr>(&self, key: &'static str, example: &str) -> Option<T>
    where
        T::Err: Display,
    {
        self.require(key, example)?;
        self.parsed(key, example)
    }

    fn require(&self, key: &'static str, example: &str) -> Option<()> {
        if self.value(key).is_none() {
            self.source.report(Severity::Fault, &self.span, self.key(key), "missing".into(), example.to_owned());
            return None;
        }
        Some(())
    }

    /// A path, relative to the file's folder.
    pub fn path(&self, key: &'static str) -> Option<PathBuf> {
        let folder = self.source.file.parent().unwrap_or(Path::new(""));
        self.text(key).map(|path| folder.join(path))
    }

    /// A path that must be given.
    pub fn required_path(&self, key: &'static str, example: &str) -> Option<PathBuf> {
        self.require(key, example)?;
        self.path(key)
    }

    /// A whole number in a range, or the default.
    pub fn whole(&self, key: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let Some(value) = self.value(key) else {
            return default;
        };
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_kind(key, value, "a whole number");
            return default;
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
                self.fault(key, format!("{} is out of range", integer.as_str()), remedy);
                default
            }
        }
    }

    /// One of several words, or the default.
    pub fn choice<T: Clone>(&self, key: &'static str, choices: &[(&str, T)], default: T) -> T {
        let Some(word) = self.text(key) else {
            return default;
        };
        match choices.iter().find(|(name, _)| *name == word) {
            Some((_, chosen)) => chosen.clone(),
            None => {
                let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                self.fault(key, format!("\"{word}\" is not known"), format!("write one of {}", names.join(", ")));
                default
            }
        }
    }

    /// A list of texts that parse; empty when the key is missing.
    pub fn list<T: FromStr>(&self, key: &'static str, example: &str) -> Vec<T>
    where
        T::Err: Display,
    {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_kind(key, value, "a list of texts in brackets");
            return Vec::new();
        };
        let mut parsed = Vec::new();
        for item in items {
            match item.get_ref().as_str().map(|text| (text, text.parse::<T>())) {
                Some((_, Ok(value))) => parsed.push(value),
                Some((text, Err(error))) => {
                    let fault = format!("\"{text}\": {error}");
                    self.source.report(Severity::Fault, &item.span(), self.key(key), fault, example.to_owned());
                }
                None => self.wrong_kind(key, item, "a text in quotes"),
            }
        }
        parsed
    }

    /// A list of paths, relative to the file's folder; empty when the key is missing.
    pub fn paths(&self, key: &'static str, example: &str) -> Vec<PathBuf> {
        let folder = self.source.file.parent().unwrap_or(Path::new(""));
        self.list::<String>(key, example).iter().map(|path| folder.join(path)).collect()
    }

    /// True or false, or the default.
    pub fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.value(key) else {
            return default;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_kind(key, value, "true or false");
            default
        })
    }

    /// Reads the table of that name, when it is there.
    pub fn optional_section<T>(&self, key: &'static str, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Option<T> {
        self.value(key)?;
        self.section(key, read)
    }

    /// Reads the table of that name, or an empty one in its place.
    pub fn section<T>(&self, key: &'static str, read: impl FnOnce(&Section<'_>) -> T) -> T {
        let empty = DeTable::new();
        let (span, table) = match self.value(key) {
            None => (self.span.clone(), None),
            Some(value) => {
                if value.get_ref().as_table().is_none() {
                    self.wrong_kind(key, value, &format!("a table, [{}]", self.key(key)));
                }
                (value.span(), value.get_ref().as_table())
            }
        };
        let section = Section::new(self.source, self.key(key), span, table.unwrap_or(&empty));
        let result = read(&section);
        section.finish();
        result
    }

    /// Reads every table of an array, `[[key]]`. `read` gets a section called after its `name`, when it has one.
    pub fn sections<T>(&self, key: &'static str, mut read: impl FnMut(&Section<'_>) -> Option<T>) -> Vec<T> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_kind(key, value, &format!("a list of tables, [[{}]]", self.key(key)));
            return Vec::new();
        };
        let mut results = Vec::new();
        for item in items {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_kind(key, item, &format!("a table, [[{}]]", self.key(key)));
                continue;
            };
            let name = table.get("name").and_then(|name| name.get_ref().as_str());
            let path = name.map_or(self.key(key), |name| format!("{}.{name}", self.key(key)));
            let section = Section::new(self.source, path, item.span(), table);
            results.extend(read(&section));
            section.finish();
        }
        results
    }

    /// Reports the keys nobody asked for.
    fn finish(&self) {
        let known = self.known.borrow();
        for (name, value) in self.table {
            if !known.contains(name.get_ref().as_ref()) {
                let remedy = match nearest(name.get_ref(), &known) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("remove it; known here: {}", known.iter().copied().collect::<Vec<_>>().join(", ")),
                };
                let span = if name.span().is_empty() { value.span() } else { name.span() };
                self.source.report(Severity::Fault, &span, self.key(name.get_ref()), "unknown key".into(), remedy);
            }
        }
    }
}

impl Source<'_> {
    fn report(&self, severity: Severity, span: &Range<usize>, key: String, fault: String, remedy: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.bytes().filter(|octet| *octet == b'\n').count() + 1;
        let (file, line) = (self.file.to_owned(), Some(line));
        self.problems.borrow_mut().push(Problem { severity, file, line, key, fault, remedy });
    }
}

fn article(kind: &str) -> String {
    match kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => format!("an {kind}"),
        false => format!("a {kind}"),
    }
}

/// The known key that is at most two changes away.
fn nearest<'k>(name: &str, known: &BTreeSet<&'k str>) -> Option<&'k str> {
    let near = known.iter().map(|key| (distance(name, key), *key)).min();
    near.filter(|(changes, _)| *changes <= 2).map(|(_, key)| key)
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut last = index + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(right.chars()) {
            let changed = diagonal + usize::from(from != to);
            diagonal = *cell;
            last = changed.min(*cell + 1).min(last + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (left, right, expected) in
            [("", "", 0), ("tls", "tls", 0), ("lisen", "listen", 1), ("abc", "", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
