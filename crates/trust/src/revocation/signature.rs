//! `SIGNED { … }` of X.509: what is signed, how, and by whom.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use webpki::RawPublicKeyEntity;

use crate::der::{BIT_STRING, Malformed, Reader, SEQUENCE};

/// What is signed, the algorithm, the signature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'d> {
    pub(super) data: &'d [u8],
    /// The content of the AlgorithmIdentifier.
    algorithm: &'d [u8],
    signature: &'d [u8],
}

impl<'d> Signed<'d> {
    /// Reads a SEQUENCE of these three.
    pub(super) fn read(der: &'d [u8]) -> Result<Signed<'d>, Malformed> {
        let mut reader = Reader::new(der).sequence()?;
        Signed::next(&mut reader)
    }

    /// Reads the three where they stand.
    pub(super) fn next(reader: &mut Reader<'d>) -> Result<Signed<'d>, Malformed> {
        let data = reader.expect(SEQUENCE)?.whole;
        let algorithm = reader.expect(SEQUENCE)?.content;
        let signature = reader.expect(BIT_STRING)?.bits()?;
        Ok(Signed { data, algorithm, signature })
    }

    /// Whether the holder of this key (SubjectPublicKeyInfo, DER) signed it, with an algorithm webpki accepts: no SHA-1, no
    /// RSA under 2,048 bits.
    pub(super) fn is_by(&self, key: &[u8]) -> bool {
        let key = SubjectPublicKeyInfoDer::from(key);
        let Ok(entity) = RawPublicKeyEntity::try_from(&key) else {
            return false;
        };
        let fitting =
            webpki::ALL_VERIFICATION_ALGS.iter().filter(|algorithm| *algorithm.signature_alg_id() == *self.algorithm);
        fitting.into_iter().any(|algorithm| entity.verify_signature(*algorithm, self.data, self.signature).is_ok())
    }
}
