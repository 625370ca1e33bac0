//! What the store costs on this machine, beside the raw sync of the same disk in the same run.
//!
//! `cargo run --release -p store --example measure -- FOLDER [commit|threshold|read|bulk]…`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measuring program: it looks at the clock and ends at the first error"
)]

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::account::NewAccount;
use store::entry::Scope;
use store::flags::FlagOperation;
use store::mailbox::MailboxName;
use store::message::{NewMessage, Wanted};
use store::{Config, Flags, MailboxId, Store, StoreError, SystemFlag, UidSet, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_795_132_800_000);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = Path::new(arguments.first().expect("a folder"));
    let wants = |name: &str| arguments.len() == 1 || arguments[1..].iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    raw_sync(folder);
    if wants("commit") {
        for committers in [1, 10, 100] {
            runtime.block_on(commits(folder, committers, 10_000, Config::INLINE_OCTETS_MAX));
        }
        runtime.block_on(commits(folder, 10, 1_000_000, Config::INLINE_OCTETS_MAX));
    }
    if wants("threshold") {
        for octets in [4, 16, 32, 48, 64, 96, 128, 256] {
            for committers in [1, 20] {
                for limit in [2 << 20, 0] {
                    raw_sync(folder);
                    runtime.block_on(commits(folder, committers, octets << 10, limit));
                }
            }
        }
    }
    if wants("read") {
        runtime.block_on(reads(folder));
    }
    if wants("bulk") {
        runtime.block_on(bulk(folder));
    }
}

/// A page of 4 KiB and its sync, as a commit of SQLite at best is.
fn raw_sync(folder: &Path) {
    let path = folder.join("raw-sync");
    let mut file = std::fs::File::create(&path).unwrap();
    let mut times: Vec<Duration> = (0..300)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    std::fs::remove_file(path).unwrap();
    report("raw write and fdatasync", &mut times);
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
    println!("{what}: median {:.2} ms, p90 {:.2}, p99 {:.2}, max {:.2}", at(50), at(90), at(99), at(100));
}

async fn open(folder: &Path, inline_octets_max: usize, mailboxes: usize) -> (tempfile::TempDir, Store, Vec<MailboxId>) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let config = Config { inline_octets_max, ..Config::in_folder(folder.path()) };
    let store = Store::open(&config).unwrap();
    let inboxes = store
        .transaction(move |tx| {
            let structure = store::structure::create(tx, "one", NOW)?;
            let mut inboxes = Vec::new();
            for _ in 0..mailboxes {
                let new = NewAccount { structure, name: "x", language: mail::Language::French, quota_octets: 0 };
                let account = store::account::create(tx, &new, NOW)?;
                inboxes.push(store::mailbox::by_name(tx, account, &MailboxName::inbox())?.unwrap().id);
            }
            Ok::<_, StoreError>(inboxes)
        })
        .await
        .unwrap();
    (folder, store, inboxes)
}

async fn deliver(store: &Store, mailbox: MailboxId, content: &[u8], number: u64) -> Result<(), StoreError> {
    let mut writer = store.stage()?;
    writer.write(content).await?;
    let staged = writer.finish().await?;
    store
        .transaction(move |tx| {
            let id = format!("{number}@example.org");
            let new = NewMessage {
                staged: &staged,
                trace_prefix: &[b'r'; 300],
                internal_date: NOW,
                envelope: &[b'e'; 250],
                structure: &[b's'; 200],
                preview: "Bonjour, voici le compte rendu de la consultation du 12 novembre.",
                header_texts: &[b'h'; 300],
                over_quota: store::message::OverQuota::Refused,
                message_id: Some(&id),
                references: &[],
            };
            store::message::append(tx, mailbox, &new, &Flags::none(), NOW)
        })
        .await?;
    Ok(())
}

async fn commits(folder: &Path, committers: usize, octets: usize, inline_octets_max: usize) {
    let (_folder, store, inboxes) = open(folder, inline_octets_max, committers).await;
    let content: Arc<[u8]> = (0..octets).map(|place| ((place * 31) >> 3) as u8).collect();
    let end = Instant::now() + Duration::from_secs(3);
    let count = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = inboxes
        .into_iter()
        .enumerate()
        .map(|(task, mailbox)| {
            let (store, content, count) = (store.clone(), content.clone(), count.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while Instant::now() < end {
                    let start = Instant::now();
                    deliver(&store, mailbox, &content, (task * 1_000_000 + times.len()) as u64).await.unwrap();
                    times.push(start.elapsed());
                    count.fetch_add(1, Ordering::Relaxed);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let rate = count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    let place = if octets <= inline_octets_max { "database" } else { "file" };
    let metrics = store.metrics();
    let [commits, transactions, checkpoints, spent, log] = [
        &metrics.commits,
        &metrics.transactions,
        &metrics.checkpoints,
        &metrics.commit_microseconds,
        &metrics.log_pages,
    ]
    .map(|counter| counter.load(Ordering::Relaxed));
    println!(
        "{octets} octets in {place}, {committers} committers: {rate:.0}/s; group {:.1}; COMMIT {:.2} ms; {checkpoints} \
         checkpoints, longest {:.0} ms, writer held at most {:.1} ms; log {log} pages",
        transactions as f64 / commits as f64,
        spent as f64 / commits as f64 / 1e3,
        metrics.checkpoint_microseconds_max.load(Ordering::Relaxed) as f64 / 1e3,
        metrics.writer_held_microseconds_max.load(Ordering::Relaxed) as f64 / 1e3,
    );
    report("  stage and commit", &mut times);
    store.close().await;
}

async fn reads(folder: &Path) {
    let (_folder, store, inboxes) = open(folder, Config::INLINE_OCTETS_MAX, 1).await;
    let inbox = inboxes[0];
    fill(&store, inbox).await;
    let (mut opens, mut scans, mut lists, mut envelopes) = (vec![], vec![], vec![], vec![]);
    for _ in 0..20 {
        let start = Instant::now();
        let account = inbox.account;
        let opened =
            store.read(move |view| store::mailbox::open(view, account, &MailboxName::inbox())).await.unwrap().unwrap();
        opens.push(start.elapsed());

        let start = Instant::now();
        let point = opened.mailbox.view_point();
        let count = store.read(move |view| store::entry::uids(view, inbox, point)).await.unwrap().count();
        lists.push(start.elapsed());
        assert_eq!(count, 100_000);

        let start = Instant::now();
        let mut from = 1;
        let mut seen = 0_i64;
        while from <= 100_000 {
            let (last, bits) = store
                .read(move |view| {
                    let (mut last, mut bits) = (0, 0);
                    store::entry::flags(view, inbox, from..=u32::MAX, 5_000, &mut |one| {
                        last = one.uid.get();
                        bits += one.flags.0;
                        Ok(ControlFlow::Continue(()))
                    })?;
                    Ok::<_, StoreError>((last, bits))
                })
                .await
                .unwrap();
            from = last + 1;
            seen += bits;
        }
        assert_eq!(seen, 0);
        scans.push(start.elapsed());

        let start = Instant::now();
        let wanted = Wanted { envelope: true, ..Wanted::default() };
        let octets = store
            .read(move |view| {
                let mut octets = 0;
                store::message::fetch(view, inbox, 50_001..=51_000, 1_000, wanted, &mut |message| {
                    octets += message.envelope.len();
                    Ok(ControlFlow::Continue(()))
                })?;
                Ok::<_, StoreError>(octets)
            })
            .await
            .unwrap();
        assert_eq!(octets, 250_000);
        envelopes.push(start.elapsed());
    }
    report("open of 100,000", &mut opens);
    report("list of 100,000 UIDs", &mut lists);
    report("flags of 100,000", &mut scans);
    report("envelopes of 1,000", &mut envelopes);
    store.close().await;
}

/// What one command on a whole mailbox costs, and how long others wait for the writer meanwhile.
async fn bulk(folder: &Path) {
    let (_folder, store, inboxes) = open(folder, Config::INLINE_OCTETS_MAX, 1).await;
    let inbox = inboxes[0];
    fill(&store, inbox).await;
    let name = MailboxName::parse("Copy").unwrap();
    let other = name.clone();
    let target =
        store.transaction(move |tx| store::mailbox::create(tx, inbox.account, &other, None, NOW)).await.unwrap();
    let all = UidSet::all;
    let start = Instant::now();
    store.transaction(move |tx| store::entry::copy_to(tx, inbox, &all(), target, NOW)).await.unwrap();
    println!("COPY of 100,000: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let flags = Flags::system(&[SystemFlag::Deleted]);
    store
        .transaction(move |tx| store::entry::set_flags(tx, inbox, &all(), FlagOperation::Add, &flags, None))
        .await
        .unwrap();
    println!("STORE of 100,000: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    store.transaction(move |tx| store::mailbox::delete(tx, inbox.account, &name, NOW)).await.unwrap();
    println!("DELETE of 100,000: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    store.sweep(NOW).await.unwrap();
    println!("sweep of 100,000 copies: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let (start, mut longest, mut steps) = (Instant::now(), Duration::ZERO, 0);
    loop {
        let step = Instant::now();
        let done = store.transaction(move |tx| store::entry::expunge(tx, inbox, Scope::All, NOW)).await.unwrap();
        longest = longest.max(step.elapsed());
        steps += 1;
        if !done.more {
            break;
        }
    }
    println!(
        "EXPUNGE of 100,000: {:.0} ms in {steps} transactions, the longest {:.0} ms",
        start.elapsed().as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3
    );
    let (start, mut faults) = (Instant::now(), 0);
    store.verify(NOW, |_| faults += 1, |_| ()).await.unwrap();
    println!("verify: {:.0} ms, {faults} faults", start.elapsed().as_secs_f64() * 1e3);
    store.close().await;
}

async fn fill(store: &Store, inbox: MailboxId) {
    for chunk in 0..200_u64 {
        let mut staged = Vec::new();
        for _ in 0..500 {
            let mut writer = store.stage().unwrap();
            writer.write(&[b'x'; 2_000]).await.unwrap();
            staged.push(writer.finish().await.unwrap());
        }
        store
            .transaction(move |tx| {
                for (index, staged) in staged.iter().enumerate() {
                    let id = format!("{chunk}-{index}@example.org");
                    let new = NewMessage {
                        staged,
                        trace_prefix: &[b'r'; 300],
                        internal_date: NOW,
                        envelope: &[b'e'; 250],
                        structure: &[b's'; 200],
                        preview: "Bonjour, voici le compte rendu de la consultation du 12 novembre.",
                        header_texts: &[b'h'; 300],
                        over_quota: store::message::OverQuota::Refused,
                        message_id: Some(&id),
                        references: &[],
                    };
                    store::message::append(tx, inbox, &new, &Flags::none(), NOW)?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
    }
}
