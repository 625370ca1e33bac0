//! Arguments of SEARCH (RFC 9051 §6.4.4).

use super::cursor::Cursor;
use super::{DEPTH_MAX, Parsed, Problem, SEARCH_KEYS_MAX, bounded, fetch};
use crate::command::{ModSeqType, SearchCommand, SearchKey, SearchProgram, SearchReturn};
use crate::flag::{Keyword, SystemFlags};
use crate::sequence::Numbering;

/// `SEARCH [RETURN (…)] [CHARSET c] key key …`.
pub(super) fn search(cursor: &mut Cursor<'_>, numbering: Numbering) -> Parsed<SearchCommand> {
    cursor.space()?;
    let mut returns = None;
    if cursor.eat_word(b"RETURN") {
        cursor.space()?;
        returns = Some(result_options(cursor)?);
        cursor.space()?;
    }
    Ok(SearchCommand { numbering, returns, program: program(cursor)? })
}

/// `[CHARSET c] key key …`, which SORT and THREAD will share.
fn program(cursor: &mut Cursor<'_>) -> Parsed<SearchProgram> {
    if cursor.eat_word(b"CHARSET") {
        cursor.space()?;
        cursor.charset = charset(&cursor.text()?)?;
        cursor.space()?;
    }
    let mut keys = Keys { count: 0 };
    Ok(SearchProgram { key: keys.several(cursor, 0)? })
}

/// `None` for UTF-8 and its subset. UTF-16 cannot stand in a command, and the labels of no real charset are refused.
fn charset(label: &str) -> Parsed<Option<&'static encoding_rs::Encoding>> {
    if label.eq_ignore_ascii_case("US-ASCII") {
        return Ok(None);
    }
    let encoding = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).ok_or(Problem::Charset)?;
    match encoding.is_ascii_compatible() {
        true if encoding == encoding_rs::UTF_8 => Ok(None),
        true => Ok(Some(encoding)),
        false => Err(Problem::Charset),
    }
}

fn result_options(cursor: &mut Cursor<'_>) -> Parsed<SearchReturn> {
    let mut returns = SearchReturn::default();
    super::list::words(cursor, |_, word| {
        match word {
            b"MIN" => returns.min = true,
            b"MAX" => returns.max = true,
            b"ALL" => returns.all = true,
            b"COUNT" => returns.count = true,
            b"SAVE" => returns.save = true,
            _ => return Err(Problem::Expected("MIN, MAX, ALL, COUNT or SAVE")),
        }
        Ok(())
    })?;
    // RETURN () is RETURN (ALL) (RFC 9051 §6.4.4).
    match returns == SearchReturn::default() {
        true => Ok(SearchReturn { all: true, ..returns }),
        false => Ok(returns),
    }
}

struct Keys {
    count: usize,
}

impl Keys {
    /// Keys side by side: all of them must hold.
    fn several(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Parsed<SearchKey> {
        let first = self.key(cursor, depth)?;
        if cursor.peek() != Some(b' ') {
            return Ok(first);
        }
        let mut keys = vec![first];
        while cursor.eat(b' ') {
            keys.push(self.key(cursor, depth)?);
        }
        Ok(SearchKey::And(keys))
    }

    fn key(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Parsed<SearchKey> {
        bounded(depth, DEPTH_MAX, "levels of search keys")?;
        bounded(self.count, SEARCH_KEYS_MAX, "search keys")?;
        self.count += 1;
        match cursor.peek() {
            Some(b'(') => {
                cursor.eat(b'(');
                let key = self.several(cursor, depth + 1)?;
                cursor.expect(b')', "the end of the search keys")?;
                Ok(key)
            }
            Some(b'0'..=b'9' | b'*' | b'$') => cursor.numbers().map(SearchKey::Sequence),
            _ => {
                let name = cursor.word()?.to_ascii_uppercase();
                match name.as_slice() {
                    b"NOT" => {
                        cursor.space()?;
                        Ok(SearchKey::Not(Box::new(self.key(cursor, depth + 1)?)))
                    }
                    b"OR" => {
                        cursor.space()?;
                        let first = self.key(cursor, depth + 1)?;
                        cursor.space()?;
                        Ok(SearchKey::Or(Box::new(first), Box::new(self.key(cursor, depth + 1)?)))
                    }
                    name => match plain(name) {
                        Some(key) => Ok(key),
                        None => {
                            cursor.space()?;
                            with_argument(cursor, name)
                        }
                    },
                }
            }
        }
    }
}

fn plain(name: &[u8]) -> Option<SearchKey> {
    Some(match name {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => SearchKey::Has(SystemFlags::ANSWERED),
        b"DELETED" => SearchKey::Has(SystemFlags::DELETED),
        b"DRAFT" => SearchKey::Has(SystemFlags::DRAFT),
        b"FLAGGED" => SearchKey::Has(SystemFlags::FLAGGED),
        b"SEEN" => SearchKey::Has(SystemFlags::SEEN),
        b"UNANSWERED" => SearchKey::Lacks(SystemFlags::ANSWERED),
        b"UNDELETED" => SearchKey::Lacks(SystemFlags::DELETED),
        b"UNDRAFT" => SearchKey::Lacks(SystemFlags::DRAFT),
        b"UNFLAGGED" => SearchKey::Lacks(SystemFlags::FLAGGED),
        b"UNSEEN" => SearchKey::Lacks(SystemFlags::SEEN),
        b"NEW" => SearchKey::New,
        b"OLD" => SearchKey::Old,
        b"RECENT" => SearchKey::Recent,
        b"SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
        _ => return None,
    })
}

fn with_argument(cursor: &mut Cursor<'_>, name: &[u8]) -> Parsed<SearchKey> {
    Ok(match name {
        b"BCC" => SearchKey::Bcc(cursor.search_text()?),
        b"BODY" => SearchKey::Body(cursor.search_text()?),
        b"CC" => SearchKey::Cc(cursor.search_text()?),
        b"FROM" => SearchKey::From(cursor.search_text()?),
        b"SUBJECT" => SearchKey::Subject(cursor.search_text()?),
        b"TEXT" => SearchKey::Text(cursor.search_text()?),
        b"TO" => SearchKey::To(cursor.search_text()?),
        b"HEADER" => {
            let name = fetch::header_name(cursor)?;
            cursor.space()?;
            SearchKey::Header(name, cursor.search_text()?)
        }
        b"KEYWORD" => SearchKey::Keyword(cursor.keyword()?),
        b"UNKEYWORD" => SearchKey::Unkeyword(cursor.keyword()?),
        b"BEFORE" => SearchKey::Before(cursor.date()?),
        b"ON" => SearchKey::On(cursor.date()?),
        b"SINCE" => SearchKey::Since(cursor.date()?),
        b"SENTBEFORE" => SearchKey::SentBefore(cursor.date()?),
        b"SENTON" => SearchKey::SentOn(cursor.date()?),
        b"SENTSINCE" => SearchKey::SentSince(cursor.date()?),
        b"SAVEDBEFORE" => SearchKey::SavedBefore(cursor.date()?),
        b"SAVEDON" => SearchKey::SavedOn(cursor.date()?),
        b"SAVEDSINCE" => SearchKey::SavedSince(cursor.date()?),
        b"OLDER" => SearchKey::Older(cursor.positive32()?),
        b"YOUNGER" => SearchKey::Younger(cursor.positive32()?),
        b"LARGER" => SearchKey::Larger(cursor.number()?),
        b"SMALLER" => SearchKey::Smaller(cursor.number()?),
        b"UID" => SearchKey::Uid(cursor.numbers()?),
        b"MODSEQ" => mod_sequence(cursor)?,
        b"EMAILID" => SearchKey::EmailId(object_id(cursor)?),
        b"THREADID" => SearchKey::ThreadId(object_id(cursor)?),
        _ => return Err(Problem::Expected("a search key")),
    })
}

/// `MODSEQ ["entry" type] n` (RFC 7162 §3.1.5).
fn mod_sequence(cursor: &mut Cursor<'_>) -> Parsed<SearchKey> {
    let mut entry = None;
    if cursor.peek() == Some(b'"') {
        let name = cursor.string_text()?;
        let flag = name.strip_prefix("/flags/").map(|flag| flag.strip_prefix('\\').unwrap_or(flag));
        if flag.and_then(Keyword::new).is_none() {
            return Err(Problem::Expected("/flags/ and a flag"));
        }
        cursor.space()?;
        let kind = match cursor.word()?.to_ascii_uppercase().as_slice() {
            b"PRIV" => ModSeqType::Private,
            b"SHARED" => ModSeqType::Shared,
            b"ALL" => ModSeqType::All,
            _ => return Err(Problem::Expected("priv, shared or all")),
        };
        cursor.space()?;
        entry = Some((name, kind));
    }
    Ok(SearchKey::ModSeq(entry, cursor.number()?))
}

/// `objectid` (RFC 8474 §7).
fn object_id(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let id = cursor.take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-'));
    match (1..=255).contains(&id.len()) {
        true => Ok(String::from_utf8_lossy(id).into_owned()),
        false => Err(Problem::Expected("an object id")),
    }
}
