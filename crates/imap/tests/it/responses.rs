//! Responses as they are printed.

use expect_test::{Expect, expect};
use imap::command::{PartNumber, Section, SectionText, SpecialUse, StatusItem};
use imap::date::DateTime;
use imap::flag::{Flags, Keyword, SystemFlags};
use imap::mailbox::MailboxName;
use imap::response::{Code, EsearchResponse, ListAttribute, ListResponse, Responses, Status, StatusResponse};
use imap::sequence::{Numbering, Ranges};
use imap::server::Enabled;
use mail::mime::{Limits, Scanner};

const REV2: Enabled = Enabled { rev2: true, condstore: false };

fn check(enabled: Enabled, write: impl FnOnce(&mut Responses), expected: Expect) {
    let mut responses = Responses::new(enabled);
    write(&mut responses);
    expected.assert_eq(&String::from_utf8(responses.take()).expect("UTF-8").replace("\r\n", "\n"));
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).expect("a name")
}

#[test]
fn names_are_spelled_for_the_client() {
    let write = |responses: &mut Responses| {
        for mailbox in [name("INBOX"), name("R&D/é \"x\""), name("NIL")] {
            let attributes = [ListAttribute::HasNoChildren, ListAttribute::Use(SpecialUse::Sent)];
            let response =
                ListResponse { attributes: &attributes, mailbox: &mailbox, child_subscribed: false, old_name: None };
            responses.list(&response);
        }
        let (old, new) = (name("old"), name("new"));
        let both = ListResponse { attributes: &[], mailbox: &new, child_subscribed: true, old_name: Some(&old) };
        responses.list(&both);
        responses.lsub(&both);
        responses.separator();
        responses.namespace();
        responses.recent(3);
    };
    check(
        Enabled::default(),
        write,
        expect![[r#"
        * LIST (\HasNoChildren \Sent) "/" INBOX
        * LIST (\HasNoChildren \Sent) "/" "R&-D/&AOk- \"x\""
        * LIST (\HasNoChildren \Sent) "/" "NIL"
        * LIST () "/" new ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" (old))
        * LSUB () "/" new
        * LIST (\Noselect) "/" ""
        * NAMESPACE (("" "/")) NIL NIL
        * 3 RECENT
    "#]],
    );
    check(
        REV2,
        write,
        expect![[r#"
        * LIST (\HasNoChildren \Sent) "/" INBOX
        * LIST (\HasNoChildren \Sent) "/" "R&D/é \"x\""
        * LIST (\HasNoChildren \Sent) "/" "NIL"
        * LIST () "/" new ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" (old))
        * LSUB () "/" new
        * LIST (\Noselect) "/" ""
        * NAMESPACE (("" "/")) NIL NIL
    "#]],
    );
}

#[test]
fn codes_and_counts() {
    let flags = Flags { system: SystemFlags::from_bits(31), keywords: vec![Keyword::new("$Junk").expect("an atom")] };
    check(
        Enabled::default(),
        |responses| {
            responses.exists(18);
            responses.expunge(3);
            responses.flags(&flags);
            let permanent = Code::PermanentFlags { flags: flags.clone(), new_keywords: true };
            responses.status(Status::Ok, Some(&permanent), "limited");
            let none = Code::PermanentFlags { flags: Flags::default(), new_keywords: false };
            responses.status(Status::Ok, Some(&none), "read only");
            responses.status(Status::Ok, Some(&Code::UidValidity(7)), "and\r\na line break");
            let items = [(StatusItem::Messages, 3), (StatusItem::Size, 1 << 40), (StatusItem::MailboxId, 0)];
            responses.mailbox_status(&StatusResponse { mailbox: &name("a b"), items: &items, mailbox_id: "F1" });
            responses.search(&Ranges::from_numbers([2, 3, 4, 9]), Some(77));
            responses.search(&Ranges::default(), Some(77));
            let all = Ranges::from_numbers([2, 3, 4, 9]);
            let found =
                EsearchResponse { min: Some(2), max: Some(9), all: Some(all), count: Some(4), mod_sequence: Some(77) };
            responses.esearch("a1", Numbering::Uid, &found);
            responses.esearch(
                "a\\2",
                Numbering::Sequence,
                &EsearchResponse { all: Some(Ranges::default()), ..Default::default() },
            );
        },
        expect![[r#"
        * 18 EXISTS
        * 3 EXPUNGE
        * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Junk)
        * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Junk \*)] limited
        * OK [PERMANENTFLAGS ()] read only
        * OK [UIDVALIDITY 7] and  a line break
        * STATUS "a b" (MESSAGES 3 SIZE 1099511627776 MAILBOXID (F1))
        * SEARCH 2 3 4 9 (MODSEQ 77)
        * SEARCH
        * ESEARCH (TAG "a1") UID MIN 2 MAX 9 COUNT 4 ALL 2:4,9 MODSEQ 77
        * ESEARCH (TAG "a\\2")
    "#]],
    );
}

#[test]
fn fetch_items_side_by_side() {
    let section = |part: &[u32], text| Section { part: PartNumber(part.to_vec()), text };
    check(
        Enabled::default(),
        |responses| {
            let mut fetch = responses.fetch(12);
            fetch.uid(99).mod_sequence(5).size(44827).email_id("M1").thread_id(None).thread_id(Some("T1"));
            fetch.flags(SystemFlags::SEEN, true, &[Keyword::new("$Junk").expect("an atom")]);
            fetch.flags(SystemFlags::NONE, false, []);
            fetch.internal_date(DateTime { unix_seconds: 837_596_665, offset_minutes: -420 });
            fetch.preview(Some("a \"b\"")).preview(None);
            let fields = SectionText::HeaderFields(vec!["Date".into(), "X(".into()]);
            fetch.section_literal(&section(&[], fields), Some(0), 3).octets(b"abc");
            fetch.section_nil(&section(&[4, 1], SectionText::Mime), None);
            fetch.rfc822_literal("RFC822.HEADER", 2).octets(b"\r\n");
            fetch.binary_literal(&PartNumber(vec![1]), Some(5), 1, true).octets(b"x");
            let items = fetch.suspend();
            responses.octets_mut().extend_from_slice(b"");
            let mut fetch = imap::response::FetchResponse::resume(responses, items);
            fetch.binary_nil(&PartNumber(vec![2]), None).binary_size(&PartNumber(vec![2, 3]), 10);
            fetch.end();
        },
        expect![[r#"
        * 12 FETCH (UID 99 MODSEQ (5) RFC822.SIZE 44827 EMAILID (M1) THREADID NIL THREADID (T1) FLAGS (\Seen \Recent $Junk) FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" PREVIEW "a \"b\"" PREVIEW NIL BODY[HEADER.FIELDS (Date "X(")]<0> {3}
        abc BODY[4.1.MIME] NIL RFC822.HEADER {2}

         BINARY[1]<5> ~{1}
        x BINARY[2] NIL BINARY.SIZE[2.3] 10)
    "#]],
    );
}

const MESSAGE: &str = "From: \"A. B\" <a@x.example>, undisclosed:;\r\nTo: b\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\
    Date: Mon, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Language: fr, en\r\n\r\nhello\r\n\r\n\
    --b\r\nContent-Type: application/pdf; name=\"x.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename*=utf-8''caf%C3%A9.pdf\r\n\r\nAAAA\r\n\
    --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n\
    --b\r\nContent-Type: multipart/alternative\r\n\r\nno boundary\r\n--b--\r\n";

#[test]
fn structure_and_envelope_of_a_message() {
    let mut scanner = Scanner::new(Limits::default());
    scanner.feed(MESSAGE.as_bytes());
    let index = scanner.finish();
    check(
        Enabled::default(),
        |responses| {
            let mut fetch = responses.fetch(1);
            fetch.envelope(&index.envelope);
            fetch.end();
            let mut fetch = responses.fetch(1);
            fetch.body(&index.root);
            fetch.end();
            let mut fetch = responses.fetch(1);
            fetch.body_structure(&index.root);
            fetch.end();
        },
        expect![[r#"
        * 1 FETCH (ENVELOPE ("Mon, 1 Jan 2026 00:00:00 +0000" "=?utf-8?q?=C3=A9?=" (("A. B" NIL "a" "x.example")(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)) (("A. B" NIL "a" "x.example")(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)) (("A. B" NIL "a" "x.example")(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)) ((NIL NIL "b" "")) NIL NIL NIL "<1@x>"))
        * 1 FETCH (BODY (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 7 1)("application" "pdf" ("name" "x.pdf") NIL NIL "base64" 4)("message" "rfc822" NIL NIL NIL "7bit" 19 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 4 1) 3)("application" "octet-stream" NIL NIL NIL "7bit" 11) "mixed"))
        * 1 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 7 1 NIL NIL ("fr" "en") NIL)("application" "pdf" ("name" "x.pdf") NIL NIL "base64" 4 NIL ("attachment" ("filename*" "utf-8''caf%C3%A9.pdf")) NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 19 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 4 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)("application" "octet-stream" NIL NIL NIL "7bit" 11 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL))
    "#]],
    );
}

/// What we print of a message, imap-codec reads.
#[test]
fn an_independent_client_reads_the_structure() {
    use imap_codec::ResponseCodec;
    use imap_codec::decode::Decoder;
    let mut scanner = Scanner::new(Limits::default());
    scanner.feed(MESSAGE.as_bytes());
    let index = scanner.finish();
    let mut responses = Responses::new(Enabled::default());
    let mut fetch = responses.fetch(1);
    fetch.uid(7).envelope(&index.envelope).body(&index.root).body_structure(&index.root);
    fetch.flags(SystemFlags::from_bits(31), true, []).size(5);
    fetch.end();
    let octets = responses.take();
    let read = ResponseCodec::default().decode(&octets);
    assert!(read.is_ok_and(|(rest, _)| rest.is_empty()), "{}", String::from_utf8_lossy(&octets));
}
