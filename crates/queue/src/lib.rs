//! What still has to leave: entries, schedule, attempts, bounces, in the store's transactions.
//!
//! ```text
//! insert(tx, message, …)      in the transaction of the local delivery; its commit wakes the scheduler
//! Schedule                    which destination may take which entries now: a value, without I/O
//! job(view, …)                what an attempt needs to know of a message
//! Plan::after(results, …)     what follows from an attempt, for each forward-path
//!   Plan::report()            the report it owes to the sender, to be staged before the transaction
//!   record(tx, &plan)         all of it, in one commit with the report
//! operate::{hold, …}          what an operator does by hand
//! ```
//! Nothing here opens a socket or reads a clock: `server` drives it.

pub mod attempt;
pub mod bounce;
pub mod destination;
pub mod due;
pub mod entry;
pub mod figures;
pub mod notice;
pub mod operate;
pub mod plan;
pub mod record;
pub mod schedule;

pub use attempt::{Answer, Attempt, Failure, Outcome, Stage};
pub use bounce::{Bounce, Writer};
pub use destination::Destination;
pub use entry::{Entry, EntryId, NewMessage, Queued, State, insert};
pub use operate::Selection;
pub use plan::{Plan, Tried};
pub use record::{Recorded, job, record};
pub use schedule::{Finish, Job, Look, Schedule};
