//! What is wrong with a configuration: where, which key, and what to do about it.

use std::fmt;
use std::path::PathBuf;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is not taken.
    Fault,
    /// It is taken, and somebody will be disappointed.
    Warning,
}

/// One problem of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the server starts all the same.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` when the file cannot be read at all.
    pub line: Option<usize>,
    /// The key, dotted: `listener.relay.tls`. Empty when the fault is not one of a key.
    pub key: String,
    /// What is wrong.
    pub fault: String,
    /// What to write instead.
    pub remedy: String,
}

/// All problems of a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, ": {warning}{}: {}", self.fault, self.remedy)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
