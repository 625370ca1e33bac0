//! `sceau import`: from a Maildir or an mbox. A bad record costs one record.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::ConfigFile;
use crate::admin::{Client, Order};
use crate::transfer::{Octets, Record, RecordError, RecordFlags, maildir, mbox};

/// `sceau import`
#[derive(Debug, Args)]
pub struct Import {
    /// An address of the account
    account: String,
    /// A Maildir (a folder) or an mbox (a file)
    source: PathBuf,
    /// The mailbox for the messages of an mbox
    #[arg(long, default_value = "INBOX")]
    mailbox: String,
    #[command(flatten)]
    config: ConfigFile,
}

/// What became of the records.
#[derive(Default)]
struct Tally {
    done: u64,
    failed: u64,
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut client = self.config.client().await?;
        let mut tally = Tally::default();
        let outcome = match self.source.is_dir() {
            true => self.maildir(&mut client, &mut tally).await,
            false => self.mbox(&mut client, &mut tally).await,
        };
        client.close().await;
        outcome?;
        say!("{} imported, {} failed", tally.done, tally.failed);
        Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn maildir(&self, client: &mut Client, tally: &mut Tally) -> anyhow::Result<()> {
        let decode = |name: &str| imap::utf7::decode(name).ok();
        let folders = maildir::folders(&self.source, decode).with_context(|| reading(&self.source))?;
        anyhow::ensure!(!folders.is_empty(), "{} holds no Maildir: no cur, no new", self.source.display());
        for folder in folders {
            let records = maildir::records(&folder);
            let bar = bar(records.len() as u64, &folder.mailbox);
            for record in records {
                self.record(client, record, tally, &bar).await;
                bar.inc(1);
            }
            bar.finish();
        }
        Ok(())
    }

    async fn mbox(&self, client: &mut Client, tally: &mut Tally) -> anyhow::Result<()> {
        let file = File::open(&self.source).with_context(|| reading(&self.source))?;
        let bar = bar(file.metadata()?.len(), &self.mailbox);
        for record in mbox::Reader::new(bar.wrap_read(BufReader::new(file)), &self.mailbox) {
            self.record(client, record, tally, &bar).await;
        }
        bar.finish();
        Ok(())
    }

    async fn record(
        &self,
        client: &mut Client,
        record: Result<Record, RecordError>,
        tally: &mut Tally,
        bar: &ProgressBar,
    ) {
        let outcome = match record {
            Ok(record) => self.append(client, record).await,
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(()) => tally.done += 1,
            Err(error) => {
                tally.failed += 1;
                bar.suspend(|| eprintln!("{error:#}"));
            }
        }
    }

    async fn append(&self, client: &mut Client, record: Record) -> anyhow::Result<()> {
        let (octets, name) = match record.octets {
            Octets::Memory(octets) => (octets, None),
            Octets::File(path) => (std::fs::read(&path).with_context(|| reading(&path))?, Some(path)),
        };
        let octets = with_crlf(&octets);
        let order = Order {
            account: self.account.clone(),
            mailbox: record.mailbox,
            flags: flag_names(&record.flags),
            internal_date: record.internal_date,
        };
        let appended = client.append(&order, octets.len() as u64, &mut octets.as_slice()).await;
        let what = || name.map_or_else(|| "a message".to_owned(), |path| path.display().to_string());
        appended.map(|_| ()).with_context(what)
    }
}

fn reading(path: &Path) -> String {
    format!("reading {}", path.display())
}

/// A bar with the name of a mailbox.
pub(super) fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{msg:24} {bar:40} {percent:>3} %  {eta}") {
        bar.set_style(style);
    }
    bar
}

fn flag_names(flags: &RecordFlags) -> Vec<String> {
    let system = [
        ("\\Seen", flags.seen),
        ("\\Answered", flags.answered),
        ("\\Flagged", flags.flagged),
        ("\\Deleted", flags.deleted),
        ("\\Draft", flags.draft),
    ];
    let set = system.into_iter().filter(|(_, set)| *set).map(|(name, _)| name.to_owned());
    set.chain(flags.keywords.iter().cloned()).collect()
}

/// Files on Unix end their lines in LF; messages end them in CRLF (RFC 5322 §2.1).
fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(octets.len() + octets.len() / 32);
    let mut last = 0;
    for octet in octets {
        if *octet == b'\n' && last != b'\r' {
            whole.push(b'\r');
        }
        whole.push(*octet);
        last = *octet;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf_and_stay_what_they_are() {
        for (octets, expected) in [("a\nb\r\n\n", "a\r\nb\r\n\r\n"), ("", ""), ("\n", "\r\n"), ("a\rb", "a\rb")] {
            assert_eq!(with_crlf(octets.as_bytes()), expected.as_bytes());
        }
    }
}
