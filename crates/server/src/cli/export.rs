//! `sceau export`: an account as a Maildir. A bad record costs one record.

use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::ConfigFile;
use crate::admin::{Event, Failed, Request};
use crate::transfer::RecordFlags;
use crate::transfer::maildir::Writer;

/// `sceau export`
#[derive(Debug, Args)]
pub struct Export {
    /// An address of the account
    account: String,
    /// Where the Maildir goes: a folder that is empty or not there
    destination: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

/// The Maildir as it grows.
struct Growing {
    root: PathBuf,
    writer: Option<Writer>,
    record: Option<Pending>,
    bar: ProgressBar,
    faults: u64,
}

/// A message whose octets are still coming.
struct Pending {
    uid: u64,
    internal_date: i64,
    flags: RecordFlags,
    expected: usize,
    octets: Vec<u8>,
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let private = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.destination);
        private.with_context(|| format!("creating {}", self.destination.display()))?;
        let mut entries = std::fs::read_dir(&self.destination)?;
        anyhow::ensure!(entries.next().is_none(), "{} is not empty", self.destination.display());
        let mut client = self.config.client().await?;
        let bar = super::transfers::bar(0, "");
        let mut growing = Growing { root: self.destination, writer: None, record: None, bar, faults: 0 };
        let outcome = client.stream(Request::Export { account: self.account }, |event| growing.hear(event)).await;
        client.close().await;
        let done = outcome?;
        growing.finish_mailbox()?;
        growing.bar.finish_and_clear();
        let messages = done.get("messages").and_then(Value::as_u64).unwrap_or(0);
        say!("{messages} exported, {} failed", growing.faults);
        Ok(if growing.faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Growing {
    fn hear(&mut self, event: Event) -> Result<(), Failed> {
        match event {
            Event::Octets(octets) => self.octets(&octets),
            Event::Line(line) => {
                // Octets that did not come to their end: the fault that follows says why.
                self.record = None;
                if let Some(mailbox) = line.get("mailbox").and_then(Value::as_str) {
                    self.mailbox(mailbox, &line)?;
                } else if let Some(record) = line.get("record") {
                    self.record = Some(Pending::of(record)?);
                    self.complete()?;
                } else if let Some(fault) = line.get("fault").and_then(Value::as_str) {
                    self.fault(fault);
                }
                Ok(())
            }
        }
    }

    fn mailbox(&mut self, name: &str, line: &Value) -> Result<(), Failed> {
        self.finish_mailbox()?;
        let messages = line.get("messages").and_then(Value::as_u64).unwrap_or(0);
        self.bar.set_length(messages);
        self.bar.set_position(0);
        self.bar.set_message(name.to_owned());
        self.writer = Some(Writer::create(&self.root, name, imap::utf7::encode).map_err(Failed::because)?);
        Ok(())
    }

    fn octets(&mut self, octets: &[u8]) -> Result<(), Failed> {
        if let Some(record) = &mut self.record {
            record.octets.extend_from_slice(octets);
        }
        self.complete()
    }

    /// Writes the message once all its octets are there.
    fn complete(&mut self) -> Result<(), Failed> {
        let Some(record) = self.record.take_if(|record| record.octets.len() >= record.expected) else {
            return Ok(());
        };
        let writer = self.writer.as_mut().ok_or_else(|| Failed("a message without a mailbox".into()))?;
        let written = writer.write(record.uid, record.internal_date, &record.flags, |file: &mut dyn Write| {
            file.write_all(&record.octets).map(|()| record.octets.len() as u64)
        });
        self.bar.inc(1);
        if let Err(error) = written {
            self.fault(&format!("UID {}: {error}", record.uid));
        }
        Ok(())
    }

    fn fault(&mut self, fault: &str) {
        self.faults += 1;
        self.bar.suspend(|| eprintln!("{fault}"));
    }

    fn finish_mailbox(&mut self) -> Result<(), Failed> {
        match self.writer.take() {
            Some(writer) => writer.finish().map(|_| ()).map_err(Failed::because),
            None => Ok(()),
        }
    }
}

impl Pending {
    fn of(record: &Value) -> Result<Pending, Failed> {
        let number = |key: &str| record.get(key).and_then(Value::as_i64);
        let read = || {
            Some(Pending {
                uid: u64::try_from(number("uid")?).ok()?,
                internal_date: number("internal_date")?,
                flags: flags(record.get("flags")?),
                expected: usize::try_from(number("octets")?).ok()?,
                octets: Vec::new(),
            })
        };
        read().ok_or_else(|| Failed("a record of another version".into()))
    }
}

fn flags(names: &Value) -> RecordFlags {
    let mut flags = RecordFlags::default();
    for name in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
        match name {
            "\\Seen" => flags.seen = true,
            "\\Answered" => flags.answered = true,
            "\\Flagged" => flags.flagged = true,
            "\\Deleted" => flags.deleted = true,
            "\\Draft" => flags.draft = true,
            keyword => flags.keywords.push(keyword.to_owned()),
        }
    }
    flags
}
