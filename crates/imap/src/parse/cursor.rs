//! The terminals of the grammar (RFC 9051 §9).

use std::borrow::Cow;

use super::{PATTERN_OCTETS_MAX, Parsed, Problem, bounded};
use crate::command::Tag;
use crate::date::{Date, DateTime, month};
use crate::flag::{Flags, KEYWORDS_MAX, Keyword, SystemFlags, is_atom_octet};
use crate::mailbox::{MailboxName, MailboxNameError};
use crate::sequence::{Bound, Numbers, RANGES_MAX, SequenceSet};

/// How octets above 127 are spelled by this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// IMAP4rev1: none in quoted strings; mailbox names in modified UTF-7 (RFC 3501 §5.1.3).
    Ascii,
    /// IMAP4rev2 enabled: UTF-8 everywhere (RFC 9051 §4.3, §5.1).
    Utf8,
}

/// How a literal was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralMode {
    /// `{n}`: the client waits for a continuation request.
    Synchronizing,
    /// `{n+}` (RFC 7888): it does not.
    NonSynchronizing,
}

/// What is left of a command.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    spelling: Spelling,
    /// How strings of SEARCH are encoded, when CHARSET was given.
    pub(super) charset: Option<&'static encoding_rs::Encoding>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(octets: &'a [u8], spelling: Spelling) -> Cursor<'a> {
        Cursor { rest: octets, spelling, charset: None }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(octets)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let count = self.rest.iter().position(|octet| !wanted(*octet)).unwrap_or(self.rest.len());
        self.take(count).unwrap_or_default()
    }

    /// Takes this octet, if it is next.
    pub(super) fn eat(&mut self, octet: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == octet => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes this word in any case, if it is next and does not go on.
    pub(super) fn eat_word(&mut self, word: &[u8]) -> bool {
        let found = self.eat_prefix_checked(word, |next| !is_atom_octet(next));
        found.is_some()
    }

    /// Takes these octets in any case, if they are next.
    pub(super) fn eat_prefix(&mut self, prefix: &[u8]) -> bool {
        self.eat_prefix_checked(prefix, |_| true).is_some()
    }

    fn eat_prefix_checked(&mut self, prefix: &[u8], after: impl Fn(u8) -> bool) -> Option<()> {
        let (found, rest) = self.rest.split_at_checked(prefix.len())?;
        let fits = found.eq_ignore_ascii_case(prefix) && rest.first().is_none_or(|next| after(*next));
        fits.then(|| self.rest = rest)
    }

    pub(super) fn expect(&mut self, octet: u8, what: &'static str) -> Parsed<()> {
        match self.eat(octet) {
            true => Ok(()),
            false => Err(Problem::Expected(what)),
        }
    }

    pub(super) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "a space")
    }

    pub(super) fn end(&self) -> Parsed<()> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(Problem::Expected("the end of the command")),
        }
    }

    pub(crate) fn tag(&mut self) -> Parsed<Tag> {
        let text = self.take_while(|octet| is_atom_octet(octet) || octet == b']');
        std::str::from_utf8(text).ok().and_then(Tag::new).ok_or(Problem::Expected("a tag"))
    }

    /// A keyword of the grammar: letters, digits, dot and hyphen.
    pub(super) fn word(&mut self) -> Parsed<&'a [u8]> {
        let word = self.take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'));
        match word.is_empty() {
            true => Err(Problem::Expected("a keyword")),
            false => Ok(word),
        }
    }

    pub(super) fn atom(&mut self) -> Parsed<&'a str> {
        let atom = self.take_while(is_atom_octet);
        match std::str::from_utf8(atom) {
            Ok(atom) if !atom.is_empty() => Ok(atom),
            _ => Err(Problem::Expected("an atom")),
        }
    }

    /// `number64`: 63 bits (RFC 9051 §9).
    pub(super) fn number(&mut self) -> Parsed<u64> {
        let digits = self.take_while(|octet| octet.is_ascii_digit());
        let value = digits.iter().try_fold(0u64, |value, digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|value| i64::try_from(*value).is_ok())
        });
        match value {
            Some(value) if !digits.is_empty() => Ok(value),
            _ => Err(Problem::Expected("a number")),
        }
    }

    pub(super) fn number32(&mut self) -> Parsed<u32> {
        u32::try_from(self.number()?).map_err(|_| Problem::Expected("a number of 32 bits"))
    }

    pub(super) fn positive32(&mut self) -> Parsed<u32> {
        match self.number32()? {
            0 => Err(Problem::Expected("a number above zero")),
            number => Ok(number),
        }
    }

    /// `quoted`: escapes only what must be escaped; octets above 127 only as UTF-8, and only where it is spoken.
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"', "a string")?;
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            let plain = self.take_while(|octet| !matches!(octet, b'"' | b'\\' | b'\r' | b'\n' | 0));
            if !plain.is_ascii() && (self.spelling == Spelling::Ascii || std::str::from_utf8(plain).is_err()) {
                return Err(Problem::Expected("ASCII in a quoted string"));
            }
            let escaped = match (self.take(1), self.peek()) {
                (Some(b"\""), _) => {
                    return Ok(match unescaped {
                        None => Cow::Borrowed(plain),
                        Some(mut text) => {
                            text.extend_from_slice(plain);
                            Cow::Owned(text)
                        }
                    });
                }
                (Some(b"\\"), Some(next @ (b'"' | b'\\'))) => next,
                _ => return Err(Problem::Expected("the end of the quoted string")),
            };
            self.eat(escaped);
            let text = unescaped.get_or_insert_default();
            text.extend_from_slice(plain);
            text.push(escaped);
        }
    }

    /// The octets of a literal that is in place.
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let (octets, _) = self.literal_announcement()?;
        if !self.eat_prefix(b"\r\n") {
            return Err(Problem::Expected("the octets of the literal"));
        }
        let literal = usize::try_from(octets).ok().and_then(|octets| self.take(octets));
        match literal {
            Some(literal) if !literal.contains(&0) => Ok(literal),
            Some(_) => Err(Problem::Expected("no NUL in a literal")),
            None => Err(Problem::Expected("the octets of the literal")),
        }
    }

    /// `{n}` or `{n+}`.
    pub(crate) fn literal_announcement(&mut self) -> Parsed<(u64, LiteralMode)> {
        self.expect(b'{', "a literal")?;
        let octets = self.number()?;
        let mode = if self.eat(b'+') { LiteralMode::NonSynchronizing } else { LiteralMode::Synchronizing };
        self.expect(b'}', "the end of the literal's size")?;
        Ok((octets, mode))
    }

    fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => self.quoted(),
        }
    }

    pub(super) fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.string_or(|octet| is_atom_octet(octet) || octet == b']')
    }

    fn string_or(&mut self, bare: impl Fn(u8) -> bool) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            Some(octet) if bare(octet) => Ok(Cow::Borrowed(self.take_while(bare))),
            _ => Err(Problem::Expected("a string")),
        }
    }

    /// An `astring` that is UTF-8.
    pub(super) fn text(&mut self) -> Parsed<String> {
        utf8(self.astring()?)
    }

    /// A `string` that is UTF-8.
    pub(super) fn string_text(&mut self) -> Parsed<String> {
        utf8(self.string()?)
    }

    /// The user name of LOGIN. An unquoted `*` in it is taken: delegates sign in as `person*box`, and clients that do not
    /// quote it are in use (a departure from `astring`, RFC 9051 §9).
    pub(super) fn login_user(&mut self) -> Parsed<String> {
        utf8(self.string_or(|octet| is_atom_octet(octet) || matches!(octet, b']' | b'*'))?)
    }

    /// An `astring` of SEARCH, in its CHARSET.
    pub(super) fn search_text(&mut self) -> Parsed<String> {
        let text = self.astring()?;
        match self.charset {
            None => utf8(text),
            Some(charset) => match charset.decode_without_bom_handling_and_without_replacement(&text) {
                Some(text) => Ok(text.into_owned()),
                None => Err(Problem::Expected("text in the charset given")),
            },
        }
    }

    /// A space and a mailbox name.
    pub(super) fn argument_mailbox(&mut self) -> Parsed<MailboxName> {
        self.space()?;
        self.mailbox()
    }

    pub(super) fn mailbox(&mut self) -> Parsed<MailboxName> {
        let spelled = self.astring()?;
        Ok(MailboxName::new(&self.decoded(&spelled)?)?)
    }

    /// The reference of LIST: a mailbox name or the beginning of one.
    pub(super) fn reference(&mut self) -> Parsed<String> {
        let spelled = self.astring()?;
        bounded(spelled.len(), PATTERN_OCTETS_MAX, "octets in the reference")?;
        Ok(self.decoded(&spelled)?)
    }

    /// `list-mailbox`.
    pub(super) fn pattern(&mut self) -> Parsed<String> {
        let spelled = self.string_or(|octet| is_atom_octet(octet) || matches!(octet, b']' | b'*' | b'%'))?;
        bounded(spelled.len(), PATTERN_OCTETS_MAX, "octets in the pattern")?;
        Ok(self.decoded(&spelled)?)
    }

    fn decoded(&self, spelled: &[u8]) -> Result<String, MailboxNameError> {
        let text = std::str::from_utf8(spelled).map_err(|_| MailboxNameError::Encoding)?;
        match self.spelling {
            Spelling::Utf8 => Ok(text.to_owned()),
            Spelling::Ascii => crate::utf7::decode(text),
        }
    }

    pub(super) fn numbers(&mut self) -> Parsed<Numbers> {
        match self.eat(b'$') {
            true => Ok(Numbers::Saved),
            false => self.sequence_set().map(Numbers::Set),
        }
    }

    pub(super) fn sequence_set(&mut self) -> Parsed<SequenceSet> {
        let mut ranges = Vec::new();
        loop {
            bounded(ranges.len(), RANGES_MAX, "ranges in the set")?;
            let first = self.bound()?;
            let last = if self.eat(b':') { self.bound()? } else { first };
            ranges.push((first, last));
            if !self.eat(b',') {
                return SequenceSet::new(ranges).ok_or(Problem::Expected("a sequence set"));
            }
        }
    }

    fn bound(&mut self) -> Parsed<Bound> {
        match self.eat(b'*') {
            true => Ok(Bound::Last),
            false => self.positive32().map(Bound::Number),
        }
    }

    /// `(flag flag)`, possibly empty.
    pub(super) fn flag_list(&mut self) -> Parsed<Flags> {
        self.expect(b'(', "a list of flags")?;
        match self.eat(b')') {
            true => Ok(Flags::default()),
            false => {
                let flags = self.bare_flags()?;
                self.expect(b')', "the end of the flags")?;
                Ok(flags)
            }
        }
    }

    /// One flag or more, without parentheses.
    pub(super) fn bare_flags(&mut self) -> Parsed<Flags> {
        let mut flags = Flags::default();
        loop {
            match self.eat(b'\\') {
                true => flags.system = flags.system.union(self.system_flag()?),
                false => {
                    let keyword = Keyword::new(self.atom()?).ok_or(Problem::Expected("a shorter keyword"))?;
                    flags.insert(keyword);
                    bounded(flags.keywords.len(), KEYWORDS_MAX + 1, "keywords")?;
                }
            }
            if !self.eat(b' ') {
                return Ok(flags);
            }
        }
    }

    /// `\Recent` cannot be set (RFC 3501 §2.3.2), others are unknown.
    fn system_flag(&mut self) -> Parsed<SystemFlags> {
        let name = self.atom()?;
        let known =
            SystemFlags::NAMED.iter().find(|(_, known)| known.trim_start_matches('\\').eq_ignore_ascii_case(name));
        known.map(|(flag, _)| *flag).ok_or(Problem::Expected("a system flag that can be set"))
    }

    pub(super) fn keyword(&mut self) -> Parsed<Keyword> {
        Keyword::new(self.atom()?).ok_or(Problem::Expected("a keyword"))
    }

    /// `date`: `1-Feb-1994`, quoted or not.
    pub(super) fn date(&mut self) -> Parsed<Date> {
        let quoted = self.eat(b'"');
        let day = self.digits(1, 2)?;
        let date = self.month_and_year(day)?;
        if quoted {
            self.expect(b'"', "the end of the date")?;
        }
        Ok(date)
    }

    /// `date-time`: `"17-Jul-1996 02:44:25 -0700"`, the day with a space before a lone digit.
    pub(super) fn date_time(&mut self) -> Parsed<DateTime> {
        const EXPECTED: Problem = Problem::Expected("a date and time");
        self.expect(b'"', "a date and time")?;
        let day = if self.eat(b' ') { self.digits(1, 1)? } else { self.digits(2, 2)? };
        let date = self.month_and_year(day)?;
        self.space()?;
        let hour = self.digits(2, 2)?;
        self.expect(b':', "the minutes")?;
        let minute = self.digits(2, 2)?;
        self.expect(b':', "the seconds")?;
        let second = self.digits(2, 2)?;
        self.space()?;
        let west = match (self.eat(b'+'), self.eat(b'-')) {
            (true, false) => false,
            (false, true) => true,
            _ => return Err(EXPECTED),
        };
        let zone = self.digits(4, 4)?;
        self.expect(b'"', "the end of the date and time")?;
        let (hours, minutes) = (zone / 100, zone % 100);
        let small = |number: u16| u8::try_from(number).map_err(|_| EXPECTED);
        let offset = i16::try_from(hours * 60 + minutes).map_err(|_| EXPECTED)?;
        let time = (small(hour)?, small(minute)?, small(second)?);
        let offset = if west { -offset } else { offset };
        DateTime::new(date, time, offset).filter(|_| minutes < 60).ok_or(EXPECTED)
    }

    fn month_and_year(&mut self, day: u16) -> Parsed<Date> {
        const EXPECTED: Problem = Problem::Expected("a date");
        self.expect(b'-', "a month")?;
        let month = self.take(3).and_then(month).ok_or(EXPECTED)?;
        self.expect(b'-', "a year")?;
        let year = self.digits(4, 4)?;
        u8::try_from(day).ok().and_then(|day| Date::new(year, month, day)).ok_or(EXPECTED)
    }

    fn digits(&mut self, least: usize, most: usize) -> Parsed<u16> {
        let digits = self.take_while(|octet| octet.is_ascii_digit());
        match (least..=most).contains(&digits.len()) {
            true => Ok(digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'))),
            false => Err(Problem::Expected("digits of a date")),
        }
    }
}

fn utf8(text: Cow<'_, [u8]>) -> Parsed<String> {
    String::from_utf8(text.into_owned()).map_err(|_| Problem::Expected("UTF-8"))
}
