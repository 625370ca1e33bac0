//! Search criteria made ready for one mailbox, and their evaluation in steps: what is cheap to know first.
//!
//! Evaluation is three-valued. A message is looked at with the facts at hand; only while its answer is `None` are more
//! facts read: its header texts, and last its octets. So a search on flags and dates never opens a blob.

use imap::command::SearchKey;
use imap::date::Date;
use imap::sequence::{Numbers, Ranges};
use mail::header::DateTime;
use mail::mime::HeaderText;
use store::{FlagBits, Keywords, MessageId, ThreadId, UnixMillis};

use super::folding::Needle;

/// What is known of one message so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Sequence number in the session's view.
    pub sequence: u32,
    /// UID.
    pub uid: u32,
    /// Flags, in the mailbox's bits.
    pub flags: FlagBits,
    /// This session was the first to be told of it (RFC 3501 §2.3.2).
    pub recent: bool,
    /// MODSEQ.
    pub mod_sequence: u64,
    /// INTERNALDATE.
    pub received: UnixMillis,
    /// When it came into this mailbox (RFC 8514).
    pub saved: UnixMillis,
    /// RFC822.SIZE.
    pub octets: u64,
    /// The EMAILID, printed when compared.
    pub email: Option<MessageId>,
    /// The THREADID.
    pub thread: Option<ThreadId>,
    /// Its header fields, trace prefix first.
    pub headers: Option<&'a [HeaderText]>,
    /// For each of [`Criteria::body_needles`], whether the body holds it.
    pub found_in_body: Option<&'a [bool]>,
}

/// How far reading must go for the dearest criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// UIDs, flags, mod-sequences, dates and sizes.
    Entry,
    /// Header fields, and the thread, from the message's row.
    Headers,
    /// The message's octets.
    Body,
}

/// A search program made ready: sets resolved, dates turned into moments, texts folded.
#[derive(Debug)]
pub struct Criteria {
    root: Criterion,
    body_needles: Vec<Needle>,
}

/// What the mailbox and the session know when a search begins.
pub struct Surroundings<'a> {
    /// The mailbox's keywords.
    pub keywords: &'a Keywords,
    /// The highest sequence number: `*` of sequence sets.
    pub exists: u32,
    /// The highest UID: `*` of UID sets.
    pub uid_last: u32,
    /// UIDs of the saved result, `$`.
    pub saved: &'a Ranges,
    /// Now, for OLDER and YOUNGER.
    pub now: UnixMillis,
}

#[derive(Debug)]
enum Criterion {
    Constant(bool),
    All(Vec<Criterion>),
    Either(Box<Criterion>, Box<Criterion>),
    Not(Box<Criterion>),
    Flags(FlagBits),
    Recent,
    Sequence(Ranges),
    Uid(Ranges),
    ModSeq(u64),
    /// INTERNALDATE within `[from, until)`.
    Received {
        from: i64,
        until: i64,
    },
    Saved {
        from: i64,
        until: i64,
    },
    Larger(u64),
    Smaller(u64),
    EmailId(String),
    ThreadId(String),
    /// The day of the Date field, as written there, within `[from, until)` days since 1970.
    Sent {
        from: i64,
        until: i64,
    },
    Header {
        name: String,
        needle: Needle,
    },
    Body(usize),
    Text {
        needle: Needle,
        body: usize,
    },
}

impl Criteria {
    /// Makes a program ready.
    pub fn new(key: &SearchKey, around: &Surroundings<'_>) -> Criteria {
        let mut body_needles = Vec::new();
        let root = prepare(key, around, &mut body_needles);
        Criteria { root, body_needles }
    }

    /// How far reading must go at most.
    pub fn depth(&self) -> Depth {
        self.root.depth()
    }

    /// The texts to look for in bodies, in the order of [`Facts::found_in_body`].
    pub fn body_needles(&self) -> &[Needle] {
        &self.body_needles
    }

    /// How many texts are compared, in headers and bodies.
    pub fn texts(&self) -> usize {
        self.root.texts()
    }

    /// `None` while the facts do not decide.
    pub fn matches(&self, facts: &Facts<'_>) -> Option<bool> {
        self.root.matches(facts)
    }

    /// False where a set at the top level of the program leaves the message out, before anything of it is read.
    pub fn may_match(&self, sequence: u32, uid: u32) -> bool {
        let within = |criterion: &Criterion| match criterion {
            Criterion::Uid(ranges) => ranges.contains(uid),
            Criterion::Sequence(ranges) => ranges.contains(sequence),
            _ => true,
        };
        match &self.root {
            Criterion::All(parts) => parts.iter().all(within),
            root => within(root),
        }
    }
}

fn prepare(key: &SearchKey, around: &Surroundings<'_>, body: &mut Vec<Needle>) -> Criterion {
    let mut in_body = |text: &str| {
        body.push(Needle::new(text));
        body.len() - 1
    };
    let header =
        |name: &str, text: &str| Criterion::Header { name: name.to_ascii_lowercase(), needle: Needle::new(text) };
    let not = |criterion| Criterion::Not(Box::new(criterion));
    match key {
        SearchKey::All | SearchKey::SaveDateSupported => Criterion::Constant(true),
        SearchKey::And(keys) => Criterion::All(keys.iter().map(|key| prepare(key, around, body)).collect()),
        SearchKey::Or(first, second) => {
            let first = prepare(first, around, body);
            Criterion::Either(Box::new(first), Box::new(prepare(second, around, body)))
        }
        SearchKey::Not(key) => not(prepare(key, around, body)),
        SearchKey::Has(flags) => Criterion::Flags(crate::access::flags::bits(*flags)),
        SearchKey::Lacks(flags) => not(Criterion::Flags(crate::access::flags::bits(*flags))),
        SearchKey::Recent => Criterion::Recent,
        SearchKey::Old => not(Criterion::Recent),
        SearchKey::New => Criterion::All(vec![Criterion::Recent, not(Criterion::Flags(FlagBits::SEEN))]),
        SearchKey::Keyword(keyword) => keyword_criterion(keyword.as_str(), around),
        SearchKey::Unkeyword(keyword) => not(keyword_criterion(keyword.as_str(), around)),
        SearchKey::Before(date) => Criterion::Received { from: i64::MIN, until: millis(*date) },
        SearchKey::On(date) => Criterion::Received { from: millis(*date), until: millis(*date) + DAY },
        SearchKey::Since(date) => Criterion::Received { from: millis(*date), until: i64::MAX },
        SearchKey::SentBefore(date) => Criterion::Sent { from: i64::MIN, until: date.days() },
        SearchKey::SentOn(date) => Criterion::Sent { from: date.days(), until: date.days() + 1 },
        SearchKey::SentSince(date) => Criterion::Sent { from: date.days(), until: i64::MAX },
        SearchKey::SavedBefore(date) => Criterion::Saved { from: i64::MIN, until: millis(*date) },
        SearchKey::SavedOn(date) => Criterion::Saved { from: millis(*date), until: millis(*date) + DAY },
        SearchKey::SavedSince(date) => Criterion::Saved { from: millis(*date), until: i64::MAX },
        // "Greater than or equal" and "less than or equal" (RFC 5032 §3).
        SearchKey::Older(seconds) => Criterion::Received { from: i64::MIN, until: ago(around, *seconds) + 1 },
        SearchKey::Younger(seconds) => Criterion::Received { from: ago(around, *seconds), until: i64::MAX },
        SearchKey::Larger(octets) => Criterion::Larger(*octets),
        SearchKey::Smaller(octets) => Criterion::Smaller(*octets),
        SearchKey::From(text) => header("from", text),
        SearchKey::To(text) => header("to", text),
        SearchKey::Cc(text) => header("cc", text),
        SearchKey::Bcc(text) => header("bcc", text),
        SearchKey::Subject(text) => header("subject", text),
        SearchKey::Header(name, text) => header(name, text),
        SearchKey::Body(text) if text.is_empty() => Criterion::Constant(true),
        SearchKey::Text(text) if text.is_empty() => Criterion::Constant(true),
        SearchKey::Body(text) => Criterion::Body(in_body(text)),
        SearchKey::Text(text) => Criterion::Text { needle: Needle::new(text), body: in_body(text) },
        SearchKey::Sequence(Numbers::Set(set)) => Criterion::Sequence(set.resolve(around.exists)),
        SearchKey::Uid(Numbers::Set(set)) => Criterion::Uid(set.resolve(around.uid_last)),
        SearchKey::Sequence(Numbers::Saved) | SearchKey::Uid(Numbers::Saved) => Criterion::Uid(around.saved.clone()),
        SearchKey::ModSeq(_, least) => Criterion::ModSeq(*least),
        SearchKey::EmailId(id) => Criterion::EmailId(id.clone()),
        SearchKey::ThreadId(id) => Criterion::ThreadId(id.clone()),
    }
}

/// A keyword the mailbox never saw is on no message.
fn keyword_criterion(keyword: &str, around: &Surroundings<'_>) -> Criterion {
    around.keywords.bit(keyword).map_or(Criterion::Constant(false), Criterion::Flags)
}

const DAY: i64 = 86_400_000;

/// INTERNALDATE is shown in UTC, so its day is the UTC day.
fn millis(date: Date) -> i64 {
    date.unix_seconds() * 1_000
}

fn ago(around: &Surroundings<'_>, seconds: u32) -> i64 {
    around.now.0 - i64::from(seconds) * 1_000
}

impl Criterion {
    fn texts(&self) -> usize {
        match self {
            Criterion::Header { .. } | Criterion::Body(_) => 1,
            Criterion::Text { .. } => 2,
            Criterion::All(parts) => parts.iter().map(Criterion::texts).sum(),
            Criterion::Either(first, second) => first.texts() + second.texts(),
            Criterion::Not(inner) => inner.texts(),
            _ => 0,
        }
    }

    fn depth(&self) -> Depth {
        match self {
            Criterion::Constant(_) | Criterion::Flags(_) | Criterion::Recent => Depth::Entry,
            Criterion::Sequence(_) | Criterion::Uid(_) | Criterion::ModSeq(_) => Depth::Entry,
            Criterion::Received { .. } | Criterion::Saved { .. } => Depth::Entry,
            Criterion::Larger(_) | Criterion::Smaller(_) | Criterion::EmailId(_) => Depth::Entry,
            Criterion::ThreadId(_) | Criterion::Sent { .. } | Criterion::Header { .. } => Depth::Headers,
            Criterion::Body(_) | Criterion::Text { .. } => Depth::Body,
            Criterion::All(parts) => parts.iter().map(Criterion::depth).max().unwrap_or(Depth::Entry),
            Criterion::Either(first, second) => first.depth().max(second.depth()),
            Criterion::Not(inner) => inner.depth(),
        }
    }

    fn matches(&self, facts: &Facts<'_>) -> Option<bool> {
        match self {
            Criterion::Constant(answer) => Some(*answer),
            Criterion::All(parts) => all(parts, facts),
            Criterion::Either(first, second) => match (first.matches(facts), second.matches(facts)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Criterion::Not(inner) => inner.matches(facts).map(|answer| !answer),
            Criterion::Flags(bits) => Some(facts.flags.0 & bits.0 == bits.0),
            Criterion::Recent => Some(facts.recent),
            Criterion::Sequence(ranges) => Some(ranges.contains(facts.sequence)),
            Criterion::Uid(ranges) => Some(ranges.contains(facts.uid)),
            Criterion::ModSeq(least) => Some(facts.mod_sequence >= *least),
            Criterion::Received { from, until } => Some((*from..*until).contains(&facts.received.0)),
            Criterion::Saved { from, until } => Some((*from..*until).contains(&facts.saved.0)),
            Criterion::Larger(octets) => Some(facts.octets > *octets),
            Criterion::Smaller(octets) => Some(facts.octets < *octets),
            Criterion::EmailId(id) => facts.email.map(|email| email.to_string() == *id),
            Criterion::ThreadId(id) => facts.thread.map(|thread| thread.to_string() == *id),
            Criterion::Sent { from, until } => {
                facts.headers.map(|headers| sent_day(headers).is_some_and(|day| (*from..*until).contains(&day)))
            }
            Criterion::Header { name, needle } => facts
                .headers
                .map(|headers| headers.iter().any(|header| header.name == *name && needle.is_in(&header.text))),
            Criterion::Body(at) => facts.found_in_body.map(|found| found.get(*at).copied().unwrap_or_default()),
            Criterion::Text { needle, body } => match facts.headers.map(|headers| in_any(headers, needle)) {
                Some(true) => Some(true),
                _ => facts.found_in_body.map(|found| found.get(*body).copied().unwrap_or_default()),
            },
        }
    }
}

/// One `false` decides, whatever is unknown.
fn all(parts: &[Criterion], facts: &Facts<'_>) -> Option<bool> {
    let mut answer = Some(true);
    for part in parts {
        match part.matches(facts) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => answer = None,
        }
    }
    answer
}

/// A whole field, name included, may hold the text of `TEXT`.
fn in_any(headers: &[HeaderText], needle: &Needle) -> bool {
    headers.iter().any(|header| needle.is_in(&format!("{}: {}", header.name, header.text)))
}

/// The day in the Date field, disregarding time and zone (RFC 9051 §6.4.4).
fn sent_day(headers: &[HeaderText]) -> Option<i64> {
    let date = headers.iter().find(|header| header.name == "date")?;
    let (year, month, day) = DateTime::parse(&date.text)?.local_date();
    Date::new(u16::try_from(year).ok()?, month, day).map(Date::days)
}

#[cfg(test)]
mod tests {
    use imap::flag::{Keyword, SystemFlags};

    use super::*;

    fn around<'a>(keywords: &'a Keywords, saved: &'a Ranges) -> Surroundings<'a> {
        Surroundings { keywords, exists: 10, uid_last: 20, saved, now: UnixMillis(1_000_000_000_000) }
    }

    fn header(name: &str, text: &str) -> HeaderText {
        HeaderText { name: name.into(), text: text.into() }
    }

    #[test]
    fn flags_and_dates_decide_without_a_blob() {
        let (keywords, saved) = (Keywords::default(), Ranges::default());
        let day = Date::new(2020, 2, 3).unwrap();
        let seen = SearchKey::Has(SystemFlags::SEEN);
        for (key, depth) in [
            (seen.clone(), Depth::Entry),
            (SearchKey::Not(Box::new(seen.clone())), Depth::Entry),
            (SearchKey::And(vec![seen.clone(), SearchKey::Since(day)]), Depth::Entry),
            (SearchKey::Or(Box::new(seen.clone()), Box::new(SearchKey::Subject("x".into()))), Depth::Headers),
            (SearchKey::And(vec![seen, SearchKey::Text("x".into())]), Depth::Body),
            (SearchKey::Text(String::new()), Depth::Entry),
        ] {
            assert_eq!(Criteria::new(&key, &around(&keywords, &saved)).depth(), depth, "{key:?}");
        }
    }

    #[test]
    fn what_is_known_decides_as_early_as_it_can() {
        let (keywords, saved) = (Keywords::default(), Ranges::default());
        let text = || SearchKey::Text("x".into());
        let seen = || SearchKey::Has(SystemFlags::SEEN);
        let unseen = Facts { sequence: 1, uid: 1, ..Facts::default() };
        let read = Facts { flags: FlagBits::SEEN, ..unseen };
        for (key, facts, expected) in [
            (SearchKey::And(vec![text(), seen()]), unseen, Some(false)),
            (SearchKey::And(vec![text(), seen()]), read, None),
            (SearchKey::Or(Box::new(text()), Box::new(seen())), read, Some(true)),
            (SearchKey::Or(Box::new(text()), Box::new(seen())), unseen, None),
            (SearchKey::Not(Box::new(text())), read, None),
            (SearchKey::Keyword(Keyword::new("$Never").unwrap()), read, Some(false)),
            (SearchKey::Unkeyword(Keyword::new("$Never").unwrap()), read, Some(true)),
        ] {
            assert_eq!(Criteria::new(&key, &around(&keywords, &saved)).matches(&facts), expected, "{key:?}");
        }
    }

    #[test]
    fn headers_are_compared_by_name_and_folded_text() {
        let (keywords, saved) = (Keywords::default(), Ranges::default());
        let headers = [
            header("date", "Mon, 3 Feb 2020 23:30:00 -0500"),
            header("subject", "Réunion d'équipe"),
            header("x-empty", ""),
        ];
        let facts = Facts { headers: Some(&headers), ..Facts::default() };
        let day = |day| Date::new(2020, 2, day).unwrap();
        for (key, expected) in [
            (SearchKey::Subject("REUNION".into()), Some(true)),
            (SearchKey::From("reunion".into()), Some(false)),
            (SearchKey::Header("X-Empty".into(), String::new()), Some(true)),
            (SearchKey::Header("X-None".into(), String::new()), Some(false)),
            (SearchKey::SentOn(day(3)), Some(true)),
            (SearchKey::SentOn(day(4)), Some(false)),
            (SearchKey::SentBefore(day(3)), Some(false)),
            (SearchKey::SentSince(day(3)), Some(true)),
            (SearchKey::Text("subject: reunion".into()), Some(true)),
            (SearchKey::Text("elsewhere".into()), None),
        ] {
            assert_eq!(Criteria::new(&key, &around(&keywords, &saved)).matches(&facts), expected, "{key:?}");
        }
    }
}
