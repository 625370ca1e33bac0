//! What `sceau check` looks at beside the file itself: are the certificates there, can the data be written.

use std::path::Path;

use mail::Address;
use net::tls::{CertificateFiles, ClientCertificates, TlsServer};

use super::identity_provider::IdentityProviderConfig;
use super::reader::Section;
use super::trust::{TrustConfig, Verification};
use super::{ListenerConfig, Role};
use crate::identity_provider::IdentityProvider;
use crate::trust_space;

/// A certificate that cannot be served is a fault.
pub(super) fn certificate(section: &Section<'_>, files: &CertificateFiles) {
    if let Err(error) = TlsServer::open(vec![files.clone()], ClientCertificates::Ignored) {
        section.fault("chain", error, "give readable PEM files of one certificate and its key");
    }
}

/// Files of a provider that cannot be read are faults.
pub(super) fn identity_provider(section: &Section<'_>, provider: &IdentityProviderConfig) {
    if let Err(error) = IdentityProvider::open(provider) {
        section.fault("issuer", format!("{error:#}"), "give readable files: authorities, client_secret_file");
    }
}

/// Authorities that cannot be read, and a signature nobody could verify, are faults.
pub(super) fn trust(section: &Section<'_>, trust: &TrustConfig) {
    if let Err(error) = trust_space::authorities::read(&trust.roots, &trust.intermediates) {
        section.fault("roots", format!("{error:#}"), "give readable PEM or DER files of authorities' certificates");
    }
    let others = [&trust.white_list.authorities, &trust.revocation.authorities];
    for error in others.into_iter().filter_map(|files| trust_space::authorities::any(files).err()) {
        section.fault(
            "authorities",
            format!("{error:#}"),
            "give readable PEM or DER files of authorities' certificates",
        );
    }
    let signed = matches!(trust.white_list.verification, Verification::Signed { .. });
    if signed && !trust_space::xmlsec1_is_there() {
        section.fault("white_list", "xmlsec1 cannot be started, no signature could be verified", "install xmlsec1");
    }
}

/// A data folder nobody can make is a fault.
pub(super) fn data(section: &Section<'_>, folder: &Path) {
    if let Some(ground) = existing(folder)
        && !ground.is_dir()
    {
        section.fault("data", format!("{} is no folder", ground.display()), "name a folder, or one that can be made");
    }
}

/// A host that takes mail must have somebody who reads the postmaster's (RFC 5321 §4.5.1). A warning only: each domain may
/// name its own.
pub(super) fn postmaster(section: &Section<'_>, postmaster: Option<&Address>, listeners: &[ListenerConfig]) {
    if postmaster.is_none() && listeners.iter().any(|listener| listener.role != Role::Imap) {
        section.warning(
            "postmaster",
            "missing: mail to <Postmaster>, and to postmaster@ of each domain that names nobody, is put off with 451",
            "write an address of one of your accounts, as postmaster = \"postmaster@example.org\"",
        );
    }
}

/// The path, or the nearest thing above it that exists.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|ancestor| ancestor.exists())
}
