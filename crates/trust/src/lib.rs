//! Who may speak for which domain in the trust space (espace de confiance MSSanté).
//!
//! A [`Space`] is everything known at one moment: the [`WhiteList`], the [`Anchors`], what is known of
//! [`Revocations`], and the [`CertificatePolicy`]. It turns the chain a peer presented into a [`Certificate`] or a
//! [`Rejected`], and says whether that certificate speaks for a domain. No socket, no file, no clock: time is passed in.

pub mod anchors;
pub mod certificate;
mod der;
pub mod dn;
pub mod revocation;
pub mod space;
pub mod timestamp;
pub mod white_list;

pub use anchors::Anchors;
pub use certificate::{Certificate, CertificatePolicy, Purpose, Rejected, judge};
pub use dn::{Dn, DnError};
pub use mail::TrustCause as Cause;
pub use revocation::Revocations;
pub use space::{Current, Space};
pub use white_list::{WhiteList, WhiteListError};
