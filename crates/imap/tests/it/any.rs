//! Any command, for properties.

use auth::sasl::Secret;
use imap::command::*;
use imap::date::{Date, DateTime};
use imap::flag::{Flags, Keyword, SystemFlags};
use imap::mailbox::MailboxName;
use imap::sequence::{Bound, Messages, Numbering, Numbers, Ranges, SequenceSet};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub fn tag() -> impl Strategy<Value = Tag> {
    "[A-Za-z0-9.]{1,8}".prop_map(|text| Tag::new(&text).expect("a tag"))
}

pub fn mailbox() -> impl Strategy<Value = MailboxName> {
    let name = prop_oneof![
        Just("inbox".to_owned()),
        "[A-Za-z0-9 &éà日+\"\\\\(){%*.~-]{1,12}(/[a-zé]{1,5}){0,3}"
            .prop_filter("levels", |name| { name.split('/').all(|level| !level.trim().is_empty()) })
    ];
    name.prop_map(|name| MailboxName::new(&name).expect("a name"))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,10}", "[ -~]{0,12}", "[a-zé日😀\r\n\t]{0,8}"]
}

fn bound() -> impl Strategy<Value = Bound> {
    prop_oneof![9 => (1..=u32::MAX).prop_map(Bound::Number), 1 => Just(Bound::Last)]
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let set = vec((bound(), bound()), 1..6).prop_map(|ranges| Numbers::Set(SequenceSet::new(ranges).expect("no zero")));
    prop_oneof![9 => set, 1 => Just(Numbers::Saved)]
}

fn set_numbers() -> impl Strategy<Value = Numbers> {
    numbers().prop_filter("a set", |numbers| *numbers != Numbers::Saved)
}

fn numbering() -> impl Strategy<Value = Numbering> {
    select(vec![Numbering::Sequence, Numbering::Uid])
}

fn messages() -> impl Strategy<Value = Messages> {
    (numbering(), numbers()).prop_map(|(numbering, set)| Messages { numbering, set })
}

fn keyword() -> impl Strategy<Value = Keyword> {
    "[$a-zA-Z][a-zA-Z0-9_-]{0,8}".prop_map(|text| Keyword::new(&text).expect("a keyword"))
}

fn flags() -> impl Strategy<Value = Flags> {
    (0..32u8, vec(keyword(), 0..3)).prop_map(|(bits, keywords)| {
        let mut flags = Flags { system: SystemFlags::from_bits(bits), keywords: Vec::new() };
        keywords.into_iter().for_each(|keyword| flags.insert(keyword));
        flags
    })
}

fn date() -> impl Strategy<Value = Date> {
    (0i64..30_000).prop_map(Date::from_days)
}

fn part() -> impl Strategy<Value = PartNumber> {
    vec(1..20u32, 0..4).prop_map(PartNumber)
}

fn header_names() -> impl Strategy<Value = Vec<String>> {
    vec("[A-Z][a-z(-]{0,8}", 1..4)
}

fn section() -> impl Strategy<Value = Section> {
    let text = prop_oneof![
        Just(SectionText::All),
        Just(SectionText::Header),
        Just(SectionText::Text),
        Just(SectionText::Mime),
        header_names().prop_map(SectionText::HeaderFields),
        header_names().prop_map(SectionText::HeaderFieldsNot),
    ];
    (part(), text)
        .prop_map(|(part, text)| Section { part, text })
        .prop_filter("MIME of a part", |section| section.text != SectionText::Mime || !section.part.0.is_empty())
}

fn partial() -> impl Strategy<Value = Option<Partial>> {
    option::of((0..1000u64, 1..1000u64).prop_map(|(origin, octets)| Partial { origin, octets }))
}

fn fetch_item() -> impl Strategy<Value = FetchItem> {
    let peek = || select(vec![Peek::Peek, Peek::SetsSeen]);
    prop_oneof![
        4 => select(vec![
            FetchItem::Envelope,
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::Rfc822,
            FetchItem::Rfc822Header,
            FetchItem::Rfc822Size,
            FetchItem::Rfc822Text,
            FetchItem::Body,
            FetchItem::BodyStructure,
            FetchItem::Uid,
            FetchItem::ModSeq,
            FetchItem::EmailId,
            FetchItem::ThreadId,
            FetchItem::SaveDate,
            FetchItem::Preview { lazy: false },
            FetchItem::Preview { lazy: true },
        ]),
        2 => (section(), peek(), partial())
            .prop_map(|(section, peek, partial)| FetchItem::BodySection { section, peek, partial }),
        1 => (part(), peek(), partial()).prop_map(|(part, peek, partial)| FetchItem::Binary { part, peek, partial }),
        1 => part().prop_map(FetchItem::BinarySize),
    ]
}

fn fetch() -> impl Strategy<Value = Operation> {
    (messages(), vec(fetch_item(), 1..5), option::of(0..1_000_000u64), any::<bool>()).prop_map(
        |(messages, found, changed_since, vanished)| {
            let mut items: Vec<FetchItem> = Vec::new();
            if messages.numbering == Numbering::Uid && !found.contains(&FetchItem::Uid) {
                items.push(FetchItem::Uid);
            }
            for item in found {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            let vanished = vanished && changed_since.is_some() && messages.numbering == Numbering::Uid;
            Operation::Fetch { messages, items, modifiers: FetchModifiers { changed_since, vanished } }
        },
    )
}

fn search_key() -> impl Strategy<Value = SearchKey> {
    let flag = || select(SystemFlags::NAMED.to_vec()).prop_map(|(flag, _)| flag);
    let leaf = prop_oneof![
        select(vec![SearchKey::All, SearchKey::Recent, SearchKey::Old, SearchKey::New, SearchKey::SaveDateSupported]),
        flag().prop_map(SearchKey::Has),
        flag().prop_map(SearchKey::Lacks),
        keyword().prop_map(SearchKey::Keyword),
        keyword().prop_map(SearchKey::Unkeyword),
        date().prop_map(SearchKey::Before),
        date().prop_map(SearchKey::SentOn),
        date().prop_map(SearchKey::SavedSince),
        (1..=u32::MAX).prop_map(SearchKey::Older),
        (1..=u32::MAX).prop_map(SearchKey::Younger),
        (0..=u64::from(u32::MAX)).prop_map(SearchKey::Larger),
        (0..=u64::from(u32::MAX)).prop_map(SearchKey::Smaller),
        text().prop_map(SearchKey::From),
        text().prop_map(SearchKey::Subject),
        text().prop_map(SearchKey::Text),
        ("[A-Z][a-z-]{0,8}", text()).prop_map(|(name, text)| SearchKey::Header(name, text)),
        numbers().prop_map(SearchKey::Sequence),
        numbers().prop_map(SearchKey::Uid),
        (0..=i64::MAX as u64).prop_map(|value| SearchKey::ModSeq(None, value)),
        "[a-zA-Z0-9_-]{1,8}".prop_map(SearchKey::EmailId),
    ];
    leaf.prop_recursive(4, 20, 4, |key| {
        prop_oneof![
            vec(key.clone(), 2..4).prop_map(SearchKey::And),
            (key.clone(), key.clone()).prop_map(|(first, second)| SearchKey::Or(Box::new(first), Box::new(second))),
            key.prop_map(|key| SearchKey::Not(Box::new(key))),
        ]
    })
}

fn search() -> impl Strategy<Value = Operation> {
    let returns = any::<(bool, bool, bool, bool, bool)>().prop_map(|(min, max, all, count, save)| {
        let all = all || !(min || max || count || save);
        SearchReturn { min, max, all, count, save }
    });
    (numbering(), option::of(returns), search_key()).prop_map(|(numbering, returns, key)| {
        Operation::Search(SearchCommand { numbering, returns, program: SearchProgram { key } })
    })
}

fn status_items() -> impl Strategy<Value = Vec<StatusItem>> {
    subsequence(StatusItem::NAMED.to_vec(), 1..5).prop_map(|items| items.into_iter().map(|(item, _)| item).collect())
}

fn pattern() -> impl Strategy<Value = String> {
    "[a-zé/%* &]{0,10}"
}

fn list() -> impl Strategy<Value = Operation> {
    let flags = any::<[bool; 7]>();
    let status = option::of(status_items());
    (flags, pattern(), vec(pattern(), 1..3), status, any::<bool>()).prop_map(
        |([a, b, c, d, e, f, g], reference, patterns, status, wanted)| {
            let selection = ListSelection { subscribed: a, remote: b, recursive_match: c && (a || d), special_use: d };
            let status = status.unwrap_or_default();
            let returns = ListReturn { subscribed: e, children: f, special_use: g, status };
            let extended = wanted
                || selection != ListSelection::default()
                || returns != ListReturn::default()
                || patterns.len() > 1;
            let patterns = patterns.into_iter().map(ListPattern).collect();
            Operation::List(ListCommand { selection, reference, patterns, returns, extended })
        },
    )
}

fn ranges() -> impl Strategy<Value = Ranges> {
    vec(1..1000u32, 1..5).prop_map(Ranges::from_numbers)
}

fn select_command() -> impl Strategy<Value = Select> {
    let qresync = (1..=u32::MAX, 1..1_000_000u64, option::of(ranges()), option::of(ranges())).prop_map(
        |(uid_validity, mod_sequence, known_uids, matched)| {
            let sequence_match = matched.map(|numbers| (numbers.clone(), numbers));
            Qresync { uid_validity, mod_sequence, known_uids, sequence_match }
        },
    );
    (mailbox(), any::<bool>(), option::of(qresync)).prop_map(|(mailbox, condstore, qresync)| Select {
        mailbox,
        condstore,
        qresync,
    })
}

fn store() -> impl Strategy<Value = Operation> {
    let how = select(vec![StoreMode::Replace, StoreMode::Add, StoreMode::Remove]);
    let answer = select(vec![StoreAnswer::Told, StoreAnswer::Silent]);
    (messages(), option::of(0..1_000_000u64), how, answer, flags()).prop_map(
        |(messages, unchanged_since, how, answer, flags)| {
            Operation::Store(Store { messages, unchanged_since, how, answer, flags })
        },
    )
}

pub fn operation() -> impl Strategy<Value = Operation> {
    let uses = subsequence(SpecialUse::NAMED.to_vec(), 0..3)
        .prop_map(|uses| uses.into_iter().map(|(special_use, _)| special_use).collect());
    prop_oneof![
        select(vec![
            Operation::Noop,
            Operation::Check,
            Operation::Close,
            Operation::Unselect,
            Operation::Namespace,
            Operation::Expunge { uids: None },
        ]),
        select_command().prop_map(Operation::Select),
        select_command().prop_map(Operation::Examine),
        (mailbox(), uses).prop_map(|(mailbox, special_use)| Operation::Create { mailbox, special_use }),
        mailbox().prop_map(Operation::Delete),
        (mailbox(), mailbox()).prop_map(|(from, to)| Operation::Rename { from, to }),
        mailbox().prop_map(Operation::Subscribe),
        mailbox().prop_map(Operation::Unsubscribe),
        list(),
        (pattern(), pattern())
            .prop_map(|(reference, pattern)| Operation::Lsub { reference, pattern: ListPattern(pattern) }),
        (mailbox(), status_items()).prop_map(|(mailbox, items)| Operation::Status { mailbox, items }),
        set_numbers().prop_map(|set| Operation::Expunge { uids: Some(Messages { numbering: Numbering::Uid, set }) }),
        search(),
        fetch(),
        store(),
        (messages(), mailbox()).prop_map(|(messages, to)| Operation::Copy { messages, to }),
        (messages(), mailbox()).prop_map(|(messages, to)| Operation::Move { messages, to }),
    ]
}

pub fn command() -> impl Strategy<Value = Command> {
    let date_time = (date(), 0..24u8, 0..60u8, 0..60u8, -720..720i16).prop_map(|(date, hour, minute, second, zone)| {
        DateTime::new(date, (hour, minute, second), zone).expect("in range")
    });
    let kind = select(vec![LiteralKind::Literal, LiteralKind::Literal8]);
    let message = (flags(), option::of(date_time), 1..1_000_000u64, kind)
        .prop_map(|(flags, date, octets, kind)| AppendMessage { flags, date, octets, kind });
    let plain = vec![Command::Capability, Command::Logout, Command::StartTls, Command::Idle];
    let secret = || text().prop_map(Secret::new);
    prop_oneof![
        2 => select(plain),
        1 => ("[A-Z0-9-]{1,10}", option::of("[A-Za-z0-9+/]{1,8}={0,2}")).prop_map(|(mechanism, response)| {
            Command::Authenticate { mechanism, initial_response: response.map(Secret::new) }
        }),
        1 => (text(), secret()).prop_map(|(user, password)| Command::Login { user, password }),
        1 => vec("[A-Z0-9=]{1,10}", 1..4).prop_map(Command::Enable),
        1 => vec((text(), option::of(text())), 0..4).prop_map(Command::Id),
        2 => (mailbox(), message).prop_map(|(mailbox, message)| Command::Append(Append { mailbox, message })),
        20 => operation().prop_map(Command::Operation),
    ]
}
