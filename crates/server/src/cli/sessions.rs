//! `sceau session`: the sessions of the running server.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::ConfigFile;
use super::accounts::ask;
use super::output::Form;
use crate::admin::{Request, SessionView};

/// `sceau session`
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List the open sessions
    List {
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// End a session, or all sessions of an account
    End {
        /// The session's number
        #[arg(required_unless_present = "account")]
        session: Option<u64>,
        /// An address of the account
        #[arg(long, conflicts_with = "session")]
        account: Option<String>,
        #[command(flatten)]
        config: ConfigFile,
    },
}

impl SessionCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            SessionCommand::List { form, config } => {
                let sessions: Vec<SessionView> = ask(&config, Request::SessionList).await?;
                let headings = ["session", "protocol", "from", "person", "acting for", "seconds"];
                form.print(&headings, &sessions, |one| {
                    let account = |account: Option<i64>| account.map_or("-".to_owned(), |number| number.to_string());
                    vec![
                        one.id.to_string(),
                        one.protocol.clone(),
                        one.peer.clone(),
                        account(one.person),
                        account(one.acting_for),
                        one.age_seconds.to_string(),
                    ]
                })?;
                Ok(ExitCode::SUCCESS)
            }
            SessionCommand::End { session, account, config } => {
                let done: Value = ask(&config, Request::SessionEnd { session, account }).await?;
                let ended = done.get("ended").and_then(Value::as_u64).unwrap_or(0);
                say!("{ended} session{} ended", if ended == 1 { "" } else { "s" });
                Ok(if ended > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }
}
