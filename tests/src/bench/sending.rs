//! How fast mail is taken, for good: by SMTP and by APPEND; and how soon the one who waits hears of it.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tests::{letter, smtp::Smtp};

use crate::{
    Plan,
    figures::{Figures, quantile},
    target::{RECIPIENTS, Target},
};

const SENDER: &str = "bench@elsewhere.example";

/// 4 KiB written and synced, one after the other: what this disk gives to whoever keeps a promise. Written over octets
/// that are there, as a log that starts anew does, and at the end of a file that grows, as most queues do.
pub fn raw_syncs(figures: &mut Figures, folder: &Path, plan: &Plan) -> Result<()> {
    const BLOCK: [u8; 4_096] = [0x5a; 4_096];
    const BLOCKS: u64 = 2_048;
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(folder.join("syncs"))?;
    for (how, blocks_there) in [("appended", 0), ("overwritten", BLOCKS)] {
        file.set_len(0)?;
        file.write_all_at(&BLOCK.repeat(usize::try_from(blocks_there)?), 0)?;
        file.sync_all()?;
        let mut milliseconds = Vec::new();
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < plan.seconds() / 4.0 {
            let one = Instant::now();
            let block = milliseconds.len() as u64;
            file.write_all_at(&BLOCK, block.checked_rem(blocks_there).unwrap_or(block) * BLOCK.len() as u64)?;
            file.sync_data()?;
            milliseconds.push(one.elapsed().as_secs_f64() * 1_000.0);
        }
        let rate = milliseconds.len() as f64 / begun.elapsed().as_secs_f64();
        milliseconds.sort_by(f64::total_cmp);
        figures.all(&format!("4 KiB {how} + fdatasync, per second"), "disk", &[rate]);
        figures.add(&format!("4 KiB {how} + fdatasync, median, ms"), "disk", quantile(&milliseconds, 0.5));
    }
    Ok(())
}

/// Messages per second until all are accepted and visible by IMAP.
pub fn smtp_rates(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let works: &[(usize, &str, &[usize])] = if plan.quick {
        &[(10_240, "10 kB", &[1, 100]), (1_048_576, "1 MB", &[10])]
    } else {
        &[(1_024, "1 kB", &[1, 10, 100]), (10_240, "10 kB", &[1, 10, 100]), (1_048_576, "1 MB", &[1, 10])]
    };
    for (octets, size, sessions) in works {
        for sessions in *sessions {
            let rates = (0..plan.runs()).map(|_| smtp_rate(target, *octets, *sessions, plan.seconds()));
            let rates = rates.collect::<Result<Vec<_>>>()?;
            let plural = if *sessions == 1 { "session" } else { "sessions" };
            figures.all(&format!("SMTP {size}, {sessions} {plural}, delivered per second"), target.side, &rates);
        }
    }
    Ok(())
}

fn smtp_rate(target: &Target, octets: usize, sessions: usize, seconds: f64) -> Result<f64> {
    let mut watchers = (0..RECIPIENTS).map(|account| target.imap(account)).collect::<Result<Vec<_>>>()?;
    let before = target.visible(&mut watchers)?;
    let accepted = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let ready = Barrier::new(sessions + 1);
    let body = body(octets);
    let begun = std::thread::scope(|scope| -> Result<Instant> {
        let working: Vec<_> = (0..sessions)
            .map(|number| {
                let (accepted, stop, ready, body) = (&accepted, &stop, &ready, &body);
                scope.spawn(move || -> Result<()> {
                    let smtp = target.smtp();
                    ready.wait();
                    let mut smtp = smtp?;
                    let mut turn = number;
                    while !stop.load(Ordering::Relaxed) {
                        let recipient = &target.accounts[turn % RECIPIENTS];
                        deliver(&mut smtp, recipient, body)?;
                        accepted.fetch_add(1, Ordering::Relaxed);
                        turn += 1;
                    }
                    Ok(())
                })
            })
            .collect();
        ready.wait();
        let begun = Instant::now();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
        for thread in working {
            thread.join().map_err(|_| anyhow::anyhow!("a session panicked"))??;
        }
        Ok(begun)
    })?;
    let accepted = accepted.into_inner();
    let waiting = Instant::now();
    while target.visible(&mut watchers)? < before + accepted {
        ensure!(waiting.elapsed() < Duration::from_secs(120), "accepted messages do not appear");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(accepted as f64 / begun.elapsed().as_secs_f64())
}

/// A body ready for the wire, without the fields that make each message one of its own.
fn body(octets: usize) -> Vec<u8> {
    tests::smtp::stuffed(&letter::plain(SENDER, "someone@bench.example", octets))
}

/// One transaction in two round trips; gives the time from the end of data to its reply.
fn deliver(smtp: &mut Smtp, recipient: &str, body: &[u8]) -> Result<Duration> {
    smtp.wire.send(format!("MAIL FROM:<{SENDER}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n"))?;
    for expected in [250, 250, 354] {
        let reply = smtp.reply()?;
        ensure!(reply.code == expected, "expected {expected}, heard {reply:?}");
    }
    let mut octets = format!("X-Bench: {}\r\n", letter::unique_name()).into_bytes();
    octets.extend_from_slice(body);
    smtp.wire.send(octets)?;
    let sent = Instant::now();
    let reply = smtp.reply()?;
    ensure!(reply.code == 250, "not accepted: {reply:?}");
    Ok(sent.elapsed())
}

/// End of data to 250, one session, 10 kB: what a durable answer costs, beside the disk's own sync in the same seconds.
pub fn end_of_data(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let body = body(10_240);
    let mut smtp = target.smtp()?;
    for _ in 0..plan.runs() {
        let mut milliseconds = Vec::new();
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < plan.seconds() {
            milliseconds.push(deliver(&mut smtp, &target.accounts[0], &body)?.as_secs_f64() * 1_000.0);
        }
        milliseconds.sort_by(f64::total_cmp);
        figures.add("SMTP 10 kB, 1 session, end of data to 250, median, ms", target.side, quantile(&milliseconds, 0.5));
        figures.add("SMTP 10 kB, 1 session, end of data to 250, p99, ms", target.side, quantile(&milliseconds, 0.99));
    }
    Ok(())
}

/// APPEND of 10 kB under TLS, each client to a new mailbox of its own.
pub fn append_rates(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    for format in target.formats {
        for clients in [1, 10] {
            let rates = (0..plan.runs()).map(|run| {
                let mailbox = format!("{}Append{clients}-{run}", format.prefix);
                append_rate(target, &mailbox, clients, plan.seconds())
            });
            let rates = rates.collect::<Result<Vec<_>>>()?;
            let plural = if clients == 1 { "client" } else { "clients" };
            figures.all(&format!("APPEND 10 kB, {clients} {plural}, per second{}", format.words), target.side, &rates);
        }
    }
    Ok(())
}

fn append_rate(target: &Target, mailbox: &str, clients: usize, seconds: f64) -> Result<f64> {
    for client in 0..clients {
        target.imap(client)?.ok(&format!("CREATE {mailbox}"))?;
    }
    let appended = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let ready = Barrier::new(clients + 1);
    let elapsed = std::thread::scope(|scope| -> Result<Duration> {
        let working: Vec<_> = (0..clients)
            .map(|client| {
                let (appended, stop, ready) = (&appended, &stop, &ready);
                scope.spawn(move || -> Result<()> {
                    let imap = target.imap(client);
                    ready.wait();
                    let mut imap = imap?;
                    let message = letter::plain(SENDER, &target.accounts[client], 10_240);
                    while !stop.load(Ordering::Relaxed) {
                        let field = format!("X-Bench: {}\r\n", letter::unique_name());
                        let tag = imap.tag();
                        let octets = field.len() + message.len();
                        let mut wire = format!("{tag} APPEND {mailbox} {{{octets}+}}\r\n{field}").into_bytes();
                        wire.extend_from_slice(&message);
                        wire.extend_from_slice(b"\r\n");
                        imap.wire.send(wire)?;
                        let completed = imap.completion(&tag)?;
                        ensure!(completed.is_ok(), "APPEND: {}", completed.status);
                        appended.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        ready.wait();
        let begun = Instant::now();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
        for thread in working {
            thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        Ok(begun.elapsed())
    })?;
    Ok(appended.into_inner() as f64 / elapsed.as_secs_f64())
}

/// From the 250 that one client reads to the EXISTS that another, in IDLE, reads.
pub fn idle_wake_up(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let account = RECIPIENTS;
    let mut watcher = target.imap(account)?;
    watcher.ok("SELECT INBOX")?;
    let mut smtp = target.smtp()?;
    let body = body(1_024);
    let (heard, hears) = mpsc::channel();
    let count = if plan.quick { 20 } else { 101 };
    let recipient = target.accounts[account].clone();
    watcher.idle()?;
    let listening = std::thread::spawn(move || -> Result<()> {
        for _ in 0..count {
            while !watcher.response()?.text.ends_with("EXISTS") {}
            heard.send(Instant::now())?;
        }
        Ok(())
    });
    let mut milliseconds = Vec::new();
    for _ in 0..count {
        std::thread::sleep(Duration::from_millis(20));
        deliver(&mut smtp, &recipient, &body)?;
        let accepted = Instant::now();
        let heard = hears.recv_timeout(Duration::from_secs(30)).context("nobody woke up")?;
        milliseconds.push(heard.saturating_duration_since(accepted).as_secs_f64() * 1_000.0);
    }
    listening.join().map_err(|_| anyhow::anyhow!("the watcher panicked"))??;
    figures.all("IDLE wake-up after 250, ms", target.side, &milliseconds);
    Ok(())
}
