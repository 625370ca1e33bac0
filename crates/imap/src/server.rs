//! The server's side of a session (RFC 9051 §3), as a value: bytes and answers go in, actions come out.

mod question;
mod session;

pub use question::{Action, Answer, Completed, Enabled, Farewell, Input, Question, Then};
pub use session::{Config, Session, Transport};
