//! `sceau queue`: what still has to leave.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mail::header::DateTime;
use serde_json::Value;

use super::ConfigFile;
use super::accounts::ask;
use super::output::{Form, octets};
use crate::admin::{QueueAttemptView, QueueEntryAttemptsView, QueueListView, QueueMessageView, Request};

/// `sceau queue`
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List what waits: everything, a message, or what goes to a domain
    List {
        /// NAME/NUMBER of an entry, NAME of a message, a domain, or all
        #[arg(default_value = "all")]
        selection: String,
        /// Entries listed at most
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Show a message, its recipients and every attempt at each
    Show {
        /// NAME of the message, or NAME/NUMBER for one recipient
        name: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Try at once, whatever is known of the destination
    Retry(Selected),
    /// Try no more until released
    Hold(Selected),
    /// Let what is held be tried again, at once
    Release(Selected),
    /// Give up, and tell each sender
    Fail(Selected),
}

/// Which entries.
#[derive(Debug, Args)]
pub struct Selected {
    /// NAME/NUMBER of an entry, NAME of a message, a domain, or all
    selection: String,
    #[command(flatten)]
    config: ConfigFile,
}

impl QueueCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            QueueCommand::List { selection, limit, form, config } => list(&config, selection, limit, form).await,
            QueueCommand::Show { name, form, config } => {
                let shown: QueueMessageView = ask(&config, Request::QueueShow { name }).await?;
                match form.json {
                    true => say!("{}", serde_json::to_string_pretty(&shown)?),
                    false => print(&shown),
                }
                Ok(ExitCode::SUCCESS)
            }
            QueueCommand::Retry(it) => {
                moved(&it.config, Request::QueueRetry { selection: it.selection }, "due now").await
            }
            QueueCommand::Hold(it) => moved(&it.config, Request::QueueHold { selection: it.selection }, "held").await,
            QueueCommand::Release(it) => {
                moved(&it.config, Request::QueueRelease { selection: it.selection }, "released").await
            }
            QueueCommand::Fail(it) => {
                moved(&it.config, Request::QueueFail { selection: it.selection }, "given up").await
            }
        }
    }
}

async fn list(config: &ConfigFile, selection: String, limit: u32, form: Form) -> anyhow::Result<ExitCode> {
    let listed: QueueListView = ask(config, Request::QueueList { selection: Some(selection), limit }).await?;
    let headings = ["entry", "from", "to", "size", "came", "state", "attempts", "next", "cause"];
    form.print(&headings, &listed.entries, |one| {
        vec![
            one.entry.clone(),
            path(&one.sender),
            one.recipient.clone(),
            octets(one.octets),
            date(one.created),
            one.state.clone(),
            one.attempts.to_string(),
            if one.state == "waiting" { date(one.due) } else { "-".to_owned() },
            one.cause.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    })?;
    if listed.more && !form.json {
        say!("there are more: raise --limit");
    }
    Ok(ExitCode::SUCCESS)
}

/// Does it, and says how many entries there were; status 1 when there was none.
async fn moved(config: &ConfigFile, request: Request, what: &str) -> anyhow::Result<ExitCode> {
    let done: Value = ask(config, request).await?;
    let count = done.get("entries").and_then(Value::as_u64).unwrap_or(0);
    say!("{count} {} {what}", if count == 1 { "entry" } else { "entries" });
    Ok(if count > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(shown: &QueueMessageView) {
    say!("message   {}", shown.message);
    say!("from      {}", path(&shown.sender));
    say!("came      {}, {}", date(shown.created), octets(shown.octets));
    if let Some(id) = &shown.envelope_id {
        say!("ENVID     {id}");
    }
    if shown.require_tls {
        say!("REQUIRETLS");
    }
    for QueueEntryAttemptsView { entry, history } in &shown.entries {
        say!("");
        say!("{}  to {}  {}", entry.entry, entry.recipient, entry.state);
        if entry.state == "waiting" {
            say!("    next attempt {}", date(entry.due));
        }
        if let Some(told) = entry.delay_told {
            say!("    sender told of the delay {}", date(told));
        }
        for attempt in history {
            say!("    {}", line(attempt));
        }
    }
}

fn line(attempt: &QueueAttemptView) -> String {
    let mut line = format!("{}. {} {}", attempt.attempt, date(attempt.at), attempt.stage);
    for part in [&attempt.host, &attempt.address, &attempt.certificate].into_iter().flatten() {
        line.push_str(&format!(" · {part}"));
    }
    if let Some(cause) = &attempt.cause {
        line.push_str(&format!(" · {cause}"));
    }
    if let Some(code) = attempt.code {
        let status = attempt.status.as_deref().map(|status| format!(" {status}")).unwrap_or_default();
        line.push_str(&format!(" · {code}{status} {}", attempt.answer.as_deref().unwrap_or_default()));
    }
    // Another server's text: no control character reaches the terminal.
    line.chars().filter(|character| !character.is_control()).collect()
}

fn path(address: &str) -> String {
    if address.is_empty() { "<>".to_owned() } else { address.to_owned() }
}

fn date(seconds: i64) -> String {
    DateTime::utc(seconds).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_a_line() {
        let attempt = QueueAttemptView {
            attempt: 2,
            at: 1_795_182_840,
            stage: "rcpt".into(),
            host: Some("mx.b.example".into()),
            address: Some("192.0.2.1".into()),
            certificate: Some("CN=mx.b.example,C=FR".into()),
            cause: Some("deferred".into()),
            code: Some(451),
            status: Some("4.3.0".into()),
            answer: Some("later\x1b[2J".into()),
        };
        assert_eq!(
            line(&attempt),
            "2. Fri, 20 Nov 2026 13:54:00 +0000 rcpt · mx.b.example · 192.0.2.1 · CN=mx.b.example,C=FR · deferred · \
             451 4.3.0 later[2J"
        );
        let spared = QueueAttemptView {
            stage: "spared".into(),
            host: None,
            address: None,
            certificate: None,
            code: None,
            cause: Some("unreachable".into()),
            ..attempt
        };
        assert_eq!(line(&spared), "2. Fri, 20 Nov 2026 13:54:00 +0000 spared · unreachable");
    }
}
