//! The white list of the trust space: which certificates may speak for which domain.

mod compare;
mod parser;
pub mod signature;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mail::{Domain, DomainError};

use crate::dn::{Dn, DnError};

pub use compare::{Change, Difference, Limits, Refused, may_replace};

/// Domains, and for each the subjects of the certificates of its operators: one to five, often one.
///
/// A domain means itself, never what is below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhiteList {
    generated: i64,
    domains: BTreeMap<Domain, BTreeSet<Dn>>,
    /// The same, the other way round.
    operators: BTreeMap<Dn, BTreeSet<Domain>>,
}

/// What a file gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The entries that could be read.
    pub list: WhiteList,
    /// Those that could not, in the order of the file; at most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// How many could not, all told.
    pub faulty: usize,
    /// Entries that say again what an earlier one said.
    pub repeated: usize,
}

/// An entry that was passed over, or another flaw of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line of its start tag.
    pub line: usize,
    /// Its `Nom` as written, when there is one.
    pub name: Option<String>,
    /// What is wrong.
    pub reason: FaultReason,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultReason {
    /// `Nom` is no domain.
    #[error("Nom: {0}")]
    Domain(#[from] DomainError),
    /// `DNCertificatOperateur` is no name.
    #[error("DNCertificatOperateur: {0}")]
    Dn(#[from] DnError),
    /// An element is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An element is there twice.
    #[error("{0} is there twice")]
    Twice(&'static str),
    /// An element is longer than [`TEXT_OCTETS_MAX`].
    #[error("an element has more than {TEXT_OCTETS_MAX} octets")]
    TooLong,
    /// The root has no end tag; all entries stand in a list that has one.
    #[error("the file ends before its root does")]
    RootOpen,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: String = self.name.as_deref().unwrap_or("-").chars().take(100).collect();
        write!(f, "line {}: {}: {}", self.line, name.escape_debug(), self.reason)
    }
}

/// Why a file is no white list at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhiteListError {
    /// More than [`OCTETS_MAX`].
    #[error("the list has more than {OCTETS_MAX} octets")]
    TooLarge,
    /// More than [`ENTRIES_MAX`].
    #[error("the list has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// Elements within elements, more than [`DEPTH_MAX`].
    #[error("line {line}: elements are nested too deeply")]
    TooDeep {
        /// Where.
        line: usize,
    },
    /// Not well-formed, or not UTF-8.
    #[error("line {line}: not well-formed: {reason}")]
    Malformed {
        /// Where.
        line: usize,
        /// What the reader said.
        reason: String,
    },
    /// A document type definition: none is needed, and they are how XML attacks its readers.
    #[error("line {line}: the list has a document type")]
    DocumentType {
        /// Where.
        line: usize,
    },
    /// A reference to an entity other than the five of XML.
    #[error("line {line}: an unknown entity is used")]
    Entity {
        /// Where.
        line: usize,
    },
    /// Another document.
    #[error("this is no MSSanté white list: {0}")]
    NotAWhiteList(&'static str),
    /// `DateDeGeneration` is missing, there twice, or no time.
    #[error("DateDeGeneration is missing or cannot be read")]
    Generated,
    /// Not one entry could be read.
    #[error("the list holds no entry that can be read")]
    Empty,
}

/// Octets of a list; the real one had 3.7 million in 2025.
pub const OCTETS_MAX: usize = 64 << 20;
/// Entries of a list; the real one had 8,655 in 2026.
pub const ENTRIES_MAX: usize = 200_000;
/// Elements within elements; the real one has four, its signature seven.
pub const DEPTH_MAX: usize = 16;
/// Octets of an element's text that we look at; the administration's tool takes 255 characters.
pub const TEXT_OCTETS_MAX: usize = 4_096;
/// Faults kept; more are only counted.
pub const FAULTS_MAX: usize = 1_000;

/// The namespace of every element.
pub const NAMESPACE: &str = "https://listeblanche.mssante.fr/schema";

impl WhiteList {
    /// Reads the XML. A signature in it is passed over, not verified: nothing inside it counts as an entry.
    ///
    /// # Errors
    /// The file is no white list. Entries that cannot be read are told in [`Parsed::faults`] instead.
    pub fn parse(xml: &[u8]) -> Result<Parsed, WhiteListError> {
        parser::parse(xml)
    }

    /// A list of these entries: for development and tests.
    pub fn of(generated: i64, entries: impl IntoIterator<Item = (Domain, Dn)>) -> WhiteList {
        let mut list = WhiteList { generated, ..WhiteList::default() };
        for (domain, dn) in entries {
            list.insert(domain, dn);
        }
        list
    }

    /// Whether it was not there before.
    fn insert(&mut self, domain: Domain, dn: Dn) -> bool {
        // The name as first read serves all entries.
        let dn = self.operators.get_key_value(&dn).map_or(dn, |(known, _)| known.clone());
        self.operators.entry(dn.clone()).or_default().insert(domain.clone());
        self.domains.entry(domain).or_default().insert(dn)
    }

    /// `DateDeGeneration`, seconds since 1970.
    pub fn generated(&self) -> i64 {
        self.generated
    }

    /// The subjects that may speak for a domain; `None` when it is not listed.
    pub fn operators(&self, domain: &Domain) -> Option<&BTreeSet<Dn>> {
        self.domains.get(domain)
    }

    /// Whether the domain is listed, itself.
    pub fn lists_domain(&self, domain: &Domain) -> bool {
        self.domains.contains_key(domain)
    }

    /// Whether any domain is listed with this subject.
    pub fn lists_dn(&self, dn: &Dn) -> bool {
        self.operators.contains_key(dn)
    }

    /// The domains for which a subject may speak; `None` when it is not listed.
    pub fn domains_of(&self, dn: &Dn) -> Option<&BTreeSet<Domain>> {
        self.operators.get(dn)
    }

    /// All domains with their subjects, in order.
    pub fn domains(&self) -> impl ExactSizeIterator<Item = (&Domain, &BTreeSet<Dn>)> {
        self.domains.iter()
    }

    /// All subjects, in order.
    pub fn subjects(&self) -> impl ExactSizeIterator<Item = &Dn> {
        self.operators.keys()
    }

    /// What changes when `other` takes the place of this list.
    pub fn diff(&self, other: &WhiteList) -> Difference {
        compare::difference(self, other)
    }
}
