//! What must hold of any input, whoever sent it: each function takes any octets and panics when a promise is broken.
//! `tests/fuzz` makes targets of them; `corpus.rs` replays the seeds, `properties.rs` generates input.
#![allow(dead_code, unused_imports, reason = "each target uses its part")]

mod body;
mod header_value;
mod message;
mod stored;
mod submission;

pub use body::body;
pub use header_value::header_value;
pub use message::message;
pub use stored::stored;
pub use submission::submission;
