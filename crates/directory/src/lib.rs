//! Who exists and what each may do: structures, accounts, addresses, and the rules of their names.
//!
//! Nothing here performs I/O: `store` keeps the rows, these are their types and rules.

pub mod account;
pub mod folder;
pub mod login;
pub mod naming;
pub mod password_rules;
pub mod structure;

pub use account::AccountState;
pub use folder::SpecialFolder;
pub use structure::StructureId;
