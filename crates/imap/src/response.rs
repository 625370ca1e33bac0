//! Responses as they are printed (RFC 9051 §7). The one place that maps reasons to IMAP's words.

mod code;
mod envelope;
mod fetch;
mod structure;
mod text;
mod untagged;

pub use code::{Code, Status, code_of};
pub use fetch::FetchResponse;
pub(crate) use text::{Charset, astring};
pub use untagged::{EsearchResponse, ListAttribute, ListResponse, Responses, StatusResponse};
pub(crate) use untagged::{part_number, section, status_line};
