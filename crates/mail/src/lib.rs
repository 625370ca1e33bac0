//! The vocabulary: addresses, envelopes, statuses, messages and MIME, trace fields, parsed and printed.
//!
//! Nothing here performs I/O or reads a clock; every other crate speaks in these types.

pub mod address;
pub mod authentication_results;
pub mod crlf;
pub mod decode;
pub mod domain;
pub mod dsn;
pub mod envelope;
pub mod exchange;
pub mod header;
pub mod language;
pub mod message;
pub mod mime;
pub mod notice;
mod quoted_printable;
pub mod refusal;
pub mod status;
pub mod trace;
pub mod trust_cause;

pub use address::{Address, AddressError, LocalPart};
pub use domain::{Domain, DomainError};
pub use envelope::{BodyKind, Envelope, ForwardPath, ReversePath};
pub use exchange::{Exchange, MxAnswer};
pub use language::Language;
pub use refusal::Refusal;
pub use status::EnhancedStatus;
pub use trust_cause::TrustCause;
