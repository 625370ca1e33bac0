//! Who is speaking and how surely: identities, SASL exchanges, password verification.
//!
//! Nothing here performs I/O: an exchange asks its questions as data, and the caller answers from its directory.

pub mod identity;
pub mod password;
pub mod preparation;
pub mod sasl;
pub mod throttle;

pub use identity::{AccountId, Identity};
pub use preparation::PreparedPassword;
