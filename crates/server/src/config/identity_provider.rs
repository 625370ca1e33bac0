//! `[identity_provider]`: whose tokens let people in (OAUTHBEARER, XOAUTH2).

use std::path::PathBuf;
use std::time::Duration;

use net::tls::CertificateFiles;

use super::reader::Section;

/// An OpenID provider, and what is demanded of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProviderConfig {
    /// Its name, letter by letter as in `iss`.
    pub issuer: String,
    /// Where it describes itself (OpenID Connect Discovery §4).
    pub discovery: String,
    /// Files of the authorities under which its `https` addresses are believed.
    pub authorities: Vec<PathBuf>,
    /// What we show to its servers when they ask.
    pub certificate: Option<CertificateFiles>,
    /// How a token is verified.
    pub verification: TokenVerification,
    /// Of which `aud` must name one; empty only where every token is introspected.
    pub audiences: Vec<String>,
    /// Of which `azp` or `client_id` must be one; empty where any may be.
    pub authorized_parties: Vec<String>,
    /// Who we are to the introspection endpoint.
    pub introspection: Option<IntrospectionClient>,
    /// The claim that names the person.
    pub claim: String,
    /// What is done with the digit before a national identifier.
    pub prefix: Prefix,
    /// Of which `acr` must be one; empty where it is not looked at.
    pub acr: Vec<String>,
    /// Told to clients whose token is no good.
    pub scope: String,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// How old a session may grow whose token has long expired.
    pub session: Duration,
    /// Time between two looks for a key that is not known.
    pub keys_refetch: Duration,
}

/// How a token is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenVerification {
    /// By its signature; what is not signed (JWE, opaque) by introspection, where that is configured.
    Signature,
    /// By asking the provider about each (RFC 7662).
    Introspection,
}

/// What is done with the digit before a national identifier: `8` before RPPS, `0` before ADELI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// It is taken off.
    Strip,
    /// It stays.
    Keep,
}

/// Who we are to the introspection endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntrospectionClient {
    /// Our `client_id`.
    pub id: String,
    /// The file of our secret.
    pub secret: PathBuf,
}

impl IdentityProviderConfig {
    /// Reads it; `known` are the certificates there are.
    pub(super) fn read(section: &Section<'_>, known: &[(String, CertificateFiles)]) -> Option<IdentityProviderConfig> {
        let issuer: Option<String> =
            section.required("issuer", "write the provider's name as its tokens have it in iss");
        let described = issuer.as_deref().map(|issuer| {
            let base = issuer.trim_end_matches('/');
            format!("{base}/.well-known/openid-configuration")
        });
        let discovery = section.text("discovery").map(str::to_owned).or(described);
        if let Some(address) = &discovery
            && !is_protected(address)
        {
            let remedy = "write an address that begins with https://";
            section.fault("discovery", format!("{address}: keys would travel in clear"), remedy);
        }
        let authorities = section.paths("authorities", "write the path of a PEM or DER file of certificates");
        if authorities.is_empty() && discovery.as_deref().is_some_and(|address| address.starts_with("https://")) {
            let remedy = "name the files of the roots that its server's certificate leads to";
            section.fault("authorities", "the provider's server could not be believed", remedy);
        }
        let named = section.text("certificate");
        let certificate = named.and_then(|name| known.iter().find(|(known, _)| known == name));
        if let (Some(name), None) = (named, certificate) {
            let fault = format!("there is no certificate \"{name}\"");
            section.fault("certificate", fault, "write the name of a [[certificate]]");
        }
        let choices =
            [("signature", TokenVerification::Signature), ("introspection", TokenVerification::Introspection)];
        let verification = section.choice("verification", &choices, TokenVerification::Signature);
        let id: Option<String> = section.parsed("client_id", "write our name at the provider");
        let secret = section.path("client_secret_file");
        let introspection = match (id, secret) {
            (Some(id), Some(secret)) => Some(IntrospectionClient { id, secret }),
            (None, None) => None,
            (Some(_), None) => {
                section.fault("client_id", "there is no secret to it", "add client_secret_file");
                None
            }
            (None, Some(_)) => {
                section.fault("client_secret_file", "whose secret?", "add client_id");
                None
            }
        };
        if verification == TokenVerification::Introspection && introspection.is_none() {
            section.fault(
                "verification",
                "the provider answers known clients only",
                "add client_id and client_secret_file",
            );
        }
        let audiences: Vec<String> = section.list("audiences", "write a value of aud");
        if audiences.is_empty() && verification == TokenVerification::Signature {
            let remedy = "write what aud holds in tokens that are for this server: audiences = [\"…\"]";
            section.fault("audiences", "a token given to any other service would let its holder in", remedy);
        }
        let prefixes = [("strip", Prefix::Strip), ("keep", Prefix::Keep)];
        Some(IdentityProviderConfig {
            issuer: issuer?,
            discovery: discovery?,
            authorities,
            certificate: certificate.map(|(_, files)| files.clone()),
            verification,
            audiences,
            authorized_parties: section.list("authorized_parties", "write a value of azp"),
            introspection,
            claim: section.text("claim").unwrap_or("SubjectNameID").to_owned(),
            prefix: section.choice("identifier_prefix", &prefixes, Prefix::Strip),
            acr: section.list("acr", "write a value of acr, as \"eidas1\""),
            scope: section.text("scope").unwrap_or("openid").to_owned(),
            leeway: Duration::from_secs(section.whole("leeway_seconds", 0..=300, 30)),
            session: Duration::from_secs(section.whole("session_minutes", 1..=10_080, 720) * 60),
            keys_refetch: Duration::from_secs(section.whole("keys_refetch_seconds", 1..=3_600, 10)),
        })
    }
}

/// `https`, or a server on this very machine.
pub(crate) fn is_protected(address: &str) -> bool {
    let on_loopback = ["http://127.0.0.1", "http://[::1]", "http://localhost"]
        .into_iter()
        .any(|start| address.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
    // Nothing that would make another host of it (RFC 3986 §3.2.1).
    (address.starts_with("https://") || on_loopback) && !address.contains('@')
}
