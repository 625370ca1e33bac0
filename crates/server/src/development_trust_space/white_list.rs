//! The white list, in the form of the real one, signed as XMLDSig enveloped signature with RSA and SHA-256.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Context;
use jiff::Timestamp;
use net::tls::CertificateFiles;

use crate::development_certificates::write_new;

const PROGRAM: &str = "xmlsec1";

/// What `xmlsec1` fills in: digest, signature and certificates.
const SIGNATURE: &str = "\
    <Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedInfo>\
    <CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
    <SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>\
    <Reference URI=\"\"><Transforms>\
    <Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
    <Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></Transforms>\
    <DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><DigestValue/></Reference></SignedInfo>\
    <SignatureValue/><KeyInfo><X509Data/></KeyInfo></Signature>";

/// One domain with one certificate's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The mail domain.
    pub domain: String,
    /// The name that may speak for it, as text.
    pub name: String,
}

/// Whether the list is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// It is.
    Done,
    /// `xmlsec1` is not installed, and the list has no signature.
    ProgramMissing,
}

pub(super) fn write(
    file: &Path,
    entries: &[Entry],
    generated: SystemTime,
    signer: &CertificateFiles,
    issuer: &Path,
) -> anyhow::Result<Signing> {
    let template = file.with_extension("template");
    write_new(&template, print(entries, generated, SIGNATURE)?.as_bytes(), 0o644)?;
    let signed = file.with_extension("signed");
    // One certificate is read from each file: the issuer's is named besides, so that both are in the signature.
    let key = format!("{},{},{}", signer.key.display(), signer.chain.display(), issuer.display());
    let output =
        Command::new(PROGRAM).args(["--sign", "--privkey-pem", &key, "--output"]).args([&signed, &template]).output();
    let signing = match output {
        Ok(output) if output.status.success() => {
            std::fs::rename(&signed, file).with_context(|| format!("writing {}", file.display()))?;
            Signing::Done
        }
        Ok(output) => anyhow::bail!("{PROGRAM} cannot sign: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            write_new(file, print(entries, generated, "")?.as_bytes(), 0o644)?;
            Signing::ProgramMissing
        }
        Err(error) => return Err(error).with_context(|| format!("running {PROGRAM}")),
    };
    std::fs::remove_file(&template).with_context(|| format!("removing {}", template.display()))?;
    Ok(signing)
}

fn print(entries: &[Entry], generated: SystemTime, signature: &str) -> anyhow::Result<String> {
    // To the second, as the real list.
    let generated = Timestamp::from_second(Timestamp::try_from(generated)?.as_second())?;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <ListeBlancheMSSante xmlns=\"https://listeblanche.mssante.fr/schema\">\n    \
         <DateDeGeneration>{generated}</DateDeGeneration>\n    <ListeDomaines>\n"
    );
    for Entry { domain, name } in entries {
        text.push_str(&format!(
            "        <Domaine>\n            <Nom>{}</Nom>\n            <Description>Development</Description>\n            \
             <DNCertificatOperateur>{}</DNCertificatOperateur>\n            \
             <ResponsableContact>01 00 00 00 00, responsable@{domain}</ResponsableContact>\n            \
             <SupportContact>01 00 00 00 00, support@{domain}</SupportContact>\n            \
             <DateMAJ>{generated}</DateMAJ>\n        </Domaine>\n",
            escaped(domain),
            escaped(name),
            domain = escaped(domain),
        ));
    }
    text.push_str("    </ListeDomaines>\n");
    text.push_str(signature);
    text.push_str("</ListeBlancheMSSante>\n");
    Ok(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
