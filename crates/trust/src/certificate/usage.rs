//! What the certificates of a path may be used for, and how strong their keys are.

use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::path::{Path, parse};
use super::{ExtendedKeyUsage, Purpose};

/// Bits of an RSA modulus, at least (ANSSI, Guide des mécanismes cryptographiques, RègleFact-1).
const RSA_BITS_MIN: usize = 2_048;

/// Whether a path may serve this purpose.
pub(super) fn check(path: &Path, purpose: Purpose, mode: ExtendedKeyUsage) -> Result<(), String> {
    for (index, der) in path.certificates().iter().enumerate() {
        let certificate = parse(der)?;
        key(&certificate)?;
        let root = index + 1 == path.certificates().len();
        match (index, root) {
            (0, _) => leaf(&certificate, purpose, mode)?,
            (_, false) => issuer(&certificate, purpose, mode)?,
            (_, true) => {}
        }
    }
    Ok(())
}

fn key(certificate: &X509Certificate<'_>) -> Result<(), String> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => {
            let leading = key.modulus.iter().take_while(|octet| **octet == 0).count();
            let bits = (key.modulus.len() - leading) * 8;
            if bits < RSA_BITS_MIN {
                return Err(format!("an RSA key of its chain has {bits} bits, fewer than {RSA_BITS_MIN}"));
            }
            Ok(())
        }
        Ok(PublicKey::DSA(_) | PublicKey::GostR3410(_) | PublicKey::GostR3410_2012(_)) => {
            Err("a key of its chain is of a kind that is not accepted".to_owned())
        }
        Ok(_) => Ok(()),
        Err(_) => Err("a key of its chain cannot be read".to_owned()),
    }
}

fn leaf(certificate: &X509Certificate<'_>, purpose: Purpose, mode: ExtendedKeyUsage) -> Result<(), String> {
    let usage = certificate.key_usage().map_err(|_| "its key usage cannot be read")?;
    if let Some(usage) = usage {
        let usage = usage.value;
        // TLS 1.3 and ECDHE have the key sign (RFC 8446 §4.4.2.2); signed documents may be "non repudiation" instead.
        let may_sign = usage.digital_signature() || (purpose == Purpose::Signer && usage.non_repudiation());
        if !may_sign {
            return Err("its key usage does not include digitalSignature".to_owned());
        }
    }
    let extended = certificate.extended_key_usage().map_err(|_| "its extended key usage cannot be read")?;
    let wrong = |wanted: &str| Err(format!("its extended key usage does not include {wanted}"));
    let Some(extended) = extended.map(|extension| extension.value) else {
        return match (mode, purpose) {
            (ExtendedKeyUsage::Strict, Purpose::Client) => wrong("clientAuth"),
            (ExtendedKeyUsage::Strict, Purpose::Server) => wrong("serverAuth"),
            _ => Ok(()),
        };
    };
    match (mode, purpose) {
        (_, Purpose::Signer) => Ok(()),
        (ExtendedKeyUsage::Either, _) if extended.any || extended.server_auth || extended.client_auth => Ok(()),
        (ExtendedKeyUsage::Either, _) => wrong("serverAuth or clientAuth"),
        (ExtendedKeyUsage::Strict, Purpose::Client) if extended.client_auth => Ok(()),
        (ExtendedKeyUsage::Strict, Purpose::Client) => wrong("clientAuth"),
        (ExtendedKeyUsage::Strict, Purpose::Server) if extended.server_auth => Ok(()),
        (ExtendedKeyUsage::Strict, Purpose::Server) => wrong("serverAuth"),
    }
}

/// An intermediate authority: may it sign certificates, and for this purpose where it says for which?
fn issuer(certificate: &X509Certificate<'_>, purpose: Purpose, mode: ExtendedKeyUsage) -> Result<(), String> {
    let usage = certificate.key_usage().map_err(|_| "the key usage of an authority cannot be read")?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err("an authority of its chain may not sign certificates".to_owned());
    }
    let extended = certificate.extended_key_usage().map_err(|_| "the usage of an authority cannot be read")?;
    let Some(extended) = extended.map(|extension| extension.value) else {
        return Ok(());
    };
    let allowed = match (mode, purpose) {
        (_, Purpose::Signer) => true,
        (ExtendedKeyUsage::Either, _) => extended.server_auth || extended.client_auth,
        (ExtendedKeyUsage::Strict, Purpose::Client) => extended.client_auth,
        (ExtendedKeyUsage::Strict, Purpose::Server) => extended.server_auth,
    };
    if allowed || extended.any {
        Ok(())
    } else {
        Err("an authority of its chain may not issue for this use".to_owned())
    }
}
