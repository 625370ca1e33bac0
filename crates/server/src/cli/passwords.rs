//! Where a password comes from: a file, the terminal's standard input, or our own randomness. Never an argument, which
//! every process of the machine can read.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

/// Octets of a password file that are read.
const OCTETS_MAX: u64 = 4_096;

/// Where the password comes from.
#[derive(Clone, Debug, Args)]
pub struct PasswordSource {
    /// Read the password from this file, - for standard input; without it one is generated and printed
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// The chosen password; `None` when one shall be generated. A line end at the end does not belong to it.
    pub fn read(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        let mut text = String::new();
        match path.as_os_str() == "-" {
            true => std::io::stdin().take(OCTETS_MAX).read_to_string(&mut text),
            false => std::fs::File::open(path).and_then(|file| file.take(OCTETS_MAX).read_to_string(&mut text)),
        }
        .with_context(|| format!("reading the password from {}", path.display()))?;
        let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        Ok(Some(password.to_owned()))
    }
}
