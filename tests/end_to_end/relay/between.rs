//! The two operators of the demo.

use std::path::Path;

use anyhow::{Result, ensure};
use tests::{
    imap::Imap,
    letter,
    server::Server,
    smtp::{Smtp, auth_plain},
};

struct OperatorB<'a> {
    server: &'a Server,
    user: &'a str,
    password: &'a str,
}

impl OperatorB<'_> {
    fn of(server: &Server) -> OperatorB<'_> {
        OperatorB { server, user: server.settings.get("B_USER1"), password: server.settings.get("B_PASSWORD1") }
    }

    fn imap(&self) -> Result<Imap> {
        let address = self.server.settings.address("B_IMAPS_PORT");
        Imap::signed_in(address, &self.server.trust, self.user, self.password)
    }

    fn submission(&self) -> Result<Smtp> {
        let mut smtp = Smtp::plain(self.server.settings.address("B_SUBMISSION_PORT"))?;
        smtp.expect("EHLO client.example", 250)?;
        let mut smtp = smtp.starttls(&self.server.trust)?;
        smtp.expect("EHLO client.example", 250)?;
        smtp.expect(&auth_plain(self.user, self.password), 235)?;
        Ok(smtp)
    }
}

#[test]
fn mail_goes_both_ways_and_arrives_as_it_was_sent() -> Result<()> {
    let server = Server::start()?;
    let b = OperatorB::of(&server);
    let (ours, theirs) = (server.settings.get("MSS1"), server.settings.get("B_MSS1"));
    for octets in [500, 200_000, 5_000_000] {
        let name = letter::unique_name();
        let sent = letter::named(ours, theirs, &name, octets);
        let reply = server.submission(1)?.send(ours, &[theirs], &sent)?;
        ensure!(reply.is_ok(), "{reply:?}");
        let stored = super::arrives(b.imap()?, &name)?;
        let trace = letter::trace_before(&stored, &sent).map(String::from_utf8_lossy);
        ensure!(trace.is_some_and(|trace| trace.contains("with ESMTPS")), "{octets}: other octets arrived");

        let name = letter::unique_name();
        let answer = letter::named(theirs, ours, &name, octets);
        let reply = b.submission()?.send(theirs, &[ours], &answer)?;
        ensure!(reply.is_ok(), "{reply:?}");
        super::arrives_intact(&server, 1, &answer, &name)?;
    }
    Ok(())
}

#[test]
fn local_and_remote_recipients_of_one_message_all_get_it_and_delivery_is_reported_when_asked() -> Result<()> {
    let server = Server::start()?;
    let b = OperatorB::of(&server);
    let (ours, theirs) = (server.settings.get("MSS1"), server.settings.get("B_MSS1"));
    let name = letter::unique_name();
    let sent = letter::named(ours, theirs, &name, 3_000);
    let mut submission = server.submission(1)?;
    submission.expect(&format!("MAIL FROM:<{ours}> RET=HDRS ENVID={name}"), 250)?;
    submission.expect(&format!("RCPT TO:<{theirs}> NOTIFY=SUCCESS,FAILURE"), 250)?;
    submission.expect(&format!("RCPT TO:<{}> NOTIFY=NEVER", server.user(3).0), 250)?;
    submission.expect("DATA", 354)?;
    submission.wire.send(tests::smtp::stuffed(&sent))?;
    ensure!(submission.reply()?.is_ok());
    super::arrives_intact(&server, 3, &sent, &name)?;
    super::arrives(b.imap()?, &name)?;
    let report = super::arrives(server.imap(1)?, &format!("Original-Envelope-Id: {name}"))?;
    let report = String::from_utf8_lossy(&report).into_owned();
    ensure!(report.contains("Return-Path: <>") && report.contains("Action: delivered"), "{report}");
    ensure!(!report.contains(server.user(3).0), "NOTIFY=NEVER was not heard:\n{report}");
    Ok(())
}

#[test]
fn a_recipient_unknown_at_the_other_operator_comes_back_and_one_in_no_list_is_refused_at_once() -> Result<()> {
    let server = Server::start()?;
    let ours = server.settings.get("MSS1");
    let name = letter::unique_name();
    let unknown = format!("{name}@clinique.example");
    let sent = letter::named(ours, &unknown, &name, 1_000);
    let mut submission = server.submission(1)?;
    ensure!(submission.send(ours, &[&unknown], &sent)?.is_ok());
    let report = super::arrives(server.imap(1)?, &format!("Final-Recipient: rfc822;{unknown}"))?;
    let report = String::from_utf8_lossy(&report).into_owned();
    ensure!(report.contains("Action: failed") && report.contains("5.1.1"), "{report}");
    let reply = submission.send(ours, &["a@hors-liste.example"], &sent)?;
    ensure!(reply.code == 550 && reply.lines.join(" ").contains("[recipient.unlisted]"), "{reply:?}");
    let queue = server.run(&["queue", "list", "--json"])?;
    ensure!(queue.status.success(), "queue list: {}", queue.err);
    ensure!(Path::new(server.settings.get("CONFIG")).exists());
    Ok(())
}
