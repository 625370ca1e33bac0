//! Every decision to accept or refuse, as pure functions from facts to verdicts.
//!
//! Gathering facts (directory, index of the message) happens before, acting happens after. Reasons are
//! [`mail::Refusal`]s; this crate is the only one that gives them for a reason of policy.

pub mod content;
pub mod mx;
pub mod quota;
pub mod recipient;
pub mod relay;
pub mod retry;
pub mod submission;

pub use content::ContentLimits;
pub use mx::MxRules;
pub use recipient::{Bringer, DomainFacts, Holder, RecipientFacts, Route};
pub use retry::RetryPolicy;
pub use submission::SubmissionFacts;
