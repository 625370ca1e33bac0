//! `sceau structure`, `sceau domain`, `sceau account`.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::ConfigFile;
use super::output::{Form, octets, print_value};
use super::passwords::PasswordSource;
use super::sign_in_links::{CertificateCommand, IdentifierCommand};
use crate::admin::{AccountView, DomainView, Request, StructureView};

/// `sceau structure`
#[derive(Debug, Subcommand)]
pub enum StructureCommand {
    /// Add a structure
    Add {
        /// Its name
        name: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the structures
    List {
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// `sceau domain`
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// Add a domain to a structure
    Add {
        /// The domain
        domain: String,
        /// The structure's number or name
        #[arg(long)]
        structure: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Say who reads postmaster@ of a domain
    Postmaster {
        /// The domain
        domain: String,
        /// An address of the account
        account: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the domains
    List {
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// `sceau account`
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Add an account; its domain must be there
    Add {
        /// Its address, with which the person signs in
        address: String,
        /// The person's name; the address without its domain when missing
        #[arg(long)]
        name: Option<String>,
        /// fr or en: the language of its folders and of what it is told
        #[arg(long, default_value = "fr")]
        language: String,
        /// Megabytes it may hold; 0 for no limit
        #[arg(long, default_value_t = 0)]
        quota_megabytes: u64,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Show one account
    Show {
        /// An address of it
        account: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Give an account another address
    Address {
        /// An address of it
        account: String,
        /// The new one
        address: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Change the password; the account's sessions end
    Password {
        /// An address of it
        account: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// The certificates with which software signs in to an account
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// The people who sign in to an account with a token of the identity provider
    #[command(subcommand)]
    Identifier(IdentifierCommand),
    /// End the account's sessions at once, and let it sign in and receive no more; its mail stays
    Disable {
        /// An address of it
        account: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Undo that
    Enable {
        /// An address of it
        account: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

impl StructureCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            StructureCommand::Add { name, config } => {
                let added: StructureView = ask(&config, Request::StructureAdd { name }).await?;
                say!("structure {} added", added.id);
            }
            StructureCommand::List { form, config } => {
                let structures: Vec<StructureView> = ask(&config, Request::StructureList).await?;
                form.print(&["number", "name"], &structures, |one| vec![one.id.to_string(), one.name.clone()])?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl DomainCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            DomainCommand::Add { domain, structure, config } => {
                let added: DomainView = ask(&config, Request::DomainAdd { structure, domain }).await?;
                say!("domain {} added to structure {}", added.domain, added.structure);
            }
            DomainCommand::Postmaster { domain, account, config } => {
                let _: Value = ask(&config, Request::DomainPostmaster { domain, account }).await?;
                say!("done");
            }
            DomainCommand::List { form, config } => {
                let domains: Vec<DomainView> = ask(&config, Request::DomainList).await?;
                form.print(&["domain", "structure", "postmaster"], &domains, |one| {
                    let postmaster = one.postmaster.map_or("-".to_owned(), |account| account.to_string());
                    vec![one.domain.clone(), one.structure.to_string(), postmaster]
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl AccountCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            AccountCommand::Add { address, name, language, quota_megabytes, password, config } => {
                let password = password.read()?;
                let name = name.unwrap_or_else(|| address.split('@').next().unwrap_or_default().to_owned());
                let quota_octets = quota_megabytes.saturating_mul(1 << 20);
                let request = Request::AccountAdd { address, name, language, quota_octets, password };
                say_password(&ask(&config, request).await?, "added");
            }
            AccountCommand::List { form, config } => {
                let accounts: Vec<AccountView> = ask(&config, Request::AccountList).await?;
                let headings = ["account", "addresses", "name", "structure", "state", "messages", "size"];
                form.print(&headings, &accounts, |one| {
                    vec![
                        one.id.to_string(),
                        one.addresses.join(", "),
                        one.name.clone(),
                        one.structure.to_string(),
                        one.state.clone(),
                        one.messages.to_string(),
                        octets(one.used_octets),
                    ]
                })?;
            }
            AccountCommand::Show { account, form, config } => {
                let shown: Value = ask(&config, Request::AccountShow { account }).await?;
                print_value(form, &shown)?;
            }
            AccountCommand::Address { account, address, config } => {
                let _: Value = ask(&config, Request::AccountAddress { account, address }).await?;
                say!("done");
            }
            AccountCommand::Password { account, password, config } => {
                let password = password.read()?;
                say_password(
                    &ask(&config, Request::AccountPassword { account, password }).await?,
                    "has a new password",
                );
            }
            AccountCommand::Certificate(command) => return command.run().await,
            AccountCommand::Identifier(command) => return command.run().await,
            AccountCommand::Disable { account, config } => {
                let done: Value = ask(&config, Request::AccountDisable { account }).await?;
                say!("account {} is disabled", number(&done));
            }
            AccountCommand::Enable { account, config } => {
                let done: Value = ask(&config, Request::AccountEnable { account }).await?;
                say!("account {} is active", number(&done));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Does one request.
pub(super) async fn ask<T: serde::de::DeserializeOwned>(config: &ConfigFile, request: Request) -> anyhow::Result<T> {
    let mut client = config.client().await?;
    let reply = client.ask(request).await;
    client.close().await;
    Ok(serde_json::from_value(reply?)?)
}

fn say_password(reply: &Value, what: &str) {
    say!("account {} {what}", number(reply));
    if let Some(password) = reply.get("password").and_then(Value::as_str) {
        say!("password: {password}");
    }
}

fn number(reply: &Value) -> &Value {
    reply.get("account").unwrap_or(&Value::Null)
}
