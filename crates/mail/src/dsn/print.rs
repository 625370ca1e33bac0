//! The whole report: `multipart/report` of three parts (RFC 6522 §3).

use super::returned::Returned;
use super::{Action, Original, Printed, Report, status_part, text_part};
use crate::BodyKind;
use crate::header::print::fold;
use crate::header::{address_field, unstructured_field};

impl Report {
    /// Prints it. `original` is what is brought back; a message too odd to be brought back whole comes as its header.
    pub fn print(&self, original: Original<'_>) -> Printed {
        let text = text_part::text(self);
        let status = status_part::status(self);
        let returned = Returned::of(original, self.smtputf8);
        let boundary = boundary(&self.message_id, &[&text, &status.octets, &returned.octets]);
        let is_global = !status.octets.is_ascii();

        let mut octets = self.header(&boundary, is_global).into_bytes();
        let mut part = |fields: &[(&str, &str)], content: &[u8]| {
            octets.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            for (name, value) in fields {
                octets.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            octets.extend_from_slice(b"\r\n");
            octets.extend_from_slice(content);
        };
        part(
            &[("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "quoted-printable")],
            &text,
        );
        part(&[("Content-Type", status.media_type), ("Content-Transfer-Encoding", status.encoding)], &status.octets);
        part(
            &[("Content-Type", returned.media_type), ("Content-Transfer-Encoding", returned.encoding)],
            &returned.octets,
        );
        octets.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());

        let body = if octets.is_ascii() { BodyKind::SevenBit } else { BodyKind::EightBitMime };
        Printed { octets, body, smtputf8: !self.to.is_ascii() }
    }

    fn header(&self, boundary: &str, is_global: bool) -> String {
        let id = |id: &str| format!("<{id}>");
        let report_type = if is_global { "global-delivery-status" } else { "delivery-status" };
        let mut header = fold("Date", std::iter::once(self.date.to_string().as_str()));
        header.push_str(&address_field("From", &[(Some(FROM), &self.from)]));
        header.push_str(&address_field("To", &[(None, &self.to)]));
        header.push_str(&unstructured_field("Subject", subject(self.action())));
        header.push_str(&fold("Message-ID", std::iter::once(id(&self.message_id).as_str())));
        if let Some(original) = &self.original_message_id {
            // Another's text: one word, or not at all.
            let is_id = !original.is_empty() && original.len() <= ID_OCTETS_MAX;
            if is_id && original.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'<' | b'>')) {
                header.push_str(&fold("In-Reply-To", std::iter::once(id(original).as_str())));
                header.push_str(&fold("References", std::iter::once(id(original).as_str())));
            }
        }
        // Nobody's vacation notice answers it (RFC 3834 §5).
        header.push_str("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
        let boundary = format!("boundary=\"{boundary}\"");
        let report_type = format!("report-type={report_type};");
        header.push_str(&fold("Content-Type", ["multipart/report;", &report_type, &boundary].into_iter()));
        header
    }
}

fn subject(action: Action) -> &'static str {
    match action {
        Action::Failed => "Message non distribué / Message not delivered",
        Action::Delayed => "Message retardé / Message delayed",
        Action::Delivered => "Message distribué / Message delivered",
        Action::Relayed => "Message transmis / Message passed on",
        Action::Expanded => "Message transmis à une liste / Message passed on to a list",
    }
}

/// From the random part of the Message-ID; longer while a part happens to hold it.
fn boundary(message_id: &str, parts: &[&[u8]]) -> String {
    let random: String = message_id.chars().filter(char::is_ascii_alphanumeric).take(BOUNDARY_RANDOM).collect();
    let mut boundary = format!("=_dsn_{random}");
    while parts.iter().any(|part| memchr::memmem::find(part, boundary.as_bytes()).is_some()) && boundary.len() < 70 {
        boundary.push('_');
    }
    boundary
}

/// Who writes.
const FROM: &str = "Système de messagerie / Mail system";

/// Octets of another's Message-ID repeated in a field.
const ID_OCTETS_MAX: usize = 900;

/// Characters of the Message-ID that make the boundary, which has at most 70 (RFC 2046 §5.1.1).
const BOUNDARY_RANDOM: usize = 40;

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use mail_parser::{MessageParser, MimeHeaders, PartType};

    use super::*;
    use crate::dsn::{Cause, Diagnostic, RecipientReport};
    use crate::envelope::{ForwardPath, OriginalRecipient};
    use crate::header::DateTime;
    use crate::{EnhancedStatus, TrustCause};

    const NOW: DateTime = DateTime { seconds: 1_795_182_840, offset_minutes: 60 };

    const ORIGINAL: &[u8] =
        b"Received: by mx.a.example; Fri, 20 Nov 2026 13:54:00 +0000\r\nFrom: Ann <ann@a.example>\r\n\
        To: bob@b.example\r\nSubject: Result\r\nMessage-ID: <one@a.example>\r\n\r\nSecret.\r\n";

    fn report(recipients: Vec<RecipientReport>) -> Report {
        Report {
            reporting_mta: "mx.a.example".parse().unwrap(),
            from: "postmaster@a.example".parse().unwrap(),
            to: "ann@a.example".parse().unwrap(),
            date: NOW,
            message_id: "7h2k9s4m1q8w3e5r@mx.a.example".into(),
            arrival: DateTime { seconds: NOW.seconds - 300, ..NOW },
            envelope_id: Some("QQ314159".into()),
            original_message_id: Some("one@a.example".into()),
            queue_name: "0123456789abcdef".into(),
            smtputf8: false,
            recipients,
        }
    }

    fn bob(action: Action, cause: Cause) -> RecipientReport {
        RecipientReport {
            final_recipient: ForwardPath::Address("bob@b.example".parse().unwrap()),
            original: None,
            action,
            status: EnhancedStatus::new(5, 1, 1),
            cause,
            remote_mta: Some("mx.b.example".into()),
            diagnostic: Some(Diagnostic {
                code: 550,
                status: Some(EnhancedStatus::new(5, 1, 1)),
                text: "no such mailbox".into(),
            }),
            last_attempt: Some(NOW),
            will_retry_until: None,
        }
    }

    /// What mail-parser makes of it: the header, then each part decoded.
    fn read(printed: &Printed) -> String {
        assert_eq!(crate::crlf::CrlfCleaner::clean(&printed.octets).1, 0, "a line end of its own");
        assert!(printed.octets.split(|octet| *octet == b'\n').all(|line| line.len() <= 999));
        assert_eq!(printed.body == BodyKind::SevenBit, printed.octets.is_ascii());
        let message = MessageParser::default().parse(&printed.octets).unwrap();
        let [_, text, status, returned, ..] = message.parts.as_slice() else { panic!("{:?}", message.parts) };
        let end = printed.octets.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let mut read = String::from_utf8(printed.octets[..end].to_vec()).unwrap() + "\n";
        for part in [text, status, returned] {
            let media_type = part.content_type().unwrap();
            read += &format!("--- {}/{}\n", media_type.c_type, media_type.c_subtype.as_deref().unwrap());
            read += &match &part.body {
                PartType::Message(message) => String::from_utf8_lossy(message.raw_message()).into_owned(),
                _ => String::from_utf8_lossy(part.contents()).into_owned(),
            };
        }
        read.replace('\r', "")
    }

    #[test]
    fn a_failure() {
        let mut recipient = bob(Action::Failed, Cause::RecipientUnknown);
        recipient.original =
            Some(OriginalRecipient { address_type: "rfc822".into(), address: "robert@b.example".into() });
        expect![[r#"
            Date: Fri, 20 Nov 2026 14:54:00 +0100
            From: =?utf-8?Q?Syst=C3=A8me_de_messagerie_/_Mail_system?=
             <postmaster@a.example>
            To: ann@a.example
            Subject: =?utf-8?Q?Message_non_distribu=C3=A9_/_Message_not_delivered?=
            Message-ID: <7h2k9s4m1q8w3e5r@mx.a.example>
            In-Reply-To: <one@a.example>
            References: <one@a.example>
            Auto-Submitted: auto-replied
            MIME-Version: 1.0
            Content-Type: multipart/report; report-type=delivery-status;
             boundary="=_dsn_7h2k9s4m1q8w3e5rmxaexample"
            --- text/plain
            Votre message n'a pas été distribué. Il n'y aura pas d'autre essai :

                bob@b.example
                Adresse écrite : robert@b.example
                Cette adresse n'existe pas chez l'opérateur de votre correspondant.
                Réponse du serveur mx.b.example : 550 5.1.1 no such mailbox
                Que faire : Vérifiez l'adresse, par exemple sur annuaire.sante.fr, puis envoyez de nouveau.
                [recipient-unknown]

            Référence : 0123456789abcdef (message reçu par mx.a.example le 20/11/2026 à 14:49 (UTC+01:00))

            ----------------------------------------------------------------------

            Your message was not delivered. It will not be tried again:

                bob@b.example
                Address written: robert@b.example
                This address does not exist at your correspondent's operator.
                Answer of the server mx.b.example: 550 5.1.1 no such mailbox
                What to do: Check the address, for example on annuaire.sante.fr, then send again.
                [recipient-unknown]

            Reference: 0123456789abcdef (message received by mx.a.example on Fri, 20 Nov 2026 14:49:00 +0100)
            --- message/delivery-status
            Original-Envelope-Id: QQ314159
            Reporting-MTA: dns; mx.a.example
            Arrival-Date: Fri, 20 Nov 2026 14:49:00 +0100

            Original-Recipient: rfc822;robert@b.example
            Final-Recipient: rfc822;bob@b.example
            Action: failed
            Status: 5.1.1
            Remote-MTA: dns; mx.b.example
            Diagnostic-Code: smtp; 550 5.1.1 no such mailbox
            Last-Attempt-Date: Fri, 20 Nov 2026 14:54:00 +0100
            Final-Log-ID: 0123456789abcdef
            --- text/rfc822-headers
            Received: by mx.a.example; Fri, 20 Nov 2026 13:54:00 +0000
            From: Ann <ann@a.example>
            To: bob@b.example
            Subject: Result
            Message-ID: <one@a.example>
        "#]]
        .assert_eq(&read(&report(vec![recipient]).print(Original::Header(ORIGINAL))));
    }

    #[test]
    fn a_delay_and_a_success_in_one_report() {
        let late = RecipientReport {
            status: EnhancedStatus::new(4, 7, 1),
            diagnostic: None,
            will_retry_until: Some(DateTime { seconds: NOW.seconds + 5 * 86_400, ..NOW }),
            ..bob(Action::Delayed, Cause::Trust(TrustCause::Expired))
        };
        let relayed = RecipientReport {
            final_recipient: ForwardPath::Address("zoe@c.example".parse().unwrap()),
            status: EnhancedStatus::new(2, 0, 0),
            diagnostic: Some(Diagnostic { code: 250, status: None, text: "taken".into() }),
            ..bob(Action::Relayed, Cause::Success)
        };
        expect![[r#"
            Date: Fri, 20 Nov 2026 14:54:00 +0100
            From: =?utf-8?Q?Syst=C3=A8me_de_messagerie_/_Mail_system?=
             <postmaster@a.example>
            To: ann@a.example
            Subject: =?utf-8?Q?Message_retard=C3=A9_/_Message_delayed?=
            Message-ID: <7h2k9s4m1q8w3e5r@mx.a.example>
            In-Reply-To: <one@a.example>
            References: <one@a.example>
            Auto-Submitted: auto-replied
            MIME-Version: 1.0
            Content-Type: multipart/report; report-type=delivery-status;
             boundary="=_dsn_7h2k9s4m1q8w3e5rmxaexample"
            --- text/plain
            Votre message n'est pas encore arrivé. Nous continuons d'essayer, ne l'envoyez pas de nouveau :

                bob@b.example
                Le certificat du serveur de votre correspondant a expiré.
                Derniers essais : jusqu'au 25/11/2026 à 14:54 (UTC+01:00)
                Que faire : La panne est chez l'opérateur de votre correspondant : prévenez-le par un autre moyen, il peut la signaler.
                [expired]

            Votre message a été transmis à un serveur qui ne confirme pas la distribution :

                zoe@c.example

            Référence : 0123456789abcdef (message reçu par mx.a.example le 20/11/2026 à 14:49 (UTC+01:00))

            ----------------------------------------------------------------------

            Your message has not arrived yet. We go on trying, do not send it again:

                bob@b.example
                The certificate of your correspondent's server has expired.
                It will be tried until Wed, 25 Nov 2026 14:54:00 +0100
                What to do: The fault lies with your correspondent's operator: tell your correspondent by other means, who can report it.
                [expired]

            Your message was passed on to a server that does not confirm delivery:

                zoe@c.example

            Reference: 0123456789abcdef (message received by mx.a.example on Fri, 20 Nov 2026 14:49:00 +0100)
            --- message/delivery-status
            Original-Envelope-Id: QQ314159
            Reporting-MTA: dns; mx.a.example
            Arrival-Date: Fri, 20 Nov 2026 14:49:00 +0100

            Final-Recipient: rfc822;zoe@c.example
            Action: relayed
            Status: 2.0.0
            Remote-MTA: dns; mx.b.example
            Diagnostic-Code: smtp; 250 taken
            Last-Attempt-Date: Fri, 20 Nov 2026 14:54:00 +0100
            Final-Log-ID: 0123456789abcdef

            Final-Recipient: rfc822;bob@b.example
            Action: delayed
            Status: 4.7.1
            Remote-MTA: dns; mx.b.example
            Last-Attempt-Date: Fri, 20 Nov 2026 14:54:00 +0100
            Final-Log-ID: 0123456789abcdef
            Will-Retry-Until: Wed, 25 Nov 2026 14:54:00 +0100
            --- text/rfc822-headers
            Received: by mx.a.example; Fri, 20 Nov 2026 13:54:00 +0000
            From: Ann <ann@a.example>
            To: bob@b.example
            Subject: Result
            Message-ID: <one@a.example>
        "#]].assert_eq(&read(&report(vec![relayed, late]).print(Original::Header(ORIGINAL))));
    }

    #[test]
    fn a_whole_message_comes_back() {
        let printed = report(vec![bob(Action::Failed, Cause::Refused)]).print(Original::Full(ORIGINAL));
        let read = read(&printed);
        assert!(read.contains("--- message/rfc822\n") && read.contains("Secret.\n"), "{read}");
    }

    #[test]
    fn what_cannot_be_brought_back_whole_comes_as_its_header() {
        let long = [ORIGINAL, "x".repeat(2_000).as_bytes(), b"\r\n"].concat();
        let read = read(&report(vec![bob(Action::Failed, Cause::Refused)]).print(Original::Full(&long)));
        assert!(read.contains("--- text/rfc822-headers\n") && !read.contains("Secret."), "{read}");
        let header = ["Subject: ".as_bytes(), &b"\xe9".repeat(1_500), b"\r\n\r\nSecret.\r\n"].concat();
        let printed = report(vec![bob(Action::Failed, Cause::Refused)]).print(Original::Header(&header));
        assert_eq!(printed.body, BodyKind::SevenBit);
    }

    #[test]
    fn addresses_that_are_not_ascii() {
        let mut recipient = bob(Action::Failed, Cause::Utf8Unsupported);
        recipient.final_recipient = ForwardPath::Address("zoé@b.example".parse().unwrap());
        recipient.original =
            Some(OriginalRecipient { address_type: "utf-8".into(), address: "zoé+x@b.example".into() });
        let ascii = report(vec![recipient.clone()]).print(Original::Header(ORIGINAL));
        assert!((ascii.body, ascii.smtputf8) == (BodyKind::SevenBit, false));
        let told = read(&ascii);
        assert!(told.contains("--- message/delivery-status\n"), "{told}");
        assert!(told.contains("Original-Recipient: utf-8;zo\\x{E9}\\x{2B}x@b.example\n"), "{told}");
        assert!(told.contains("Final-Recipient: utf-8;zo\\x{E9}@b.example\n"), "{told}");

        let mut report = report(vec![recipient]);
        (report.smtputf8, report.to) = (true, "anné@a.example".parse().unwrap());
        let original = String::from_utf8(ORIGINAL.to_vec()).unwrap().replace("Ann ", "Anné ");
        let global = report.print(Original::Header(original.as_bytes()));
        assert!((global.body, global.smtputf8) == (BodyKind::EightBitMime, true));
        let told = read(&global);
        for expected in [
            "To: anné@a.example\n",
            "report-type=global-delivery-status;",
            "--- message/global-delivery-status\n",
            "Final-Recipient: utf-8;zoé@b.example\n",
            "--- message/global-headers\n",
            "From: Anné <",
        ] {
            assert!(told.contains(expected), "{expected} in {told}");
        }
        let told = read(&report.print(Original::Full(original.as_bytes())));
        assert!(told.contains("--- message/global\n"), "{told}");
    }

    proptest::proptest! {
        #[test]
        fn s11_nothing_of_the_others_gets_out_of_its_place(
            text: String, host: String, name: String, id: String, original: Vec<u8>, full: bool, smtputf8: bool,
        ) {
            let mut recipient = bob(Action::Failed, Cause::Refused);
            recipient.remote_mta = Some(host);
            recipient.diagnostic = Some(Diagnostic { code: 550, status: None, text });
            let mut report = report(vec![recipient]);
            report.envelope_id = Some(name.clone());
            (report.original_message_id, report.queue_name, report.smtputf8) = (Some(id), name, smtputf8);
            let printed = report.print(if full { Original::Full(&original) } else { Original::Header(&original) });
            let told = read(&printed);
            let names = ["Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
                "MIME-Version", "Content-Type"];
            for field in crate::header::fields(&printed.octets) {
                proptest::prop_assert!(names.iter().any(|name| field.is(name)), "{}", told);
            }
            let status = told.split("--- message/delivery-status\n").nth(1).unwrap();
            let status = status.split("\n--- ").next().unwrap().replace('\n', "\r\n");
            let told: Vec<String> = status.split("\r\n\r\n").flat_map(|block| {
                crate::header::fields(block.as_bytes())
                    .map(|field| String::from_utf8_lossy(field.name).into_owned()).collect::<Vec<_>>()
            }).collect();
            proptest::prop_assert_eq!(told, ["Original-Envelope-Id", "Reporting-MTA", "Arrival-Date", "Final-Recipient",
                "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date", "Final-Log-ID"]);
        }
    }
}
