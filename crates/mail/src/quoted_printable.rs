//! Quoted-printable of text (RFC 2045 §6.7).

/// Encodes octets whose line ends are CRLF. A CR or LF on its own is encoded, so that none is left.
pub(crate) fn encode(text: impl AsRef<[u8]>) -> Vec<u8> {
    let octets = text.as_ref();
    let mut encoded = Vec::with_capacity(octets.len() * 5 / 4);
    let mut column = 0;
    let mut rest = octets;
    while let [octet, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(b"\r\n") {
            encoded.extend_from_slice(b"\r\n");
            (column, rest) = (0, after);
            continue;
        }
        // White space before a line end would get lost on the way (rule 3).
        let ends_line = after.is_empty() || after.starts_with(b"\r\n");
        let is_plain = matches!(octet, b'!'..=b'<' | b'>'..=b'~') || (matches!(octet, b' ' | b'\t') && !ends_line);
        let octets = if is_plain { 1 } else { 3 };
        if column + octets > LINE_OCTETS_MAX - 1 && !(ends_line && column + octets <= LINE_OCTETS_MAX) {
            encoded.extend_from_slice(b"=\r\n");
            column = 0;
        }
        match is_plain {
            true => encoded.push(*octet),
            false => encoded.extend_from_slice(format!("={octet:02X}").as_bytes()),
        }
        column += octets;
        rest = after;
    }
    encoded
}

/// Octets of a line, the `=` of a soft line end among them (rule 5).
const LINE_OCTETS_MAX: usize = 76;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_quoted_printable() {
        for (text, encoded) in [
            ("plain\r\n", "plain\r\n"),
            ("é = x \r\n", "=C3=A9 =3D x=20\r\n"),
            ("a\rb\nc", "a=0Db=0Ac"),
            ("tab\t", "tab=09"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(encode(text)).unwrap(), encoded, "{text:?}");
        }
        let line = "x".repeat(76);
        assert_eq!(encode(&line), line.as_bytes(), "76 octets are a line");
        assert_eq!(encode(line.clone() + "x"), format!("{}=\r\nxx", "x".repeat(75)).as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn it_reads_back(text: Vec<u8>) {
            let encoded = encode(&text);
            proptest::prop_assert!(encoded.is_ascii());
            let lines = encoded.split(|octet| *octet == b'\n');
            proptest::prop_assert!(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).all(|line| line.len() <= 76));
            let message = [b"Content-Transfer-Encoding: quoted-printable\r\n\r\n".as_slice(), &encoded].concat();
            let parsed = mail_parser::MessageParser::default().parse(&message).unwrap();
            let read = parsed.part(0).unwrap().contents();
            let is_text = !text.is_empty() && text.iter().all(|octet| matches!(octet, b' '..=b'~'));
            if is_text {
                proptest::prop_assert_eq!(read, text.as_slice());
            }
        }
    }
}
