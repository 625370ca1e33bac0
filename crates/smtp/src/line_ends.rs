//! CR and LF in a message body: only ever together (RFC 5321 §2.3.8).
//!
//! A lone one is the raw material of SMTP smuggling (CVE-2023-51764 and its kin), at the next hop if not here.

use memchr::memchr3;

/// Looks for what a message must not hold, in octets that come in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineEnds {
    after_cr: bool,
}

/// What a message must not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// A CR without LF, or an LF without CR.
    #[error("a CR or LF on its own")]
    BareLineEnd,
    /// A NUL (RFC 5322 §4.1 calls it obsolete; without BINARYMIME none may be sent).
    #[error("a NUL")]
    Nul,
}

impl LineEnds {
    /// Looks at the next piece.
    ///
    /// # Errors
    /// The first fault found; what comes after it is not looked at.
    pub fn check(&mut self, piece: &[u8]) -> Result<(), BodyFault> {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").ok_or(BodyFault::BareLineEnd)?;
            self.after_cr = false;
        }
        while let Some(at) = memchr3(b'\r', b'\n', 0, rest) {
            let (_, from) = rest.split_at(at);
            rest = match from {
                [b'\r', b'\n', after @ ..] => after,
                [b'\r'] => {
                    self.after_cr = true;
                    return Ok(());
                }
                [0, ..] => return Err(BodyFault::Nul),
                _ => return Err(BodyFault::BareLineEnd),
            };
        }
        Ok(())
    }

    /// Says that no piece follows.
    ///
    /// # Errors
    /// [`BodyFault::BareLineEnd`] where the last octet was a CR.
    pub fn finish(self) -> Result<(), BodyFault> {
        match self.after_cr {
            true => Err(BodyFault::BareLineEnd),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(pieces: &[&[u8]]) -> Result<(), BodyFault> {
        let mut ends = LineEnds::default();
        pieces.iter().try_for_each(|piece| ends.check(piece))?;
        ends.finish()
    }

    #[test]
    fn cr_and_lf_come_together_wherever_the_body_is_cut() {
        let table: [(&[u8], Result<(), BodyFault>); 9] = [
            (b"", Ok(())),
            (b"a\r\n\r\nb", Ok(())),
            (b"\r\n", Ok(())),
            (b"a\nb", Err(BodyFault::BareLineEnd)),
            (b"a\rb", Err(BodyFault::BareLineEnd)),
            (b"a\r", Err(BodyFault::BareLineEnd)),
            (b"a\r\r\n", Err(BodyFault::BareLineEnd)),
            (b"a\n\r\n", Err(BodyFault::BareLineEnd)),
            (b"a\r\n\0", Err(BodyFault::Nul)),
        ];
        for (body, expected) in table {
            for cut in 0..=body.len() {
                let (left, right) = body.split_at(cut);
                assert_eq!(judge(&[left, right]), expected, "{body:?} cut at {cut}");
            }
            assert_eq!(judge(&body.chunks(1).collect::<Vec<_>>()), expected);
        }
    }
}
