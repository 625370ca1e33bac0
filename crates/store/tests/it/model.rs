//! Mailboxes against a simple model of them: UIDs, flags, MODSEQs, counters, and what a session is told of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use store::entry::Scope;
use store::flags::FlagOperation;
use store::mailbox::ViewPoint;
use store::{FlagBits, Flags, Keywords, MailboxId, ModSeq, Store, StoreError, Uid, UidSet};

use crate::world::{NOW, World, append, stage};

const NAMES: [&str; 6] = ["\\Seen", "\\Deleted", "\\Flagged", "urgent", "x", "Y"];

#[derive(Clone, Debug)]
enum Step {
    Append { at: usize, flags: Vec<usize> },
    SetFlags { at: usize, uids: Vec<u32>, operation: u8, flags: Vec<usize>, unchanged_since_steps: Option<usize> },
    Expunge { at: usize, uids: Option<Vec<u32>> },
    Transfer { from: usize, to: usize, uids: Vec<u32>, keep: bool },
    Look { at: usize },
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Message {
    flags: BTreeSet<usize>,
    modseq: i64,
    octets: u64,
}

#[derive(Clone, Debug, Default)]
struct Model {
    messages: BTreeMap<u32, Message>,
    uidnext: u32,
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..2_usize;
    let flags = || prop::collection::vec(0..NAMES.len(), 0..4);
    let uids = || prop::collection::vec(1..12_u32, 0..6);
    prop_oneof![
        3 => (at.clone(), flags()).prop_map(|(at, flags)| Step::Append { at, flags }),
        3 => (at.clone(), uids(), 0..3_u8, flags(), prop::option::weighted(0.2, 0..6_usize)).prop_map(
            |(at, uids, operation, flags, unchanged_since_steps)| Step::SetFlags {
                at, uids, operation, flags, unchanged_since_steps
            }
        ),
        1 => (at.clone(), prop::option::of(uids())).prop_map(|(at, uids)| Step::Expunge { at, uids }),
        1 => (at.clone(), at.clone(), uids(), any::<bool>())
            .prop_map(|(from, to, uids, keep)| Step::Transfer { from, to, uids, keep }),
        1 => at.prop_map(|at| Step::Look { at }),
    ]
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|uid| Uid::new(*uid)).collect()
}

fn flags(names: &BTreeSet<usize>) -> Flags {
    let mut flags = Flags::none();
    for name in names.iter().map(|name| NAMES[*name]) {
        match store::SystemFlag::ALL.into_iter().find(|flag| flag.name() == name) {
            Some(flag) => flags.system = flags.system.with(flag.bits()),
            None => flags.keywords.push(name.to_owned()),
        }
    }
    flags
}

fn names(keywords: &Keywords, bits: FlagBits) -> BTreeSet<usize> {
    let system = store::SystemFlag::ALL.into_iter().filter(|flag| bits.has(*flag)).map(|flag| flag.name());
    let all: Vec<&str> = system.chain(keywords.of(bits)).collect();
    all.iter().map(|name| NAMES.iter().position(|known| known == name).unwrap()).collect()
}

/// Plays the steps on both, comparing after each.
async fn play(store: &Store, steps: Vec<Step>) {
    let account = crate::world::account(store, 0).await;
    let other = store::mailbox::MailboxName::parse("Other").unwrap();
    let boxes: [MailboxId; 2] = store
        .transaction(move |tx| {
            let inbox = store::mailbox::by_name(tx, account, &store::mailbox::MailboxName::inbox())?.unwrap().id;
            Ok::<_, StoreError>([inbox, store::mailbox::create(tx, account, &other, None, NOW)?])
        })
        .await
        .unwrap();
    let mut models = [Model { uidnext: 1, ..Model::default() }, Model { uidnext: 1, ..Model::default() }];
    let mut looks: Vec<(usize, ViewPoint, Model)> = Vec::new();
    let mut modseqs = vec![0_i64];
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Append { at, flags: names } => {
                let names: BTreeSet<usize> = names.into_iter().collect();
                let content = vec![b'x'; number + 1];
                let staged = stage(store, &content).await.unwrap();
                let done = append(store, boxes[at], staged, flags(&names)).await.unwrap();
                assert_eq!(done.uid.get(), models[at].uidnext);
                models[at].uidnext += 1;
                let octets = content.len() as u64 + 17;
                models[at].messages.insert(done.uid.get(), Message { flags: names, modseq: done.modseq.0, octets });
                modseqs.push(done.modseq.0);
            }
            Step::SetFlags { at, uids, operation, flags: named, unchanged_since_steps } => {
                let named: BTreeSet<usize> = named.into_iter().collect();
                let (id, wanted, given) = (boxes[at], set(&uids), flags(&named));
                let since = unchanged_since_steps.map(|back| modseqs[modseqs.len().saturating_sub(back + 1)]);
                let operation = [FlagOperation::Add, FlagOperation::Remove, FlagOperation::Replace][operation as usize];
                let done = store
                    .transaction(move |tx| {
                        store::entry::set_flags(tx, id, &wanted, operation, &given, since.map(ModSeq))
                    })
                    .await
                    .unwrap();
                let mut modified = Vec::new();
                for uid in uids.iter().collect::<BTreeSet<_>>() {
                    let Some(message) = models[at].messages.get_mut(uid) else { continue };
                    if since.is_some_and(|since| message.modseq > since) {
                        modified.push(*uid);
                        continue;
                    }
                    let after: BTreeSet<usize> = match operation {
                        FlagOperation::Add => message.flags.union(&named).copied().collect(),
                        FlagOperation::Remove => message.flags.difference(&named).copied().collect(),
                        FlagOperation::Replace => named.clone(),
                    };
                    if after != message.flags {
                        *message = Message { flags: after, modseq: done.modseq.0, octets: message.octets };
                    }
                    let told = done.entries.iter().find(|entry| entry.uid.get() == *uid).unwrap();
                    assert_eq!(told.modseq.0, message.modseq);
                    assert_eq!(names(&done.keywords, told.flags), message.flags);
                }
                assert_eq!(done.modified, set(&modified));
                modseqs.push(done.modseq.0);
            }
            Step::Expunge { at, uids } => {
                let (id, wanted) = (boxes[at], uids.as_ref().map(|uids| set(uids)));
                let done = store
                    .transaction(move |tx| {
                        let scope = wanted.as_ref().map_or(Scope::All, Scope::Uids);
                        store::entry::expunge(tx, id, scope, NOW)
                    })
                    .await
                    .unwrap();
                let mut gone = Vec::new();
                models[at].messages.retain(|uid, message| {
                    let named = uids.as_ref().is_none_or(|uids| uids.contains(uid));
                    let doomed = named && message.flags.contains(&1);
                    if doomed {
                        gone.push(*uid);
                    }
                    !doomed
                });
                assert_eq!(done.uids, set(&gone));
                modseqs.push(done.modseq.0);
            }
            Step::Transfer { from, to, uids, keep } => {
                let (source, target, wanted) = (boxes[from], boxes[to], set(&uids));
                let done = store
                    .transaction(move |tx| match keep {
                        true => store::entry::copy_to(tx, source, &wanted, target, NOW),
                        false => store::entry::move_to(tx, source, &wanted, target, NOW),
                    })
                    .await
                    .unwrap();
                let chosen: Vec<u32> = models[from].messages.keys().copied().filter(|uid| uids.contains(uid)).collect();
                assert_eq!(done.from, set(&chosen));
                let mut given = Vec::new();
                for uid in chosen {
                    let mut message = models[from].messages[&uid].clone();
                    if !keep {
                        models[from].messages.remove(&uid);
                    }
                    message.modseq = done.modseq.0;
                    given.push(models[to].uidnext);
                    let uidnext = models[to].uidnext;
                    models[to].messages.insert(uidnext, message);
                    models[to].uidnext += 1;
                }
                assert_eq!(done.to, set(&given));
                modseqs.push(done.modseq.0);
            }
            Step::Look { at } => {
                let id = boxes[at];
                let row = store.read(move |view| store::mailbox::by_id(view, id)).await.unwrap().unwrap();
                looks.push((at, row.view_point(), models[at].clone()));
            }
        }
        for (at, model) in models.iter().enumerate() {
            compare(store, boxes[at], model).await;
        }
        for (at, point, then) in &looks {
            compare_changes(store, boxes[*at], *point, then, &models[*at]).await;
        }
    }
    assert!(modseqs.is_sorted());
    let differed = store.transaction(move |tx| store::account::recount(tx, account)).await.unwrap();
    assert!(!differed, "the counters were wrong");
}

async fn compare(store: &Store, id: MailboxId, model: &Model) {
    let (row, entries) = store
        .read(move |view| {
            let row = store::mailbox::by_id(view, id)?.unwrap();
            let mut entries = BTreeMap::new();
            store::entry::range(view, id, 1..=u32::MAX, 1_000, &mut |entry| {
                let flags = names(&row.keywords, entry.flags);
                let message = Message { flags, modseq: entry.modseq.0, octets: entry.octets };
                entries.insert(entry.uid.get(), message);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok::<_, StoreError>((row, entries))
        })
        .await
        .unwrap();
    assert_eq!(entries, model.messages);
    assert_eq!(row.uidnext, model.uidnext);
    assert_eq!(row.entries as usize, model.messages.len());
    let with = |flag: usize| model.messages.values().filter(|message| message.flags.contains(&flag)).count();
    assert_eq!(row.unseen as usize, model.messages.len() - with(0));
    assert_eq!(row.deleted as usize, with(1));
    assert_eq!(row.octets, model.messages.values().map(|message| message.octets).sum::<u64>());
    let name = row.name.clone();
    let opened = store.read(move |view| store::mailbox::open(view, id.account, &name)).await.unwrap().unwrap();
    let first = model.messages.values().position(|message| !message.flags.contains(&0));
    assert_eq!(opened.first_unseen, first.map(|position| position as u32 + 1));
}

/// What a session that looked then must be told now.
async fn compare_changes(store: &Store, id: MailboxId, point: ViewPoint, then: &Model, now: &Model) {
    let (uids, changed) = store
        .read(move |view| {
            let uids = store::entry::uids(view, id, point)?;
            Ok::<_, StoreError>((uids, store::entry::changes_since(view, id, point)?))
        })
        .await
        .unwrap();
    assert_eq!(uids, set(&then.messages.keys().copied().collect::<Vec<_>>()));
    let gone: Vec<u32> = then.messages.keys().copied().filter(|uid| !now.messages.contains_key(uid)).collect();
    assert_eq!(changed.vanished, set(&gone));
    let told: BTreeSet<u32> = changed.entries.iter().map(|entry| entry.uid.get()).collect();
    let differs = |(uid, message): (&u32, &Message)| (then.messages.get(uid) != Some(message)).then_some(*uid);
    assert_eq!(told, now.messages.iter().filter_map(differs).collect());
}

#[test]
fn mailboxes_behave_like_their_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for world in runtime.block_on(World::on_every_engine()) {
        let mut runner = TestRunner::new(Cases { cases: 24, failure_persistence: None, ..Cases::default() });
        runner
            .run(&prop::collection::vec(step(), 1..24), |steps| {
                runtime.block_on(play(&world.store, steps));
                Ok(())
            })
            .unwrap();
        assert_eq!(runtime.block_on(crate::keeping::faults(&world.store)), []);
        runtime.block_on(world.store.sweep(NOW)).unwrap();
        assert_eq!(runtime.block_on(crate::keeping::faults(&world.store)), []);
    }
}
