//! `sceau account certificate`, `sceau account identifier`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::ConfigFile;
use super::accounts::ask;
use super::output::{Form, print_value};
use crate::admin::{CertificateNamed, CertificateView, IdentifierView, Request};

/// `sceau account certificate`
#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// Let software that shows a certificate sign in (SASL EXTERNAL), on listeners that ask for one
    Add {
        /// An address of the account
        account: String,
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the certificates of an account
    List {
        /// An address of the account
        account: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Take one away; the account's sessions end at once
    Remove {
        /// An address of the account
        account: String,
        /// Its number in the list
        number: i64,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Which certificate.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Named {
    /// By its whole subject, as "CN=…,OU=…,O=…,ST=…,C=FR": holds when it is renewed
    #[arg(long, value_name = "DN", conflicts_with_all = ["issuer", "serial", "file"])]
    subject: Option<String>,
    /// By who issued it, together with --serial: this one certificate
    #[arg(long, value_name = "DN", requires = "serial", conflicts_with = "file")]
    issuer: Option<String>,
    /// Its serial number in hexadecimal
    #[arg(long, value_name = "HEX", requires = "issuer", conflicts_with = "file")]
    serial: Option<String>,
    /// By the subject of the first certificate of a PEM or DER file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// With --file: by issuer and serial number instead
    #[arg(long, requires = "file")]
    this_one_only: bool,
}

/// `sceau account identifier`
#[derive(Debug, Subcommand)]
pub enum IdentifierCommand {
    /// Let a person sign in with a token of the identity provider
    Add {
        /// An address of the account
        account: String,
        /// The person's national identifier: RPPS or ADELI number, without the digit that tells which
        identifier: String,
        /// The account is somebody else's, or shared: this person may use it besides
        #[arg(long)]
        linked: bool,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List who may use an account
    List {
        /// An address of the account
        account: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Take one away; the account's sessions end at once
    Remove {
        /// An address of the account
        account: String,
        /// The national identifier
        identifier: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        config: ConfigFile,
    },
}

impl CertificateCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            CertificateCommand::Add { account, named, form, config } => {
                let certificate = named.named()?;
                let done: Value = ask(&config, Request::AccountCertificateAdd { account, certificate }).await?;
                print_value(form, &done)?;
            }
            CertificateCommand::List { account, form, config } => {
                let bound: Vec<CertificateView> = ask(&config, Request::AccountCertificateList { account }).await?;
                form.print(&["number", "by", "certificate"], &bound, |one| {
                    vec![one.number.to_string(), one.matching.clone(), one.certificate.clone()]
                })?;
            }
            CertificateCommand::Remove { account, number, form, config } => {
                let done: Value = ask(&config, Request::AccountCertificateRemove { account, number }).await?;
                print_value(form, &done)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl IdentifierCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            IdentifierCommand::Add { account, identifier, linked, form, config } => {
                let request = Request::AccountIdentifierAdd { account, identifier, holder: !linked };
                let done: Value = ask(&config, request).await?;
                print_value(form, &done)?;
            }
            IdentifierCommand::List { account, form, config } => {
                let people: Vec<IdentifierView> = ask(&config, Request::AccountIdentifierList { account }).await?;
                form.print(&["identifier", "standing"], &people, |one| {
                    vec![one.identifier.clone(), one.standing.clone()]
                })?;
            }
            IdentifierCommand::Remove { account, identifier, form, config } => {
                let done: Value = ask(&config, Request::AccountIdentifierRemove { account, identifier }).await?;
                print_value(form, &done)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Named {
    fn named(self) -> anyhow::Result<CertificateNamed> {
        match (self.subject, self.issuer, self.serial, self.file) {
            (Some(subject), ..) => Ok(CertificateNamed::Subject(subject)),
            (None, Some(issuer), Some(serial), _) => Ok(CertificateNamed::IssuerAndSerial { issuer, serial }),
            (None, _, _, Some(file)) => of_file(&file, self.this_one_only),
            _ => Err(anyhow!("name the certificate: --subject, --issuer and --serial, or --file")),
        }
    }
}

fn of_file(file: &Path, this_one_only: bool) -> anyhow::Result<CertificateNamed> {
    let octets = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let leaf = match CertificateDer::pem_slice_iter(&octets).next() {
        Some(first) => first.map_err(|error| anyhow!("{}: {error:?}", file.display()))?.to_vec(),
        None => octets,
    };
    let leaf = trust::certificate::read_leaf(&[leaf]);
    let leaf = leaf.map_err(|rejected| anyhow!("{}: {}", file.display(), rejected.explanation))?;
    Ok(match this_one_only {
        false => CertificateNamed::Subject(leaf.dn.to_string()),
        true => CertificateNamed::IssuerAndSerial { issuer: leaf.issuer.to_string(), serial: leaf.serial },
    })
}
