//! Address lists (RFC 5322 §3.4 with the obsolete forms of §4.4), read tolerantly.

use std::ops::Range;

use crate::Address;

/// An element of an address list, in the order and shape IMAP's ENVELOPE prints (RFC 9051 §7.5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressListItem {
    /// A mailbox.
    Mailbox(NamedAddress),
    /// A group begins: its display name.
    GroupStart(String),
    /// The group ends.
    GroupEnd,
}

/// A mailbox as a header names it; it may not be a valid [`Address`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedAddress {
    /// Display name, unquoted, or the comment after a bare address; encoded-words stay as they are.
    pub name: Option<String>,
    /// Obsolete source route (RFC 5322 §4.4), as written.
    pub route: Option<String>,
    /// Unquoted.
    pub local_part: String,
    /// Empty when the header gave none.
    pub domain: String,
}

impl NamedAddress {
    /// The address, when it is a valid one.
    pub fn address(&self) -> Option<Address> {
        let local_part = crate::LocalPart::from_text(&self.local_part).ok()?;
        Some(Address::new(local_part, self.domain.parse().ok()?))
    }

    /// The display name with its encoded-words decoded.
    pub fn decoded_name(&self) -> Option<String> {
        self.name.as_deref().map(super::decode_words)
    }
}

/// Reads an unfolded address list; at most `max` items are made, what follows is left out.
///
/// Nothing is refused: a text without `@` becomes a local part without domain, as old UNIX mail wrote `root`.
pub fn parse_addresses(value: &str, max: usize) -> Vec<AddressListItem> {
    let mut list = List { items: Vec::new(), in_group: false, current: Current::default() };
    let mut scan = Scan { text: value, at: 0 };
    while list.items.len() < max {
        let Some((run, special)) = scan.run() else { break };
        list.current.push(run);
        match special {
            Some('"') => {
                let quoted = scan.quoted();
                list.current.push_quoted(&quoted);
            }
            Some('(') => list.current.comment = Some(scan.comment()),
            Some('[') => list.current.push_literal(scan.domain_literal()),
            Some('<') => {
                if list.current.angle.is_some() {
                    list.end_item();
                }
                list.current.angle = Some(scan.angle());
            }
            Some(':') if !list.in_group && list.current.can_name_a_group() => list.begin_group(),
            Some(':') => list.current.push(":"),
            Some(';') => list.end_group(),
            Some(',') => list.end_item(),
            _ => {}
        }
    }
    if list.items.len() < max {
        list.end_item();
    }
    if list.in_group {
        list.items.push(AddressListItem::GroupEnd);
    }
    list.items
}

/// The items so far, and the one being read.
struct List {
    items: Vec<AddressListItem>,
    in_group: bool,
    current: Current,
}

impl List {
    fn begin_group(&mut self) {
        let name = std::mem::take(&mut self.current).phrase();
        self.items.push(AddressListItem::GroupStart(name));
        self.in_group = true;
    }

    fn end_item(&mut self) {
        if let Some(address) = std::mem::take(&mut self.current).into_address() {
            self.items.push(AddressListItem::Mailbox(address));
        }
    }

    fn end_group(&mut self) {
        self.end_item();
        if std::mem::take(&mut self.in_group) {
            self.items.push(AddressListItem::GroupEnd);
        }
    }
}

/// What stands between two commas: words, of which an `@` may make an address, and perhaps `<…>`.
#[derive(Default)]
struct Current {
    text: String,
    /// Where in `text` the first quoted-string begins and the last one ends: white space in there is meant.
    quoted: Option<Range<usize>>,
    /// Where in `text` the last `@` outside quotes stands.
    at_sign: Option<usize>,
    comment: Option<String>,
    angle: Option<Angle>,
}

/// The inside of `<…>`.
#[derive(Default)]
struct Angle {
    route: Option<String>,
    local_part: String,
    domain: String,
}

impl Current {
    fn push(&mut self, run: &str) {
        if let Some(at_sign) = run.rfind('@') {
            self.at_sign = Some(self.text.len() + at_sign);
        }
        self.text.push_str(run);
    }

    fn push_quoted(&mut self, quoted: &str) {
        let start = self.quoted.as_ref().map_or(self.text.len(), |before| before.start);
        self.text.push_str(quoted);
        self.quoted = Some(start..self.text.len());
    }

    fn push_literal(&mut self, literal: &str) {
        self.text.push_str(literal);
    }

    fn can_name_a_group(&self) -> bool {
        self.angle.is_none() && self.at_sign.is_none() && !self.text.trim().is_empty()
    }

    /// The words, single-spaced.
    fn phrase(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn into_address(self) -> Option<NamedAddress> {
        let phrase = Some(self.phrase()).filter(|phrase| !phrase.is_empty());
        if let Some(Angle { route, local_part, domain }) = self.angle {
            return Some(NamedAddress { name: phrase.or(self.comment), route, local_part, domain });
        }
        let (local_part, domain) = match self.at_sign.and_then(|at_sign| self.text.split_at_checked(at_sign)) {
            Some((local_part, domain)) => (local_part, domain.get(1..).unwrap_or_default()),
            None => (self.text.as_str(), ""),
        };
        let domain = domain.split_ascii_whitespace().collect();
        let local_part = self.without_blank_ends(local_part).to_owned();
        let address = NamedAddress { name: self.comment, route: None, local_part, domain };
        Some(address).filter(|address| !address.local_part.is_empty() || !address.domain.is_empty())
    }
}

impl Current {
    /// White space at the ends goes, but neither what was quoted nor what only Unicode calls so (RFC 6531 §3.3).
    fn without_blank_ends<'a>(&self, local_part: &'a str) -> &'a str {
        let octets = local_part.len();
        let blank_start = octets - local_part.trim_ascii_start().len();
        let blank_end = octets - local_part.trim_ascii_end().len();
        let (start, end) = self.quoted.as_ref().map_or((octets, 0), |quoted| (quoted.start, quoted.end.min(octets)));
        local_part.get(blank_start.min(start)..(octets - blank_end).max(end)).unwrap_or_default()
    }
}

/// A place in the value; every method moves forward only.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Text up to the next special, and the special; `None` at the end.
    fn run(&mut self) -> Option<(&'a str, Option<char>)> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        match rest.find(['"', '(', '[', '<', ':', ';', ',']) {
            Some(end) => {
                self.at += end + 1;
                Some((rest.get(..end)?, rest.get(end..)?.chars().next()))
            }
            None => {
                self.at = self.text.len();
                Some((rest, None))
            }
        }
    }

    /// The rest of a quoted-string, backslashes resolved (RFC 5322 §3.2.4).
    fn quoted(&mut self) -> String {
        self.escaped(|character, _| character == '"')
    }

    /// The rest of a comment; those inside it keep their parentheses (RFC 5322 §3.2.2).
    fn comment(&mut self) -> String {
        self.escaped(|character, depth| match character {
            '(' => {
                *depth += 1;
                false
            }
            ')' if *depth == 0 => true,
            ')' => {
                *depth -= 1;
                false
            }
            _ => false,
        })
    }

    fn escaped(&mut self, ends: impl Fn(char, &mut u32) -> bool) -> String {
        let mut inside = String::new();
        let mut depth = 0;
        let mut characters = self.rest().char_indices();
        while let Some((_, character)) = characters.next() {
            if character == '\\' {
                inside.extend(characters.next().map(|(_, escaped)| escaped));
            } else if ends(character, &mut depth) {
                self.at = self.text.len() - characters.as_str().len();
                return inside;
            } else {
                inside.push(character);
            }
        }
        self.at = self.text.len();
        inside
    }

    /// The rest of a domain-literal, brackets included.
    fn domain_literal(&mut self) -> &'a str {
        let start = self.at - 1;
        self.at += self.rest().find(']').map_or(self.rest().len(), |end| end + 1);
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The rest of an angle-addr: an obsolete route, then local part and domain; white space goes, comments too.
    fn angle(&mut self) -> Angle {
        let mut angle = Angle::default();
        let mut text = String::new();
        let mut at_sign = None;
        let mut quoted = false;
        loop {
            let rest = self.rest();
            let end = rest.find(['"', '(', '[', '<', '>', '@', ':', ' ', '\t']).unwrap_or(rest.len());
            text.push_str(rest.get(..end).unwrap_or_default());
            let special = rest.get(end..).and_then(|rest| rest.chars().next());
            self.at += end + special.map_or(0, char::len_utf8);
            match special {
                Some('"') => {
                    quoted = true;
                    text.push_str(&self.quoted());
                }
                Some('(') => drop(self.comment()),
                Some('[') => text.push_str(self.domain_literal()),
                Some('@') => {
                    at_sign = Some(text.len());
                    text.push('@');
                }
                Some(':') if text.starts_with('@') && !quoted && angle.route.is_none() => {
                    angle.route = Some(std::mem::take(&mut text));
                    at_sign = None;
                }
                Some(':') => text.push(':'),
                Some('>') | None => break,
                Some(_) => {}
            }
        }
        angle.domain = at_sign.map(|at_sign| text.split_off(at_sign).split_off(1)).unwrap_or_default();
        angle.local_part = text;
        angle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name|route|local|domain` for a mailbox, `{name` and `}` for a group.
    fn shown(value: &str) -> String {
        let items = parse_addresses(value, 100);
        let shown: Vec<String> = items
            .iter()
            .map(|item| match item {
                AddressListItem::Mailbox(NamedAddress { name, route, local_part, domain }) => {
                    let (name, route) = (name.as_deref().unwrap_or("-"), route.as_deref().unwrap_or("-"));
                    format!("{name}|{route}|{local_part}|{domain}")
                }
                AddressListItem::GroupStart(name) => format!("{{{name}"),
                AddressListItem::GroupEnd => "}".into(),
            })
            .collect();
        shown.join(" ")
    }

    #[test]
    fn address_lists_of_every_kind_are_read() {
        for (value, expected) in [
            ("a@b.fr", "-|-|a|b.fr"),
            ("<a@b.fr>", "-|-|a|b.fr"),
            ("Anne  Dupont <a@b.fr>", "Anne Dupont|-|a|b.fr"),
            ("\"Dupont, Anne\" <a@b.fr>, c@d.fr", "Dupont, Anne|-|a|b.fr -|-|c|d.fr"),
            ("\"a \\\"b\\\" c\" <a@b.fr>", "a \"b\" c|-|a|b.fr"),
            ("a@b.fr (Anne (la) Dupont)", "Anne (la) Dupont|-|a|b.fr"),
            ("=?utf-8?q?Ren=C3=A9?= <a@b.fr>", "=?utf-8?q?Ren=C3=A9?=|-|a|b.fr"),
            ("\"x@evil\"@b.fr", "-|-|x@evil|b.fr"),
            ("<\"a b\"@b.fr>", "-|-|a b|b.fr"),
            (" \" a \"@b.fr", "-|-| a |b.fr"),
            (" a . \" \" @b.fr", "-|-|a .  |b.fr"),
            (" \u{a0}a @b.fr", "-|-|\u{a0}a|b.fr"),
            (" @b.fr", "-|-||b.fr"),
            ("<@r1,@r2:a@b.fr>", "-|@r1,@r2|a|b.fr"),
            ("a . b @ c . fr", "-|-|a . b|c.fr"),
            ("<a@[127.0.0.1]>, b@[IPv6:::1]", "-|-|a|[127.0.0.1] -|-|b|[IPv6:::1]"),
            ("undisclosed-recipients:;", "{undisclosed-recipients }"),
            ("Team: a@b.fr, C <c@d.fr>; e@f.fr", "{Team -|-|a|b.fr C|-|c|d.fr } -|-|e|f.fr"),
            ("Team: a@b.fr", "{Team -|-|a|b.fr }"),
            ("root", "-|-|root|"),
            ("MAILER-DAEMON <>", "MAILER-DAEMON|-||"),
            ("<a@b.fr> <c@d.fr>", "-|-|a|b.fr -|-|c|d.fr"),
            ("<<a@b.fr>>", ">|-|a|b.fr"),
            (",, a@b.fr ,,", "-|-|a|b.fr"),
            ("<a@b.fr", "-|-|a|b.fr"),
            ("\"open <a@b.fr>", "-|-|open <a@b.fr>|"),
            ("été@b.fr", "-|-|été|b.fr"),
            ("", ""),
            (";:;", "-|-|:|"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn no_more_items_than_asked() {
        assert_eq!(parse_addresses(&"a@b,".repeat(1_000), 10).len(), 10);
        assert_eq!(parse_addresses(&"g:;".repeat(1_000), 10).len(), 10);
    }

    #[test]
    fn bombs_take_linear_time() {
        for unit in ["a@b,", "<", "\"", "(", "((", "[", ":", "g:", "\\", "<@", "a@b <", "\"\\"] {
            let _ = parse_addresses(&unit.repeat(2_000_000 / unit.len()), 1_000_000);
        }
    }

    #[test]
    fn a_valid_one_becomes_an_address() {
        let first = |value: &str| match parse_addresses(value, 1).pop() {
            Some(AddressListItem::Mailbox(named)) => named.address().map(|address| address.to_string()),
            _ => None,
        };
        assert_eq!(first("\"a b\"@B.fr").as_deref(), Some("\"a b\"@b.fr"));
        assert_eq!(first("root"), None);
        assert_eq!(first("a@b..fr"), None);
    }
}
