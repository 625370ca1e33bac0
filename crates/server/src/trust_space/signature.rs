//! The signature of the white list: its form and its signer are judged here and in `trust`, the cryptography on canonical
//! XML is left to Debian's `xmlsec1`, which is told exactly which key to use.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use trust::Dn;
use trust::white_list::signature::{ClaimError, claim};

/// The verifier; `scripts/setup` installs it.
const XMLSEC1: &str = "xmlsec1";

/// Time for a verification; the real list takes well under a second.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Its form.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Another signer.
    #[error("it is signed by {found}, not by {wanted}")]
    OtherSigner {
        /// The configured signer.
        wanted: Dn,
        /// The subjects of the certificates with it.
        found: String,
    },
    /// The verifier is missing.
    #[error("xmlsec1 cannot be started ({0}): install Debian's package xmlsec1")]
    NoVerifier(std::io::Error),
    /// The verifier did not end.
    #[error("xmlsec1 did not end in time")]
    TooSlow,
    /// The verifier says no.
    #[error("the signature is wrong: {0}")]
    Wrong(String),
    /// A file of ours.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// The certificates with a list's signature, the signer's first.
pub(super) fn chain_of(xml: &[u8], signer: &Dn) -> Result<Vec<Vec<u8>>, SignatureError> {
    let mut certificates = claim(xml)?.certificates;
    let mut subjects = Vec::new();
    let mut position = None;
    for (index, der) in certificates.iter().enumerate() {
        let Ok(read) = trust::certificate::read_leaf(std::slice::from_ref(der)) else { continue };
        if read.dn == *signer {
            position = position.or(Some(index));
        }
        subjects.push(read.dn.to_string());
    }
    let Some(position) = position else {
        return Err(SignatureError::OtherSigner { wanted: signer.clone(), found: subjects.join(" and ") });
    };
    certificates.swap(0, position);
    Ok(certificates)
}

/// Lets `xmlsec1` verify with the first certificate's key, and no other.
pub(super) async fn verify(xml: &[u8], chain: &[Vec<u8>], folder: &Path) -> Result<(), SignatureError> {
    let certificate = Certificate::write(chain.first().map(Vec::as_slice).unwrap_or_default(), folder)?;
    let mut command = Command::new(XMLSEC1);
    command
        .arg("--verify")
        // Only references to the document itself; `trust` saw that there is but one.
        .args(["--enabled-reference-uris", "empty"])
        // Without this, xmlsec1 would believe any key that the signature itself brings along (KeyValue).
        .args(["--enabled-key-data", "key-name"])
        .arg("--pubkey-cert-pem")
        .arg(&certificate.0)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut running = command.spawn().map_err(SignatureError::NoVerifier)?;
    let mut input = running.stdin.take();
    let fed = async {
        if let Some(mut input) = input.take() {
            // A verifier that gives up early says why by its status.
            let _ = input.write_all(xml).await;
            let _ = input.shutdown().await;
        }
    };
    let verified = async { tokio::join!(fed, running.wait_with_output()).1 };
    let output = tokio::time::timeout(TIME_MAX, verified).await.map_err(|_| SignatureError::TooSlow)??;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    Err(SignatureError::Wrong(format!("xmlsec1 ends with {}: {said}", output.status)))
}

/// Whether the verifier can be started.
pub fn xmlsec1_is_there() -> bool {
    let version = std::process::Command::new(XMLSEC1).arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|output| output.status.success())
}

/// A certificate in a file of its own, for the time of a verification.
struct Certificate(PathBuf);

impl Certificate {
    fn write(der: &[u8], folder: &Path) -> std::io::Result<Certificate> {
        let file = Certificate(folder.join("signer.pem"));
        let mut options = std::fs::File::options();
        let mut written = options.create(true).truncate(true).write(true).mode(0o600).open(&file.0)?;
        let base64 = STANDARD.encode(der);
        writeln!(written, "-----BEGIN CERTIFICATE-----")?;
        for line in base64.as_bytes().chunks(64) {
            written.write_all(line)?;
            writeln!(written)?;
        }
        writeln!(written, "-----END CERTIFICATE-----")?;
        Ok(file)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
