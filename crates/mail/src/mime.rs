//! The delivery index: what a message is made of, found in one pass while it is spooled.
//!
//! [`Scanner`] takes the octets in chunks of any size and holds a bounded amount of memory whatever it is fed.
//! [`MessageIndex`] is what it finds: structure with octet offsets, envelope fields, header texts, preview, and the
//! facts policy decides on. [`MessageIndex::split`] gives the parts in the compact form the store keeps.
//!
//! Offsets count from the first octet fed to the scanner. A stored message has a trace prefix before that octet:
//! [`Part::section`] takes its length and answers in octets of the message as clients see it.

mod attachments;
mod describe;
pub mod envelope;
mod header_facts;
mod header_reader;
pub mod index;
mod lines;
mod meter;
pub mod part;
pub mod preview;
pub mod scanner;
pub mod section;
mod stored;

pub use envelope::EnvelopeFields;
pub use index::{Attachments, Exceeded, Facts, HeaderText, MessageIndex, Split, StoredFormError, Thread};
pub use part::{Content, Disposition, EncapsulatedMessage, Parameter, Part, TransferEncoding};
pub use scanner::{Limits, Scanner};
pub use section::SectionText;
