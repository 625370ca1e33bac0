//! S22: what can be refused is refused in the session; nobody is told of what he did not send; loops end.

use anyhow::{Result, ensure};
use tests::trusted::{OF_B, Trusted};

const ANNE: &str = "anne@hopital.example";

#[test]
fn s22_no_report_goes_to_who_did_not_ask_and_loops_end() -> Result<()> {
    let server = Trusted::start("")?;
    let mut peer = server.operator(Some("operator-b"))?;
    let bob = format!("bob@{OF_B}");
    let waiting = || -> Result<usize> { Ok(server.sceau(&["queue", "list"])?.out.matches("waiting").count()) };

    // Refused in the session, before the message: nothing to report.
    peer.expect(&format!("MAIL FROM:<{bob}> RET=FULL ENVID=x"), 250)?;
    peer.expect("RCPT TO:<nobody@hopital.example> NOTIFY=SUCCESS,FAILURE,DELAY", 550)?;
    let reply = peer.command("DATA")?;
    ensure!(reply.code == 554 || reply.code == 503, "{reply:?}");
    peer.command("RSET")?;
    ensure!(waiting()? == 0, "an unknown recipient was reported");

    // Refused after the message: the peer tells its own sender.
    let looping = "Received: from a by b; Fri, 20 Nov 2026 10:00:00 +0100\r\n".repeat(51);
    let reply = peer.send(&bob, &[ANNE], format!("{looping}From: {bob}\r\n\r\nx\r\n").as_bytes())?;
    ensure!(reply.code == 554 && reply.status() == "5.4.6", "{reply:?}");
    ensure!(waiting()? == 0, "a loop was reported");
    let travelled = "Received: from a by b; Fri, 20 Nov 2026 10:00:00 +0100\r\n".repeat(50);
    ensure!(peer.send(&bob, &[ANNE], format!("{travelled}From: {bob}\r\n\r\nx\r\n").as_bytes())?.is_ok());

    // Reports of success: to the sender who asked, once; never about what comes from nobody, and never about NEVER.
    for (sender, notify, reports) in [("", "SUCCESS", 0), (bob.as_str(), "NEVER", 0), (bob.as_str(), "SUCCESS", 1)] {
        let before = waiting()?;
        peer.expect(&format!("MAIL FROM:<{sender}>"), 250)?;
        peer.expect(&format!("RCPT TO:<{ANNE}> NOTIFY={notify}"), 250)?;
        peer.expect("DATA", 354)?;
        peer.wire.send(format!("From: {bob}\r\n\r\nx\r\n.\r\n"))?;
        ensure!(peer.reply()?.is_ok());
        ensure!(waiting()? - before == reports, "<{sender}> NOTIFY={notify}");
    }
    // The report itself comes from nobody, and asks for nothing.
    let listed = server.sceau(&["queue", "list", "--json"])?.out;
    ensure!(listed.contains(&bob) && !listed.contains("postmaster@"), "{listed}");
    Ok(())
}

#[test]
fn s22_a_forged_sender_hears_nothing() -> Result<()> {
    let server = Trusted::start("")?;
    // From the gateway's network anybody can be named: reports of success would be backscatter.
    let mut filter = tests::smtp::Smtp::plain(server.gateway())?;
    filter.expect("EHLO filter.example", 250)?;
    filter.expect(&format!("MAIL FROM:<victim@{OF_B}>"), 250)?;
    filter.expect("RCPT TO:<nobody@hopital.example>", 550)?;
    filter.command("RSET")?;
    let queue = server.sceau(&["queue", "list"])?;
    ensure!(!queue.out.contains("waiting"), "{}", queue.out);
    Ok(())
}
