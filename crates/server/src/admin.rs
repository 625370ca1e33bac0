//! What the command line does to a server: through its Unix socket while it runs, so that sessions see the change at once,
//! or directly on the store while it does not.

mod append;
mod client;
mod operations;
mod passwords;
mod queue;
mod request;
mod sign_in_links;
mod socket;
mod streams;
mod trust;

pub use append::Order;
pub use client::{Client, ClientError};
pub use operations::{Administration, Hooks};
pub(crate) use operations::{create_account, create_domain};
pub use passwords::{NewPassword, hash_generated};
pub use queue::{QueueAttemptView, QueueEntryAttemptsView, QueueEntryView, QueueListView, QueueMessageView};
pub use request::{AccountView, DomainView, Failed, Request, SessionView, StructureView, TrustView};
pub use sign_in_links::{CertificateNamed, CertificateView, IdentifierView};
pub use socket::{bind_admin_socket, serve_admin_socket};
pub use streams::{Event, Events};
