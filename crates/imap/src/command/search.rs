//! What `SEARCH` may ask (RFC 9051 §6.4.4, RFC 7162 §3.1.5, RFC 5032, RFC 8474 §5.3, RFC 8514 §4.3).

use crate::date::Date;
use crate::flag::{Keyword, SystemFlags};
use crate::sequence::{Numbering, Numbers};

/// `SEARCH` and `UID SEARCH`. SORT and THREAD will be commands of their own around the same [`SearchProgram`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchCommand {
    /// Whether sequence numbers or UIDs are wanted.
    pub numbering: Numbering,
    /// `RETURN (…)`: `None` asks for the old untagged SEARCH; `RETURN ()` is `ALL` (RFC 9051 §6.4.4).
    pub returns: Option<SearchReturn>,
    /// What to look for.
    pub program: SearchProgram,
}

/// The criteria, shared by SEARCH, SORT and THREAD. Texts are UTF-8 whatever CHARSET they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchProgram {
    /// The criteria as one key.
    pub key: SearchKey,
}

/// Result options (RFC 9051 §6.4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchReturn {
    /// `MIN`.
    pub min: bool,
    /// `MAX`.
    pub max: bool,
    /// `ALL`.
    pub all: bool,
    /// `COUNT`.
    pub count: bool,
    /// `SAVE`: keep the result as `$`.
    pub save: bool,
}

/// A text to be found as a substring, without regard to case. The empty one is in every text (RFC 9051 §6.4.4).
pub type StringMatch = String;

/// The name of a header field, as given.
pub type HeaderName = String;

/// One criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// `ALL`.
    All,
    /// All of these: `(…)`, and keys side by side. Never empty.
    And(Vec<SearchKey>),
    /// `OR`.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// `NOT`.
    Not(Box<SearchKey>),
    /// Has this system flag: `ANSWERED`, `DELETED`, `DRAFT`, `FLAGGED`, `SEEN`.
    Has(SystemFlags),
    /// Lacks it: `UNANSWERED`, ….
    Lacks(SystemFlags),
    /// `RECENT` (RFC 3501).
    Recent,
    /// `OLD` (RFC 3501): not recent.
    Old,
    /// `NEW` (RFC 3501): recent and not seen.
    New,
    /// `KEYWORD`.
    Keyword(Keyword),
    /// `UNKEYWORD`.
    Unkeyword(Keyword),
    /// `BEFORE`: INTERNALDATE earlier than the day.
    Before(Date),
    /// `ON`.
    On(Date),
    /// `SINCE`: on the day or later.
    Since(Date),
    /// `SENTBEFORE`: the Date field.
    SentBefore(Date),
    /// `SENTON`.
    SentOn(Date),
    /// `SENTSINCE`.
    SentSince(Date),
    /// `SAVEDBEFORE` (RFC 8514).
    SavedBefore(Date),
    /// `SAVEDON`.
    SavedOn(Date),
    /// `SAVEDSINCE`.
    SavedSince(Date),
    /// `SAVEDATESUPPORTED`: true of every message here.
    SaveDateSupported,
    /// `OLDER n`: INTERNALDATE at least so many seconds ago (RFC 5032).
    Older(u32),
    /// `YOUNGER n`: within so many seconds.
    Younger(u32),
    /// `LARGER`: RFC822.SIZE above.
    Larger(u64),
    /// `SMALLER`: RFC822.SIZE below.
    Smaller(u64),
    /// `FROM`: in the envelope's From.
    From(StringMatch),
    /// `TO`.
    To(StringMatch),
    /// `CC`.
    Cc(StringMatch),
    /// `BCC`.
    Bcc(StringMatch),
    /// `SUBJECT`.
    Subject(StringMatch),
    /// `HEADER field text`: with an empty text the field must be there.
    Header(HeaderName, StringMatch),
    /// `BODY`: in the text of the body.
    Body(StringMatch),
    /// `TEXT`: in the header or the body.
    Text(StringMatch),
    /// A sequence set.
    Sequence(Numbers),
    /// `UID`.
    Uid(Numbers),
    /// `MODSEQ` (RFC 7162 §3.1.5): mod-sequence at least this. The entry name and type, when given, change nothing here:
    /// mod-sequences are per message.
    ModSeq(Option<(String, ModSeqType)>, u64),
    /// `EMAILID` (RFC 8474).
    EmailId(String),
    /// `THREADID` (RFC 8474).
    ThreadId(String),
}

/// The entry type of `MODSEQ` (RFC 7162 §7 `entry-type-req`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModSeqType {
    /// `priv`.
    Private,
    /// `shared`.
    Shared,
    /// `all`.
    All,
}

impl SearchKey {
    /// True when a MODSEQ criterion occurs; the answer then carries the highest mod-sequence found (RFC 7162 §3.1.5).
    pub fn uses_mod_sequence(&self) -> bool {
        match self {
            SearchKey::ModSeq(..) => true,
            SearchKey::And(keys) => keys.iter().any(SearchKey::uses_mod_sequence),
            SearchKey::Or(first, second) => first.uses_mod_sequence() || second.uses_mod_sequence(),
            SearchKey::Not(key) => key.uses_mod_sequence(),
            _ => false,
        }
    }
}
