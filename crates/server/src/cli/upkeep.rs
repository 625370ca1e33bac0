//! `sceau verify`, `sceau backup`, `sceau restore`.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::ConfigFile;
use super::output::{Form, print_value};
use crate::admin::{Event, Failed, Request};
use crate::data_folder::DataFolder;
use crate::machine::now;

/// `sceau verify`
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    config: ConfigFile,
}

/// `sceau backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// The folder; an earlier backup in it makes this one incremental
    destination: PathBuf,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    config: ConfigFile,
}

/// `sceau restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup's folder
    backup: PathBuf,
    /// Only this account's: an address of it
    #[arg(long, requires = "mailbox")]
    account: Option<String>,
    /// Only this mailbox, as a new one
    #[arg(long, requires = "account")]
    mailbox: Option<String>,
    /// Only the message of this UID
    #[arg(long, requires = "mailbox")]
    uid: Option<u32>,
    /// The mailbox it goes to
    #[arg(long, requires = "mailbox")]
    into: Option<String>,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    config: ConfigFile,
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let (verified, faults) = streamed(&self.config, Request::Verify, "verifying").await?;
        print_value(self.form, &verified)?;
        Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Backup {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let private = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.destination);
        private.with_context(|| format!("creating {}", self.destination.display()))?;
        let destination = whole_path(&self.destination)?;
        let (done, _) = streamed(&self.config, Request::Backup { destination }, "backing up").await?;
        if let Some(warning) = done.get("warning").and_then(Value::as_str) {
            eprintln!("warning: {warning}");
        }
        if self.form.json {
            print_value(self.form, &done)?;
            return Ok(ExitCode::SUCCESS);
        }
        let count = |key: &str| done.get(key).and_then(Value::as_u64).unwrap_or(0);
        say!("backed up: {} files, {} of them new", count("files"), count("new"));
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let backup = whole_path(&self.backup)?;
        let (Some(account), Some(mailbox)) = (self.account, self.mailbox) else {
            return restore_whole(&self.config, &backup, self.form).await;
        };
        let request = Request::Restore { backup, account, mailbox, uid: self.uid, into: self.into };
        let (done, faults) = streamed(&self.config, request, "restoring").await?;
        let messages = done.get("messages").unwrap_or(&Value::Null);
        match self.form.json {
            true => print_value(self.form, &json!({ "messages": messages, "lost": faults }))?,
            false => say!("{messages} messages restored, {faults} lost"),
        }
        Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What is left to do after a whole restoration.
const FILES_STAY: &str = "compare each file with the one in use, copy back what is lost (keys with mode 0600, readable by the \
                          server's user), run `sceau check`, then start the server";

/// Into a data folder that holds no store; no server may run on it. Configuration, certificates and keys of the backup stay
/// in it: those in use may be newer, and are never written over.
async fn restore_whole(file: &ConfigFile, backup: &Path, form: Form) -> anyhow::Result<ExitCode> {
    let config = file.load()?;
    let folder = DataFolder::take(&config.data).context("stop the server first")?;
    let settings = crate::assembly::store_settings(&config);
    let store = store::restore::whole(backup, &settings, now()).await?;
    let held = store.read(|view| queue::figures::total(view)).await?;
    store.close().await;
    drop(folder);
    let companions = store::backup::companions(backup)?;
    if form.json {
        let files: Vec<Value> = companions.iter().map(|one| json!({ "at": one.at, "was": one.was })).collect();
        print_value(form, &json!({ "data": config.data, "held": held, "files": files, "next": FILES_STAY }))?;
        return Ok(ExitCode::SUCCESS);
    }
    say!("restored into {}; every mailbox has a new UIDVALIDITY", config.data.display());
    if held > 0 {
        say!(
            "{held} entries of the queue are held, they may have left since: see `sceau queue list`, then release or fail"
        );
    }
    if !companions.is_empty() {
        say!("configuration, certificates and keys are still in the backup, so that none in use is written over:");
        for one in companions {
            match one.was {
                Some(was) => say!("  {}  was {}", one.at.display(), was.display()),
                None => say!("  {}  of an earlier backup", one.at.display()),
            }
        }
        say!("{FILES_STAY}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a request behind a spinner; each fault is a line on standard output. Gives the last word and the number of faults.
pub(super) async fn streamed(config: &ConfigFile, request: Request, what: &str) -> anyhow::Result<(Value, u64)> {
    let mut client = config.client().await?;
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos}") {
        spinner.set_style(style);
    }
    let mut faults = 0;
    let outcome = client
        .stream(request, |event| {
            let Event::Line(line) = event else {
                return Err(Failed("octets nobody asked for".into()));
            };
            if let Some(fault) = line.get("fault").and_then(Value::as_str) {
                faults += 1;
                spinner.suspend(|| say!("{fault}"));
            }
            if let Some(position) = line.get("progress").and_then(Value::as_u64) {
                spinner.set_position(position);
            }
            Ok(())
        })
        .await;
    spinner.finish_and_clear();
    client.close().await;
    Ok((outcome?, faults))
}

/// The server works in another folder than the person at the terminal.
pub(super) fn whole_path(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::canonicalize(path).with_context(|| format!("finding {}", path.display()))
}
