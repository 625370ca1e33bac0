//! Opening and reading: mailboxes of 10,000 and 100,000 messages, and bodies of 1 MiB.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tests::{imap::Imap, letter};

use crate::{
    Plan,
    figures::Figures,
    target::{RECIPIENTS, Target},
};

/// Time both servers get after the filling, whose checkpoints and writes would otherwise be measured.
const SETTLING: Duration = Duration::from_secs(5);

/// SELECT, FETCH FLAGS, FETCH ENVELOPE, SEARCH and STORE on large mailboxes.
pub fn large(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let sizes: &[(usize, &str)] =
        if plan.quick { &[(10_000, "10,000")] } else { &[(10_000, "10,000"), (100_000, "100,000")] };
    for (number, (messages, words)) in sizes.iter().enumerate() {
        let account = RECIPIENTS + 1 + number;
        let mailbox = "Large";
        fill(target, account, mailbox, *messages)?;
        std::thread::sleep(SETTLING);
        let side = target.side;
        let runs = plan.runs().max(5);

        let new = (0..runs * 3).map(|_| {
            let mut imap = target.imap(account)?;
            timed(&mut imap, &format!("SELECT {mailbox}"))
        });
        figures.all(&format!("SELECT of {words}, new connection, ms"), side, &new.collect::<Result<Vec<_>>>()?);

        let mut imap = target.imap(account)?;
        let selected = imap.ok(&format!("SELECT {mailbox}"))?;
        ensure!(selected.number_before("EXISTS") == Some(*messages as u64), "the mailbox is not full");
        let mut measure = |figure: String, commands: &[String]| -> Result<()> {
            timed(&mut imap, &commands[0])?;
            let times = (0..runs.max(commands.len())).map(|run| timed(&mut imap, &commands[run % commands.len()]));
            figures.all(&figure, side, &times.collect::<Result<Vec<_>>>()?);
            Ok(())
        };
        measure(format!("SELECT of {words}, same connection, ms"), &[format!("SELECT {mailbox}")])?;
        measure(format!("FETCH FLAGS 1:* of {words}, ms"), &["FETCH 1:* FLAGS".into()])?;
        measure(format!("FETCH ENVELOPE of 1,000 in {words}, warm, ms"), &["FETCH 1:1000 ENVELOPE".into()])?;
        measure(format!("SEARCH UNSEEN of {words}, ms"), &["SEARCH UNSEEN".into()])?;
        if *messages <= 10_000 {
            measure(format!("SEARCH SUBJECT of {words}, warm, ms"), &["SEARCH SUBJECT nowhere".into()])?;
            measure(format!("SEARCH TEXT of {words}, warm, ms"), &["SEARCH TEXT nowhere".into()])?;
            let stores = ["STORE 1:* +FLAGS.SILENT (\\Seen)".into(), "STORE 1:* -FLAGS.SILENT (\\Seen)".into()];
            measure(format!("STORE FLAGS 1:* of {words}, ms"), &stores)?;
        }
    }
    Ok(())
}

/// FETCH BODY[] of messages of 1 MiB, one after the other.
pub fn bodies(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let account = RECIPIENTS + 5;
    let mut imap = target.imap(account)?;
    let user = target.accounts[account].clone();
    let count = plan.runs().max(5);
    for _ in 0..count {
        ensure!(imap.append("INBOX", "", &letter::plain(&user, &user, 1_048_576))?.is_ok());
    }
    imap.ok("SELECT INBOX")?;
    let times = (1..=count).map(|number| timed(&mut imap, &format!("FETCH {number} BODY.PEEK[]")));
    figures.all("FETCH BODY[] of 1 MiB, ms", target.side, &times.collect::<Result<Vec<_>>>()?);
    Ok(())
}

/// Milliseconds from the command to its completion, without keeping what comes.
fn timed(imap: &mut Imap, command: &str) -> Result<f64> {
    let tag = imap.tag();
    let begun = Instant::now();
    imap.wire.send(format!("{tag} {command}\r\n"))?;
    let (_, line) = imap.wire.until_last_line_starts_with(format!("{tag} ").as_bytes())?;
    let time = begun.elapsed().as_secs_f64() * 1_000.0;
    ensure!(line.starts_with(format!("{tag} OK").as_bytes()), "{command}: {}", String::from_utf8_lossy(&line));
    Ok(time)
}

/// Fills a mailbox with messages of 1 kB, every other one seen.
fn fill(target: &Target, account: usize, mailbox: &str, messages: usize) -> Result<()> {
    target.imap(account)?.ok(&format!("CREATE {mailbox}"))?;
    let user = &target.accounts[account];
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let filling: Vec<_> = (0..target.filling)
            .map(|_| {
                let next = &next;
                scope.spawn(move || -> Result<()> {
                    let mut imap = target.imap(account)?;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= messages {
                            return Ok(());
                        }
                        let flags = if number.is_multiple_of(2) { "(\\Seen) " } else { "" };
                        let completed = imap.append(mailbox, flags, &letter::plain(user, user, 1_024))?;
                        ensure!(completed.is_ok(), "APPEND: {}", completed.status);
                    }
                })
            })
            .collect();
        filling.into_iter().try_for_each(|thread| thread.join().ok().context("a client panicked")?)
    })?;
    eprintln!("    {:>5}: filled {messages} in {:.0} s", target.side, begun.elapsed().as_secs_f64());
    Ok(())
}
