//! Status responses and their codes (RFC 9051 §7.1).

use mail::Refusal;

use crate::flag::Flags;
use crate::sequence::Ranges;

/// The five status responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `OK`.
    Ok,
    /// `NO`.
    No,
    /// `BAD`.
    Bad,
    /// `PREAUTH`.
    PreAuth,
    /// `BYE`.
    Bye,
}

/// A response code (RFC 9051 §7.1 and the extensions we announce).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// `ALERT`: a person must read the text.
    Alert,
    /// `ALREADYEXISTS`.
    AlreadyExists,
    /// `APPENDUID` (RFC 9051 §6.3.12).
    AppendUid {
        /// Of the destination.
        uid_validity: u32,
        /// Given to the messages, in order.
        uids: Ranges,
    },
    /// `AUTHENTICATIONFAILED`.
    AuthenticationFailed,
    /// `AUTHORIZATIONFAILED`.
    AuthorizationFailed,
    /// `BADCHARSET` with the charsets we read.
    BadCharset,
    /// `CANNOT`.
    Cannot,
    /// `CAPABILITY`, without the word itself.
    Capability(String),
    /// `CLIENTBUG`.
    ClientBug,
    /// `CLOSED`: what follows is about another mailbox.
    Closed,
    /// `CONTACTADMIN`.
    ContactAdmin,
    /// `COPYUID` (RFC 9051 §6.4.7): the n-th source UID became the n-th destination UID.
    CopyUid {
        /// Of the destination.
        uid_validity: u32,
        /// What was copied.
        from: Ranges,
        /// What it became.
        to: Ranges,
    },
    /// `EXPIRED`.
    Expired,
    /// `EXPUNGEISSUED`.
    ExpungeIssued,
    /// `HASCHILDREN`.
    HasChildren,
    /// `HIGHESTMODSEQ` (RFC 7162 §3.1.2.1).
    HighestModSeq(u64),
    /// `INUSE`.
    InUse,
    /// `LIMIT`.
    Limit,
    /// `MAILBOXID` (RFC 8474 §4.2).
    MailboxId(String),
    /// `MODIFIED` (RFC 7162 §3.1.3): UIDs or sequence numbers, as in the command.
    Modified(Ranges),
    /// `NOMODSEQ` (RFC 7162 §3.1.2.2).
    NoModSeq,
    /// `NONEXISTENT`.
    NonExistent,
    /// `NOPERM`.
    NoPermission,
    /// `NOTSAVED` (RFC 9051 §6.4.4.1).
    NotSaved,
    /// `OVERQUOTA`.
    OverQuota,
    /// `PARSE`.
    Parse,
    /// `PERMANENTFLAGS`: what may be stored.
    PermanentFlags {
        /// The flags.
        flags: Flags,
        /// `\*`: new keywords too.
        new_keywords: bool,
    },
    /// `PRIVACYREQUIRED`.
    PrivacyRequired,
    /// `READ-ONLY`.
    ReadOnly,
    /// `READ-WRITE`.
    ReadWrite,
    /// `SERVERBUG`.
    ServerBug,
    /// `TOOBIG` (RFC 7889 §4, RFC 4469).
    TooBig,
    /// `TRYCREATE`.
    TryCreate,
    /// `UIDNEXT`.
    UidNext(u32),
    /// `UIDNOTSTICKY`.
    UidNotSticky,
    /// `UIDVALIDITY`.
    UidValidity(u32),
    /// `UNAVAILABLE`.
    Unavailable,
    /// `UNKNOWN-CTE` (RFC 9051 §6.4.5).
    UnknownCte,
    /// `UNSEEN` (RFC 3501 §7.1): the sequence number of the first unseen message.
    Unseen(u32),
    /// `USEATTR` (RFC 6154 §3).
    UseAttr,
}

/// The response code that goes with a reason.
pub fn code_of(refusal: &Refusal) -> Option<Code> {
    match refusal {
        Refusal::MessageTooLarge { .. } => Some(Code::TooBig),
        Refusal::QuotaExceeded => Some(Code::OverQuota),
        Refusal::TooManyRecipients { .. } => Some(Code::Limit),
        Refusal::StoreFull | Refusal::StoreTrouble => Some(Code::Unavailable),
        Refusal::AccountSuspended => Some(Code::AuthorizationFailed),
        _ => Some(Code::Cannot),
    }
}

impl Status {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bad => "BAD",
            Status::PreAuth => "PREAUTH",
            Status::Bye => "BYE",
        }
    }
}

impl std::fmt::Display for Code {
    /// Without the brackets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Code::Alert => f.write_str("ALERT"),
            Code::AlreadyExists => f.write_str("ALREADYEXISTS"),
            Code::AppendUid { uid_validity, uids } => write!(f, "APPENDUID {uid_validity} {uids}"),
            Code::AuthenticationFailed => f.write_str("AUTHENTICATIONFAILED"),
            Code::AuthorizationFailed => f.write_str("AUTHORIZATIONFAILED"),
            Code::BadCharset => f.write_str("BADCHARSET (UTF-8 US-ASCII)"),
            Code::Cannot => f.write_str("CANNOT"),
            Code::Capability(capabilities) => write!(f, "CAPABILITY {capabilities}"),
            Code::ClientBug => f.write_str("CLIENTBUG"),
            Code::Closed => f.write_str("CLOSED"),
            Code::ContactAdmin => f.write_str("CONTACTADMIN"),
            Code::CopyUid { uid_validity, from, to } => write!(f, "COPYUID {uid_validity} {from} {to}"),
            Code::Expired => f.write_str("EXPIRED"),
            Code::ExpungeIssued => f.write_str("EXPUNGEISSUED"),
            Code::HasChildren => f.write_str("HASCHILDREN"),
            Code::HighestModSeq(value) => write!(f, "HIGHESTMODSEQ {value}"),
            Code::InUse => f.write_str("INUSE"),
            Code::Limit => f.write_str("LIMIT"),
            Code::MailboxId(id) => write!(f, "MAILBOXID ({id})"),
            Code::Modified(numbers) => write!(f, "MODIFIED {numbers}"),
            Code::NoModSeq => f.write_str("NOMODSEQ"),
            Code::NonExistent => f.write_str("NONEXISTENT"),
            Code::NoPermission => f.write_str("NOPERM"),
            Code::NotSaved => f.write_str("NOTSAVED"),
            Code::OverQuota => f.write_str("OVERQUOTA"),
            Code::Parse => f.write_str("PARSE"),
            Code::PermanentFlags { flags, new_keywords } => {
                let gap = if flags.is_empty() || !new_keywords { "" } else { " " };
                write!(f, "PERMANENTFLAGS ({flags}{gap}{})", if *new_keywords { "\\*" } else { "" })
            }
            Code::PrivacyRequired => f.write_str("PRIVACYREQUIRED"),
            Code::ReadOnly => f.write_str("READ-ONLY"),
            Code::ReadWrite => f.write_str("READ-WRITE"),
            Code::ServerBug => f.write_str("SERVERBUG"),
            Code::TooBig => f.write_str("TOOBIG"),
            Code::TryCreate => f.write_str("TRYCREATE"),
            Code::UidNext(uid) => write!(f, "UIDNEXT {uid}"),
            Code::UidNotSticky => f.write_str("UIDNOTSTICKY"),
            Code::UidValidity(value) => write!(f, "UIDVALIDITY {value}"),
            Code::Unavailable => f.write_str("UNAVAILABLE"),
            Code::UnknownCte => f.write_str("UNKNOWN-CTE"),
            Code::Unseen(number) => write!(f, "UNSEEN {number}"),
            Code::UseAttr => f.write_str("USEATTR"),
        }
    }
}
