//! With what besides a password one signs in to an account: certificates of software, national identifiers of people.

use auth::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::certificate::{self, Bound, Matching};
use store::identifier::{self, Linked, Standing};
use trust::Dn;

use super::operations::value;
use super::{Administration, Failed};
use crate::certificate_sign_in::Matched;
use crate::machine::now;
use crate::sessions::Ending;

/// Octets of a national identifier; the longest in use has 12.
const IDENTIFIER_OCTETS_MAX: usize = 64;

/// Which certificate to bind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum CertificateNamed {
    /// Every one of this subject.
    Subject(String),
    /// The one that this issuer gave this serial number.
    IssuerAndSerial {
        /// The issuer's subject.
        issuer: String,
        /// Hexadecimal; colons between octets are passed over.
        serial: String,
    },
}

/// A certificate bound to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// Its number within the account.
    pub number: i64,
    /// `subject` or `issuer-and-serial`.
    pub matching: String,
    /// The subject, or the issuer and the serial number.
    pub certificate: String,
    /// Seconds since 1970.
    pub created: i64,
}

/// A person who may use an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentifierView {
    /// The national identifier.
    pub identifier: String,
    /// `holder` or `linked`.
    pub standing: String,
    /// Seconds since 1970.
    pub created: i64,
}

impl Administration {
    pub(super) async fn certificate_add(&self, account: &str, named: CertificateNamed) -> Result<Value, Failed> {
        let account = self.find(account).await?.id;
        let matched = named.matched()?;
        let at = now();
        let (texts, matching) = ((matched.text, matched.shown), matched.matching);
        let shown = texts.1.clone();
        let bind = move |tx: &mut dyn store::Transaction| {
            certificate::bind(tx, account, matching, (texts.0.as_str(), texts.1.as_str()), at)
        };
        let number = self.transaction(bind).await?;
        Ok(json!({ "account": account.0, "number": number, "certificate": shown }))
    }

    pub(super) async fn certificate_list(&self, account: &str) -> Result<Value, Failed> {
        let account = self.find(account).await?.id;
        let bound = self.read(move |snapshot| certificate::list(snapshot, account)).await?;
        value(bound.into_iter().map(CertificateView::of).collect::<Vec<_>>())
    }

    pub(super) async fn certificate_remove(&self, account: &str, number: i64) -> Result<Value, Failed> {
        let account = self.find(account).await?.id;
        let at = now();
        self.transaction(move |tx| certificate::unbind(tx, account, number, at)).await?;
        Ok(self.sessions_end(account))
    }

    pub(super) async fn identifier_add(
        &self,
        account: &str,
        identifier: &str,
        is_holder: bool,
    ) -> Result<Value, Failed> {
        let account = self.find(account).await?.id;
        let identifier = identifier.trim().to_owned();
        let fits = (1..=IDENTIFIER_OCTETS_MAX).contains(&identifier.len());
        if !fits || !identifier.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_./".contains(&octet)) {
            return Err(Failed(format!("\"{identifier}\" is no national identifier")));
        }
        let standing = if is_holder { Standing::Holder } else { Standing::Linked };
        let at = now();
        self.transaction(move |tx| identifier::link(tx, account, &identifier, standing, at)).await?;
        Ok(json!({ "account": account.0 }))
    }

    pub(super) async fn identifier_list(&self, account: &str) -> Result<Value, Failed> {
        let account = self.find(account).await?.id;
        let linked = self.read(move |snapshot| identifier::list(snapshot, account)).await?;
        value(linked.into_iter().map(IdentifierView::of).collect::<Vec<_>>())
    }

    pub(super) async fn identifier_remove(&self, account: &str, identifier: String) -> Result<Value, Failed> {
        let account = self.find(account).await?.id;
        let at = now();
        self.transaction(move |tx| identifier::unlink(tx, account, &identifier, at)).await?;
        Ok(self.sessions_end(account))
    }

    /// Whoever came in by what was removed goes; the others come back at once.
    fn sessions_end(&self, account: AccountId) -> Value {
        self.account_changed(account, Ending::Administrator);
        json!({ "account": account.0 })
    }
}

impl CertificateNamed {
    fn matched(&self) -> Result<Matched, Failed> {
        let name = |text: &str| text.parse::<Dn>().map_err(|error| Failed(format!("{text}: {error}")));
        match self {
            CertificateNamed::Subject(subject) => Ok(Matched::subject(&name(subject)?)),
            CertificateNamed::IssuerAndSerial { issuer, serial } => {
                let digits: String = serial.chars().filter(|character| *character != ':').collect();
                let digits = digits.to_ascii_lowercase();
                let digits = digits.trim_start_matches("0x").trim_start_matches('0');
                // RFC 5280 §4.1.2.2: at most 20 octets, and positive.
                if !(1..=40).contains(&digits.len()) || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
                    return Err(Failed(format!("\"{serial}\" is no serial number in hexadecimal")));
                }
                Ok(Matched::issuer_and_serial(&name(issuer)?, digits))
            }
        }
    }
}

impl CertificateView {
    fn of(bound: Bound) -> CertificateView {
        let matching = match bound.matching {
            Matching::Subject => "subject",
            Matching::IssuerAndSerial => "issuer-and-serial",
        };
        CertificateView {
            number: bound.id,
            matching: matching.to_owned(),
            certificate: bound.shown,
            created: bound.created.seconds(),
        }
    }
}

impl IdentifierView {
    fn of(linked: Linked) -> IdentifierView {
        let standing = match linked.standing {
            Standing::Holder => "holder",
            Standing::Linked => "linked",
        };
        IdentifierView {
            identifier: linked.identifier,
            standing: standing.to_owned(),
            created: linked.created.seconds(),
        }
    }
}
