//! SEARCH (RFC 9051 §6.4.4).

pub mod body;
pub mod criteria;
pub mod folding;
