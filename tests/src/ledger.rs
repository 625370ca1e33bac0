//! A client that writes down what the server acknowledged, and later holds the server to it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, ensure};

use crate::{
    imap::{Imap, number_after},
    letter,
    random::Random,
    server::Doors,
};

const SENDER: &str = "ledger@elsewhere.example";

/// What was asked, and whether the server said it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    NotAsked,
    Asked,
    Acknowledged,
}

#[derive(Clone, Debug)]
struct Entry {
    octets: usize,
    by_append: bool,
    delivery: Deed,
    flagged: Deed,
    expunged: Deed,
    uid: Option<u64>,
}

/// Every message that was sent to one INBOX, and what became of it.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<String, Entry>,
    names: BTreeMap<u64, String>,
    uidvalidity: Option<u64>,
    highest_modseq: u64,
    highest_uid: u64,
    bodies_checked_to: u64,
}

/// What a verification counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries that were acknowledged so far.
    pub acknowledged: usize,
    /// Changes of flags that were.
    pub flagged: usize,
    /// Expunges that were.
    pub expunged: usize,
    /// Messages that are there.
    pub present: usize,
}

/// A ledger that several clients write into.
pub type Shared = Mutex<Ledger>;

fn open(ledger: &Shared) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends by SMTP until the connection breaks, or `stop` is set; gives the refusal if there was one.
pub fn send_until_broken(doors: &Doors, ledger: &Shared, stop: &AtomicBool, random: &mut Random) -> Option<String> {
    let recipient = doors.user(2).0;
    let mut smtp = doors.relay().ok()?;
    smtp.expect("EHLO elsewhere.example", 250).ok()?;
    while !stop.load(Ordering::Relaxed) {
        let (name, octets) = new_entry(ledger, random, false);
        let message = letter::named(SENDER, recipient, &name, octets);
        let reply = smtp.send(SENDER, &[recipient], &message).ok()?;
        if !reply.is_ok() {
            // Refused for now, as after a failed sync, it may be there or not: the client would send it again.
            if reply.code >= 500 {
                open(ledger).entries.remove(&name);
            }
            return Some(format!("{} {}", reply.code, reply.lines.join(" / ")));
        }
        open(ledger).at(&name).delivery = Deed::Acknowledged;
    }
    None
}

/// Appends by IMAP until the connection breaks, or `stop` is set; gives the refusal if there was one.
pub fn append_until_broken(doors: &Doors, ledger: &Shared, stop: &AtomicBool, random: &mut Random) -> Option<String> {
    let recipient = doors.user(2).0;
    let mut imap = doors.imap(2).ok()?;
    while !stop.load(Ordering::Relaxed) {
        let (name, octets) = new_entry(ledger, random, true);
        let message = letter::named(SENDER, recipient, &name, octets);
        let completed = imap.append("INBOX", "", &message).ok()?;
        let mut ledger = open(ledger);
        if !completed.is_ok() {
            return Some(completed.status);
        }
        // "[APPENDUID uidvalidity uid]" (RFC 4315 §3).
        let uid = completed.status.split("APPENDUID ").nth(1).and_then(|rest| number_after(rest, " "));
        ledger.at(&name).delivery = Deed::Acknowledged;
        if let Some(uid) = uid {
            ledger.highest_uid = ledger.highest_uid.max(uid);
            ledger.at(&name).uid = Some(uid);
            ledger.names.insert(uid, name);
        }
    }
    None
}

/// Sets flags and expunges until the connection breaks, or `stop` is set.
pub fn change_until_broken(doors: &Doors, ledger: &Shared, stop: &AtomicBool, random: &mut Random) -> Option<()> {
    let mut imap = doors.imap(2).ok()?;
    imap.ok("SELECT INBOX").ok()?;
    while !stop.load(Ordering::Relaxed) {
        let chosen = {
            let ledger = open(ledger);
            let unexpunged = |uid: &&u64| ledger.entries[&ledger.names[uid]].expunged == Deed::NotAsked;
            let uids: Vec<u64> = ledger.names.keys().filter(unexpunged).copied().collect();
            uids.get(random.any() as usize % uids.len().max(1)).copied()
        };
        let Some(uid) = chosen else {
            std::thread::sleep(std::time::Duration::from_millis(5));
            imap.ok("NOOP").ok()?;
            continue;
        };
        // A session acts on what it was told of: without this, a new UID does not exist for it, and OK means nothing.
        imap.ok("NOOP").ok()?;
        if random.between(0, 4) == 0 {
            open(ledger).by_uid(uid).expunged = Deed::Asked;
            imap.ok(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)")).ok()?;
            let told = imap.ok(&format!("UID EXPUNGE {uid}")).ok()?;
            if told.find("EXPUNGE").is_some() {
                open(ledger).by_uid(uid).expunged = Deed::Acknowledged;
            }
        } else {
            {
                let mut ledger = open(ledger);
                let entry = ledger.by_uid(uid);
                if entry.flagged == Deed::NotAsked {
                    entry.flagged = Deed::Asked;
                }
            }
            let told = imap.ok(&format!("UID STORE {uid} +FLAGS (\\Flagged $Ledger)")).ok()?;
            if told.find(&format!("UID {uid}")).is_some_and(|response| response.text.contains("$Ledger")) {
                open(ledger).by_uid(uid).flagged = Deed::Acknowledged;
            }
        }
    }
    None
}

fn new_entry(ledger: &Shared, random: &mut Random, by_append: bool) -> (String, usize) {
    let name = letter::unique_name();
    // Mostly small, now and then large enough to be a file of its own.
    let octets = match random.between(0, 12) {
        0 => random.between(100_000, 400_000),
        1..4 => random.between(10_000, 60_000),
        _ => random.between(400, 4_000),
    };
    let octets = usize::try_from(octets).unwrap_or(400);
    let entry = Entry {
        octets,
        by_append,
        delivery: Deed::Asked,
        flagged: Deed::NotAsked,
        expunged: Deed::NotAsked,
        uid: None,
    };
    open(ledger).entries.insert(name.clone(), entry);
    (name, octets)
}

impl Ledger {
    fn at(&mut self, name: &str) -> &mut Entry {
        self.entries.get_mut(name).expect("written down before it was sent")
    }

    fn by_uid(&mut self, uid: u64) -> &mut Entry {
        let name = self.names[&uid].clone();
        self.at(&name)
    }

    /// Reads the whole INBOX, and compares: each acknowledged message is there exactly once with the same octets, under
    /// the UID it always had; acknowledged flags are set, acknowledged expunges stay; MODSEQ does not go back.
    pub fn verify(&mut self, imap: &mut Imap, recipient: &str) -> Result<Tally> {
        let selected = imap.ok("SELECT INBOX (CONDSTORE)")?;
        let uidvalidity = selected.code("UIDVALIDITY").context("no UIDVALIDITY")?;
        ensure!(*self.uidvalidity.get_or_insert(uidvalidity) == uidvalidity, "UIDVALIDITY changed");
        let modseq = selected.code("HIGHESTMODSEQ").context("no HIGHESTMODSEQ")?;
        ensure!(modseq >= self.highest_modseq, "HIGHESTMODSEQ went from {} to {modseq}", self.highest_modseq);
        self.highest_modseq = modseq;
        let uidnext = selected.code("UIDNEXT").context("no UIDNEXT")?;
        ensure!(uidnext > self.highest_uid, "UIDNEXT {uidnext} is not above UID {}", self.highest_uid);

        let mut found = BTreeMap::new();
        for response in imap.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Ledger)])")?.untagged {
            let Some(uid) = number_after(&response.text, "UID ") else { continue };
            let field = String::from_utf8_lossy(response.literals.first().context("no literal")?).into_owned();
            let Some(name) = field.trim().strip_prefix("X-Ledger: ").map(str::to_owned) else { continue };
            ensure!(self.entries.contains_key(&name), "UID {uid} holds {name}, which was never sent");
            let known = self.names.entry(uid).or_insert_with(|| name.clone());
            ensure!(*known == name, "UID {uid} was {known} and is now {name}");
            ensure!(found.insert(name.clone(), uid).is_none(), "{name} is there twice");
            self.highest_uid = self.highest_uid.max(uid);

            let entry = self.at(&name);
            ensure!(*entry.uid.get_or_insert(uid) == uid, "{name} was UID {:?} and is now {uid}", entry.uid);
            ensure!(entry.expunged != Deed::Acknowledged, "{name} was expunged and is back as UID {uid}");
            let flagged = response.text.contains("\\Flagged") && response.text.contains("$Ledger");
            ensure!(entry.flagged != Deed::Acknowledged || flagged, "{name} lost its flags: {}", response.text);
            ensure!(entry.flagged != Deed::NotAsked || !flagged, "{name} has flags nobody set: {}", response.text);
        }
        for (name, entry) in &self.entries {
            let may_be_gone = entry.delivery != Deed::Acknowledged || entry.expunged != Deed::NotAsked;
            ensure!(may_be_gone || found.contains_key(name), "{name} was acknowledged and is lost: {entry:?}");
        }
        self.verify_bodies(imap, recipient)?;

        let count =
            |deed: fn(&Entry) -> Deed| self.entries.values().filter(|entry| deed(entry) == Deed::Acknowledged).count();
        Ok(Tally {
            acknowledged: count(|entry| entry.delivery),
            flagged: count(|entry| entry.flagged),
            expunged: count(|entry| entry.expunged),
            present: found.len(),
        })
    }

    /// From now on, bodies are compared again from the first message on.
    pub fn recheck_bodies(&mut self) {
        self.bodies_checked_to = 0;
    }

    fn verify_bodies(&mut self, imap: &mut Imap, recipient: &str) -> Result<()> {
        let from = self.bodies_checked_to + 1;
        for response in imap.ok(&format!("UID FETCH {from}:* (UID BODY.PEEK[])"))?.untagged {
            let Some(uid) = number_after(&response.text, "UID ") else { continue };
            let Some(name) = self.names.get(&uid) else { continue };
            let entry = &self.entries[name];
            let stored = response.literals.first().context("no literal")?;
            let sent = letter::named(SENDER, recipient, name, entry.octets);
            let trace = letter::trace_before(stored, &sent);
            ensure!(trace.is_some(), "{name}, UID {uid}: other octets than were sent");
            ensure!(trace == Some(&[]) || !entry.by_append, "{name}, UID {uid}: an appended message was touched");
            self.bodies_checked_to = self.bodies_checked_to.max(uid);
        }
        Ok(())
    }
}
