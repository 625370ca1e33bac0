//! What a server announces in its answer to EHLO (RFC 5321 §4.1.1.1).

/// The extensions we look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 8689.
    pub require_tls: bool,
    /// RFC 1870: whether SIZE is announced.
    pub size: bool,
    /// The limit, when it is announced and not 0.
    pub octets_max: Option<u64>,
    /// RFC 9422: recipients of one transaction.
    pub recipients_max: Option<usize>,
    /// RFC 4954: PLAIN is among the mechanisms.
    pub plain: bool,
}

impl Announced {
    /// Reads the text of the reply: the first line is the server's name, each other one an extension.
    pub fn parse(text: &str) -> Announced {
        let mut announced = Announced::default();
        for line in text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "PIPELINING" => announced.pipelining = true,
                "STARTTLS" => announced.starttls = true,
                "8BITMIME" => announced.eight_bit_mime = true,
                "SMTPUTF8" => announced.smtputf8 = true,
                "CHUNKING" => announced.chunking = true,
                "DSN" => announced.dsn = true,
                "REQUIRETLS" => announced.require_tls = true,
                "SIZE" => {
                    announced.size = true;
                    announced.octets_max = words.next().and_then(|max| max.parse().ok()).filter(|max| *max > 0);
                }
                "LIMITS" => {
                    announced.recipients_max =
                        words.find_map(|word| word.strip_prefix("RCPTMAX=")).and_then(|max| max.parse().ok());
                }
                "AUTH" => announced.plain = words.any(|word| word.eq_ignore_ascii_case("PLAIN")),
                _ => {}
            }
        }
        announced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_read_in_any_case_and_strangers_passed_over() {
        let text =
            "mx greets\nPIPELINING\nsize 1000\n8BITMIME\nX-WHAT 1 2\nAUTH LOGIN plain\nLIMITS MAILMAX=5 RCPTMAX=7";
        let expected = Announced {
            pipelining: true,
            size: true,
            octets_max: Some(1_000),
            eight_bit_mime: true,
            plain: true,
            recipients_max: Some(7),
            ..Announced::default()
        };
        assert_eq!(Announced::parse(text), expected);
        assert_eq!(Announced::parse("STARTTLS is my name"), Announced::default());
        assert_eq!(Announced::parse("mx\nSIZE 0").octets_max, None);
    }
}
