//! The little DER that names and OCSP answers need: definite lengths, minimal, one-octet tags (X.690 §10).

/// Octets not yet read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'d> {
    rest: &'d [u8],
}

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'d> {
    /// Class, form and number, as encoded.
    pub tag: u8,
    /// Without tag and length.
    pub content: &'d [u8],
    /// With them.
    pub whole: &'d [u8],
}

/// Not DER, or not what belongs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// `[number]`, constructed.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

impl<'d> Reader<'d> {
    pub(crate) fn new(octets: &'d [u8]) -> Reader<'d> {
        Reader { rest: octets }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Element<'d>, Malformed> {
        let before = self.rest;
        let (tag, rest) = before.split_first().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed); // A number of 31 or more: nothing we read has one.
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        let whole = before.get(..before.len() - rest.len()).ok_or(Malformed)?;
        Ok(Element { tag: *tag, content, whole })
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'d>, Malformed> {
        self.any().and_then(|element| if element.tag == tag { Ok(element) } else { Err(Malformed) })
    }

    /// The next value when it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'d>>, Malformed> {
        if self.rest.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// The content of the next value, a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Reader<'d>, Malformed> {
        self.expect(SEQUENCE).map(Element::reader)
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

impl<'d> Element<'d> {
    pub(crate) fn reader(self) -> Reader<'d> {
        Reader::new(self.content)
    }

    /// The octets of a BIT STRING that has no unused bits.
    pub(crate) fn bits(self) -> Result<&'d [u8], Malformed> {
        match self.content.split_first() {
            Some((0, octets)) if self.tag == BIT_STRING => Ok(octets),
            _ => Err(Malformed),
        }
    }
}

fn length(octets: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (first, rest) = octets.split_first().ok_or(Malformed)?;
    match usize::from(*first) {
        short @ 0..=0x7f => Ok((short, rest)),
        long => {
            let count = long & 0x7f;
            // Indefinite (0), or more than 4 GiB.
            if !(1..=4).contains(&count) {
                return Err(Malformed);
            }
            let (digits, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
            let value = digits.iter().fold(0_usize, |value, digit| value << 8 | usize::from(*digit));
            let minimal = value > 0x7f && digits.first() != Some(&0);
            if minimal { Ok((value, rest)) } else { Err(Malformed) }
        }
    }
}

/// An OID in dotted form.
pub(crate) fn dotted(content: &[u8]) -> Result<String, Malformed> {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc: u64 = 0;
    let mut begins = true;
    for octet in content {
        if begins && *octet == 0x80 {
            return Err(Malformed);
        }
        arc = arc.checked_mul(128).ok_or(Malformed)? | u64::from(octet & 0x7f);
        begins = octet & 0x80 == 0;
        if begins {
            arcs.push(arc);
            arc = 0;
        }
    }
    let (first, others) = arcs.split_first().ok_or(Malformed)?;
    if !begins || content.len() > 64 {
        return Err(Malformed);
    }
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for other in others {
        text.push('.');
        text.push_str(&other.to_string());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_der_is_read() {
        for (octets, good) in [
            (&[0x04, 0x00][..], true),
            (&[0x04, 0x01, 0xff], true),
            (&[0x04], false),
            (&[0x04, 0x02, 0xff], false),
            (&[0x04, 0x80, 0x00, 0x00], false),
            (&[0x04, 0x81, 0x01, 0xff], false),
            (&[0x04, 0x85, 1, 1, 1, 1, 1], false),
            (&[0x1f, 0x01, 0x00], false),
        ] {
            assert_eq!(Reader::new(octets).any().is_ok(), good, "{octets:x?}");
        }
        let long = [&[0x04, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(Reader::new(&long).any().map(|element| element.content.len()), Ok(0x80));
    }

    #[test]
    fn oids_in_dots() {
        for (octets, expected) in [
            (&[0x55, 0x04, 0x03][..], Ok("2.5.4.3")),
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01], Ok("1.2.840.113549.1.9.1")),
            (&[0x09, 0x92, 0x26], Ok("0.9.2342")),
            (&[0x88, 0x37], Ok("2.999")),
            (&[], Err(Malformed)),
            (&[0x55, 0x84], Err(Malformed)),
            (&[0x55, 0x80, 0x01], Err(Malformed)),
            (&[0xff; 30], Err(Malformed)),
        ] {
            assert_eq!(dotted(octets).as_deref(), expected.as_deref(), "{octets:x?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let mut reader = Reader::new(&octets);
            while reader.any().is_ok() {}
            let _ = dotted(&octets);
        }
    }
}
