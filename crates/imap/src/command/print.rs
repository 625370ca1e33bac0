//! Commands as octets: what a client would send. What is printed parses back to the same command.

use super::{
    AppendMessage, Command, FetchItem, FetchModifiers, ListCommand, ListReturn, ModSeqType, Operation, Peek, Qresync,
    SearchCommand, SearchKey, Select, StatusItem, Store, StoreAnswer, StoreMode, Tag,
};
use super::{LiteralKind, Partial};
use crate::date::Date;
use crate::flag::SystemFlags;
use crate::mailbox::MailboxName;
use crate::response::{Charset, astring, part_number, section};
use crate::sequence::{Messages, Numbering, Numbers};

/// The command in the spelling of IMAP4rev1, with literals of LITERAL+ (RFC 7888) where a string needs one, up to its last
/// CRLF; APPEND up to and with the announcement of its message.
pub fn print(tag: &Tag, command: &Command) -> Vec<u8> {
    let mut out = Printer { octets: tag.as_str().as_bytes().to_vec() };
    out.word(" ");
    match command {
        Command::Capability => out.word("CAPABILITY"),
        Command::Logout => out.word("LOGOUT"),
        Command::StartTls => out.word("STARTTLS"),
        Command::Idle => out.word("IDLE"),
        Command::Authenticate { mechanism, initial_response } => {
            out.words(&["AUTHENTICATE ", mechanism]);
            if let Some(response) = initial_response {
                out.words(&[" ", response.expose()]);
            }
        }
        Command::Login { user, password } => {
            out.word("LOGIN ");
            out.string(user);
            out.word(" ");
            out.string(password.expose());
        }
        Command::Enable(names) => {
            out.word("ENABLE");
            names.iter().for_each(|name| out.words(&[" ", name]));
        }
        Command::Id(fields) => out.id(fields),
        Command::Append(append) => {
            out.word("APPEND ");
            out.mailbox(&append.mailbox);
            out.append_message(&append.message);
        }
        Command::Operation(operation) => out.operation(operation),
    }
    out.octets
}

struct Printer {
    octets: Vec<u8>,
}

impl Printer {
    fn word(&mut self, word: &str) {
        self.octets.extend_from_slice(word.as_bytes());
    }

    fn words(&mut self, words: &[&str]) {
        words.iter().for_each(|word| self.word(word));
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        self.word(&value.to_string());
    }

    /// A string, never an atom: some atoms mean something where a string could stand.
    fn string(&mut self, text: &str) {
        let quotable = text.bytes().all(|octet| octet.is_ascii() && !matches!(octet, 0 | b'\r' | b'\n'));
        match quotable {
            true => {
                self.word("\"");
                self.word(&text.replace('\\', "\\\\").replace('"', "\\\""));
                self.word("\"");
            }
            false => self.words(&["{", &text.len().to_string(), "+}\r\n", text]),
        }
    }

    fn mailbox(&mut self, name: &MailboxName) {
        astring(&mut self.octets, crate::utf7::encode(name.as_str()).as_bytes(), Charset::Ascii);
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.word("(");
        for (index, item) in items.into_iter().enumerate() {
            self.word(if index == 0 { "" } else { " " });
            each(self, item);
        }
        self.word(")");
    }

    fn id(&mut self, fields: &[(String, Option<String>)]) {
        self.word("ID ");
        if fields.is_empty() {
            return self.word("NIL");
        }
        self.list(fields, |out, (field, value)| {
            out.string(field);
            out.word(" ");
            match value {
                Some(value) => out.string(value),
                None => out.word("NIL"),
            }
        });
    }

    fn append_message(&mut self, message: &AppendMessage) {
        if !message.flags.is_empty() {
            self.words(&[" (", &message.flags.to_string(), ")"]);
        }
        if let Some(date) = message.date {
            self.words(&[" \"", &date.to_string(), "\""]);
        }
        self.word(if message.kind == LiteralKind::Literal8 { " ~{" } else { " {" });
        self.display(message.octets);
        self.word("}");
    }

    fn operation(&mut self, operation: &Operation) {
        let uid = |messages: &Messages| if messages.numbering == Numbering::Uid { "UID " } else { "" };
        match operation {
            Operation::Expunge { uids: Some(messages) } => {
                self.word("UID EXPUNGE ");
                self.display(&messages.set);
            }
            Operation::Fetch { messages, .. }
            | Operation::Copy { messages, .. }
            | Operation::Move { messages, .. }
            | Operation::Store(Store { messages, .. }) => {
                self.words(&[uid(messages), operation.name(), " "]);
                self.display(&messages.set);
            }
            Operation::Search(search) => {
                self.words(&[if search.numbering == Numbering::Uid { "UID " } else { "" }, "SEARCH"]);
            }
            _ => self.word(operation.name()),
        }
        match operation {
            Operation::Select(select) | Operation::Examine(select) => self.select(select),
            Operation::Create { mailbox, special_use } => {
                self.argument(mailbox);
                if !special_use.is_empty() {
                    self.word(" (USE ");
                    self.list(special_use, |out, special_use| out.word(special_use.attribute()));
                    self.word(")");
                }
            }
            Operation::Delete(mailbox) | Operation::Subscribe(mailbox) | Operation::Unsubscribe(mailbox) => {
                self.argument(mailbox);
            }
            Operation::Rename { from, to } => {
                self.argument(from);
                self.argument(to);
            }
            Operation::List(list) => self.mailbox_list(list),
            Operation::Lsub { reference, pattern } => {
                self.word(" ");
                self.string(&crate::utf7::encode(reference));
                self.word(" ");
                self.string(&crate::utf7::encode(&pattern.0));
            }
            Operation::Status { mailbox, items } => {
                self.argument(mailbox);
                self.word(" ");
                self.status_items(items);
            }
            Operation::Search(search) => self.search(search),
            Operation::Fetch { items, modifiers, .. } => self.fetch(items, *modifiers),
            Operation::Store(store) => self.store(store),
            Operation::Copy { to, .. } | Operation::Move { to, .. } => self.argument(to),
            Operation::Noop
            | Operation::Check
            | Operation::Namespace
            | Operation::Close
            | Operation::Unselect
            | Operation::Expunge { .. } => {}
        }
    }

    fn argument(&mut self, mailbox: &MailboxName) {
        self.word(" ");
        self.mailbox(mailbox);
    }

    fn select(&mut self, select: &Select) {
        self.argument(&select.mailbox);
        match (select.condstore, &select.qresync) {
            (false, None) => {}
            (true, None) => self.word(" (CONDSTORE)"),
            (condstore, Some(qresync)) => {
                self.word(if condstore { " (CONDSTORE QRESYNC " } else { " (QRESYNC " });
                self.qresync(qresync);
                self.word(")");
            }
        }
    }

    fn qresync(&mut self, qresync: &Qresync) {
        self.word(&format!("({} {}", qresync.uid_validity, qresync.mod_sequence));
        if let Some(known) = &qresync.known_uids {
            self.word(&format!(" {known}"));
        }
        if let Some((numbers, uids)) = &qresync.sequence_match {
            self.word(&format!(" ({numbers} {uids})"));
        }
        self.word(")");
    }

    fn mailbox_list(&mut self, list: &ListCommand) {
        let selection = &list.selection;
        let options = [
            (selection.subscribed, "SUBSCRIBED"),
            (selection.remote, "REMOTE"),
            (selection.recursive_match, "RECURSIVEMATCH"),
            (selection.special_use, "SPECIAL-USE"),
        ];
        let given = options.iter().filter(|(given, _)| *given).map(|(_, name)| *name);
        if list.extended {
            self.word(" ");
            self.list(given, |out, name| out.word(name));
        }
        self.word(" ");
        self.string(&crate::utf7::encode(&list.reference));
        self.word(" ");
        match list.patterns.as_slice() {
            [pattern] => self.string(&crate::utf7::encode(&pattern.0)),
            patterns => self.list(patterns, |out, pattern| out.string(&crate::utf7::encode(&pattern.0))),
        }
        if list.returns != ListReturn::default() {
            let returns = &list.returns;
            let options = [
                (returns.subscribed, "SUBSCRIBED"),
                (returns.children, "CHILDREN"),
                (returns.special_use, "SPECIAL-USE"),
                (!returns.status.is_empty(), "STATUS"),
            ];
            self.word(" RETURN ");
            self.list(options.iter().filter(|(given, _)| *given), |out, (_, name)| {
                out.word(name);
                if *name == "STATUS" {
                    out.word(" ");
                    out.status_items(&returns.status);
                }
            });
        }
    }

    fn status_items(&mut self, items: &[StatusItem]) {
        self.list(items, |out, item| out.word(item.name()));
    }

    fn store(&mut self, store: &Store) {
        if let Some(unchanged_since) = store.unchanged_since {
            self.word(&format!(" (UNCHANGEDSINCE {unchanged_since})"));
        }
        self.word(match store.how {
            StoreMode::Replace => " FLAGS",
            StoreMode::Add => " +FLAGS",
            StoreMode::Remove => " -FLAGS",
        });
        self.word(match store.answer {
            StoreAnswer::Told => " (",
            StoreAnswer::Silent => ".SILENT (",
        });
        self.display(&store.flags);
        self.word(")");
    }

    fn fetch(&mut self, items: &[FetchItem], modifiers: FetchModifiers) {
        self.word(" ");
        self.list(items, |out, item| out.fetch_item(item));
        if let Some(changed_since) = modifiers.changed_since {
            let vanished = if modifiers.vanished { " VANISHED" } else { "" };
            self.word(&format!(" (CHANGEDSINCE {changed_since}{vanished})"));
        }
    }

    fn fetch_item(&mut self, item: &FetchItem) {
        let peeked = |peek: &Peek| if *peek == Peek::Peek { ".PEEK[" } else { "[" };
        match item {
            FetchItem::Envelope => self.word("ENVELOPE"),
            FetchItem::Flags => self.word("FLAGS"),
            FetchItem::InternalDate => self.word("INTERNALDATE"),
            FetchItem::Rfc822 => self.word("RFC822"),
            FetchItem::Rfc822Header => self.word("RFC822.HEADER"),
            FetchItem::Rfc822Size => self.word("RFC822.SIZE"),
            FetchItem::Rfc822Text => self.word("RFC822.TEXT"),
            FetchItem::Body => self.word("BODY"),
            FetchItem::BodyStructure => self.word("BODYSTRUCTURE"),
            FetchItem::Uid => self.word("UID"),
            FetchItem::ModSeq => self.word("MODSEQ"),
            FetchItem::EmailId => self.word("EMAILID"),
            FetchItem::ThreadId => self.word("THREADID"),
            FetchItem::SaveDate => self.word("SAVEDATE"),
            FetchItem::Preview { lazy: false } => self.word("PREVIEW"),
            FetchItem::Preview { lazy: true } => self.word("PREVIEW (LAZY)"),
            FetchItem::BodySection { section: asked, peek, partial } => {
                self.words(&["BODY", peeked(peek)]);
                section(&mut self.octets, asked);
                self.partial(*partial);
            }
            FetchItem::Binary { part, peek, partial } => {
                self.words(&["BINARY", peeked(peek)]);
                part_number(&mut self.octets, part);
                self.partial(*partial);
            }
            FetchItem::BinarySize(part) => {
                self.word("BINARY.SIZE[");
                part_number(&mut self.octets, part);
                self.word("]");
            }
        }
    }

    fn partial(&mut self, partial: Option<Partial>) {
        match partial {
            Some(partial) => self.word(&format!("]<{}.{}>", partial.origin, partial.octets)),
            None => self.word("]"),
        }
    }

    fn search(&mut self, search: &SearchCommand) {
        if let Some(returns) = search.returns {
            let options = [
                (returns.min, "MIN"),
                (returns.max, "MAX"),
                (returns.all, "ALL"),
                (returns.count, "COUNT"),
                (returns.save, "SAVE"),
            ];
            self.word(" RETURN ");
            self.list(options.iter().filter(|(given, _)| *given), |out, (_, name)| out.word(name));
        }
        self.word(" CHARSET UTF-8 ");
        match &search.program.key {
            SearchKey::And(keys) => self.keys(keys),
            key => self.key(key),
        }
    }

    fn keys(&mut self, keys: &[SearchKey]) {
        for (index, key) in keys.iter().enumerate() {
            self.word(if index == 0 { "" } else { " " });
            self.key(key);
        }
    }

    fn key(&mut self, key: &SearchKey) {
        match key {
            SearchKey::All => self.word("ALL"),
            SearchKey::And(keys) => {
                self.word("(");
                self.keys(keys);
                self.word(")");
            }
            SearchKey::Or(first, second) => {
                self.word("OR ");
                self.key(first);
                self.word(" ");
                self.key(second);
            }
            SearchKey::Not(key) => {
                self.word("NOT ");
                self.key(key);
            }
            SearchKey::Has(flag) => self.word(flag_word(*flag)),
            SearchKey::Lacks(flag) => self.words(&["UN", flag_word(*flag)]),
            SearchKey::Recent => self.word("RECENT"),
            SearchKey::Old => self.word("OLD"),
            SearchKey::New => self.word("NEW"),
            SearchKey::Keyword(keyword) => self.words(&["KEYWORD ", keyword.as_str()]),
            SearchKey::Unkeyword(keyword) => self.words(&["UNKEYWORD ", keyword.as_str()]),
            SearchKey::Before(date) => self.day("BEFORE", *date),
            SearchKey::On(date) => self.day("ON", *date),
            SearchKey::Since(date) => self.day("SINCE", *date),
            SearchKey::SentBefore(date) => self.day("SENTBEFORE", *date),
            SearchKey::SentOn(date) => self.day("SENTON", *date),
            SearchKey::SentSince(date) => self.day("SENTSINCE", *date),
            SearchKey::SavedBefore(date) => self.day("SAVEDBEFORE", *date),
            SearchKey::SavedOn(date) => self.day("SAVEDON", *date),
            SearchKey::SavedSince(date) => self.day("SAVEDSINCE", *date),
            SearchKey::SaveDateSupported => self.word("SAVEDATESUPPORTED"),
            SearchKey::Older(seconds) => self.word(&format!("OLDER {seconds}")),
            SearchKey::Younger(seconds) => self.word(&format!("YOUNGER {seconds}")),
            SearchKey::Larger(octets) => self.word(&format!("LARGER {octets}")),
            SearchKey::Smaller(octets) => self.word(&format!("SMALLER {octets}")),
            SearchKey::From(text) => self.text("FROM", text),
            SearchKey::To(text) => self.text("TO", text),
            SearchKey::Cc(text) => self.text("CC", text),
            SearchKey::Bcc(text) => self.text("BCC", text),
            SearchKey::Subject(text) => self.text("SUBJECT", text),
            SearchKey::Body(text) => self.text("BODY", text),
            SearchKey::Text(text) => self.text("TEXT", text),
            SearchKey::Header(name, text) => {
                self.text("HEADER", name);
                self.word(" ");
                self.string(text);
            }
            SearchKey::Sequence(numbers) => self.display(numbers),
            SearchKey::Uid(numbers) => self.numbers("UID", numbers),
            SearchKey::ModSeq(entry, value) => {
                self.word("MODSEQ ");
                if let Some((name, kind)) = entry {
                    self.string(name);
                    self.word(match kind {
                        ModSeqType::Private => " priv ",
                        ModSeqType::Shared => " shared ",
                        ModSeqType::All => " all ",
                    });
                }
                self.display(value);
            }
            SearchKey::EmailId(id) => self.words(&["EMAILID ", id]),
            SearchKey::ThreadId(id) => self.words(&["THREADID ", id]),
        }
    }

    fn day(&mut self, name: &str, date: Date) {
        self.word(&format!("{name} {date}"));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.words(&[name, " "]);
        self.string(text);
    }

    fn numbers(&mut self, name: &str, numbers: &Numbers) {
        self.word(&format!("{name} {numbers}"));
    }
}

/// `\Seen` is `SEEN` here.
fn flag_word(flag: SystemFlags) -> &'static str {
    let words = [
        (SystemFlags::ANSWERED, "ANSWERED"),
        (SystemFlags::DELETED, "DELETED"),
        (SystemFlags::DRAFT, "DRAFT"),
        (SystemFlags::FLAGGED, "FLAGGED"),
    ];
    words.iter().find(|(known, _)| *known == flag).map_or("SEEN", |(_, word)| word)
}
