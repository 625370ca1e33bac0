//! `Authentication-Results` (RFC 8601): what was found out about where a message comes from, printed and recognised.
//!
//! ASCII, folded, closed to injection, as trace fields are.

use crate::Domain;
use crate::header::print::{fold, without_controls};
use crate::header::{fields, unfold};
use crate::trace::{ascii_escaped, cut};

/// The verdict of the trust space on the peer: ours, so `x-` (RFC 8601 §2.7.7).
pub const TRUST_METHOD: &str = "x-mssante";

/// Whether the peer speaks for the domain of each author.
pub const AUTHOR_METHOD: &str = "x-mssante-author";

/// What one method found out (`resinfo`, RFC 8601 §2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodResult {
    /// `spf`, `dkim`, … (RFC 8601 §2.7).
    pub method: &'static str,
    /// `pass`, `fail`, `none`, `temperror`, … of the words the method has.
    pub result: &'static str,
    /// Why, for people and logs: any text.
    pub reason: Option<String>,
    /// What was looked at: `smtp.mailfrom`, and its value, any text.
    pub properties: Vec<(&'static str, String)>,
}

impl MethodResult {
    /// A result about which nothing more is said.
    pub fn new(method: &'static str, result: &'static str) -> MethodResult {
        MethodResult { method, result, reason: None, properties: Vec::new() }
    }

    /// The same with its reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> MethodResult {
        self.reason = Some(reason.into());
        self
    }

    /// The same with something it was found by.
    #[must_use]
    pub fn of(mut self, property: &'static str, value: impl Into<String>) -> MethodResult {
        self.properties.push((property, value.into()));
        self
    }
}

/// The field with its CRLF; `none` where nothing was looked at (RFC 8601 §2.2).
pub fn to_field(service: &Domain, results: &[MethodResult]) -> String {
    let mut words = vec![format!("{service};")];
    for (index, MethodResult { method, result, reason, properties }) in results.iter().enumerate() {
        words.push(format!("{method}={result}"));
        if let Some(reason) = reason {
            words.extend(value("reason=", reason, QuotedAlways::Yes));
        }
        for (property, text) in properties {
            words.extend(value(&format!("{property}="), text, QuotedAlways::No));
        }
        if let Some(last) = words.last_mut()
            && index + 1 < results.len()
        {
            last.push(';');
        }
    }
    if results.is_empty() {
        words.push("none".into());
    }
    fold("Authentication-Results", words.iter().map(String::as_str))
}

/// How many fields of a header claim to be of this service: forged, where they come with the message (RFC 8601 §5).
pub fn claiming(header: &[u8], service: &Domain) -> usize {
    let claims = |value: &[u8]| {
        let text = unfold(value);
        let text = skip_comments(&text);
        let end = text.find([';', ' ', '\t', '(']).unwrap_or(text.len());
        let named = text.get(..end).unwrap_or_default().trim_matches('"');
        named.eq_ignore_ascii_case(service.as_str())
    };
    fields(header).filter(|field| field.is("Authentication-Results") && claims(field.value)).count()
}

/// What follows the comments and blanks that a value may begin with (RFC 5322 §3.2.2).
fn skip_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with('(') {
        let mut depth = 0_usize;
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, character)| {
            match (std::mem::take(&mut escaped), character) {
                (true, _) => {}
                (false, '\\') => escaped = true,
                (false, '(') => depth += 1,
                (false, ')') => depth = depth.saturating_sub(1),
                (false, _) => {}
            }
            depth == 0
        });
        rest = end.and_then(|(at, _)| rest.get(at + 1..)).unwrap_or_default().trim_start();
    }
    rest
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum QuotedAlways {
    Yes,
    No,
}

/// `name=value` as words between which a fold may stand: as it is where it is a token or an address, else quoted.
fn value(name: &str, text: &str, quoted: QuotedAlways) -> Vec<String> {
    let text = without_controls(text);
    let text = ascii_escaped(&text);
    let text = cut(&text, VALUE_OCTETS_MAX);
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"@.-_+!#$%&'*^`{|}~".contains(&octet);
    if quoted == QuotedAlways::No && !text.is_empty() && text.bytes().all(is_plain) {
        return vec![format!("{name}{text}")];
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{name}\"{escaped}\"").split(' ').map(str::to_owned).collect()
}

/// Octets kept of a value somebody else chose: the longest address has 320, and all of it escaped still fits a line.
const VALUE_OCTETS_MAX: usize = 450;

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn service() -> Domain {
        "mx.a.example".parse().unwrap()
    }

    #[test]
    fn fields_print() {
        let dn = "CN=mx.b.example,OU=1310000003,O=HÔPITAL \"D'AILLEURS\",ST=Paris (75),C=FR";
        let results = [
            MethodResult::new(TRUST_METHOD, "pass").of("policy.dn", dn).of("smtp.mailfrom", "bob@b.example"),
            MethodResult::new("spf", "temperror").because("no answer in time"),
            MethodResult::new("dkim", "pass").of("header.d", "b.example").of("header.b", "a/b+c"),
        ];
        let printed = [to_field(&service(), &results), to_field(&service(), &[])];
        expect![[r#"
            Authentication-Results: mx.a.example; x-mssante=pass
             policy.dn="CN=mx.b.example,OU=1310000003,O=H\\C3\\94PITAL
             \"D'AILLEURS\",ST=Paris (75),C=FR" smtp.mailfrom=bob@b.example; spf=temperror
             reason="no answer in time"; dkim=pass header.d=b.example header.b="a/b+c"
            Authentication-Results: mx.a.example; none
        "#]]
        .assert_eq(&printed.concat().replace("\r\n", "\n"));
    }

    #[test]
    fn forged_fields_are_found() {
        for (value, forged) in [
            (" mx.a.example; spf=pass", 1),
            (" MX.a.example 1; spf=pass", 1),
            ("mx.a.example", 1),
            (" \"mx.a.example\"; spf=pass", 1),
            (" (a (nested\\) ) comment) mx.a.example; none", 1),
            ("\r\n mx.a.example;\r\n none", 1),
            (" mx.b.example; spf=pass", 0),
            (" xmx.a.example; spf=pass", 0),
            ("", 0),
            (" (unclosed mx.a.example", 0),
        ] {
            let header = format!("Subject: x\r\nauthentication-results:{value}\r\n\r\n");
            assert_eq!(claiming(header.as_bytes(), &service()), forged, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn s11_whatever_was_looked_at_stays_in_its_field(reason: String, text: String) {
            let result = MethodResult::new("spf", "fail").because(reason).of("smtp.mailfrom", text);
            let field = to_field(&service(), &[result]);
            proptest::prop_assert!(field.is_ascii());
            proptest::prop_assert_eq!(fields(field.as_bytes()).count(), 1);
            proptest::prop_assert!(!field.replace("\r\n", "").contains(['\r', '\n', '\0']));
            proptest::prop_assert!(field.lines().all(|line| line.len() <= 998));
            proptest::prop_assert_eq!(claiming(field.as_bytes(), &service()), 1);
        }
    }
}
