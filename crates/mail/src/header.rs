//! Header fields: cut, unfolded, decoded, and printed (RFC 5322 §2.2, RFC 2047, RFC 2231, RFC 5256 §2.1).
//!
//! Reading is tolerant: whatever arrives gives some text. Printing is strict: no CR, LF or NUL can enter a field.

pub mod addresses;
pub mod date;
pub mod field;
pub mod parameters;
pub mod print;
pub mod subject;
pub mod words;

pub use addresses::{AddressListItem, NamedAddress, parse_addresses};
pub use date::DateTime;
pub use field::{Field, fields, message_ids, unfold};
pub use parameters::{Parameterised, parse_parameterised};
pub use print::{address_field, ascii_parameter, ascii_text, unstructured_field};
pub use subject::{BaseSubject, base_subject};
pub use words::decode_words;
