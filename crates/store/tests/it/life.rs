//! The life of mailboxes and messages.

use std::ops::ControlFlow;

use store::entry::Scope;
use store::flags::FlagOperation;
use store::mailbox::MailboxName;
use store::message::Wanted;
use store::{Flags, StoreError, SystemFlag, Uid, UidSet};

use crate::world::{NOW, World, account, append, stage};

fn uids(text: &[u32]) -> UidSet {
    text.iter().filter_map(|number| Uid::new(*number)).collect()
}

#[tokio::test]
async fn a_message_comes_in_is_read_and_goes() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await;
        let content = b"Subject: x\r\n\r\nBonjour\r\n";
        let appended = world.append(inbox.id, content, Flags::none()).await;
        assert_eq!((appended.uid.get(), appended.uidvalidity), (1, inbox.uidvalidity));

        let after = world.inbox().await;
        assert_eq!((after.entries, after.unseen, after.uidnext), (1, 1, 2));
        assert_eq!(after.octets, content.len() as u64 + 17);
        assert_eq!(after.highest_modseq, appended.modseq);

        let octets = world.store.read(move |view| store::message::octets(view, appended.message)).await.unwrap();
        let reader = world.store.open_blob(octets.blob).await.unwrap();
        assert_eq!(reader.read(0..u64::MAX).await.unwrap(), content);
        assert_eq!(reader.read(9..14).await.unwrap(), b"x\r\n\r\n");

        let deleted = Flags::system(&[SystemFlag::Deleted, SystemFlag::Seen]);
        let id = inbox.id;
        let set = world
            .store
            .transaction(move |tx| store::entry::set_flags(tx, id, &UidSet::all(), FlagOperation::Add, &deleted, None))
            .await
            .unwrap();
        assert!(set.entries[0].flags.has(SystemFlag::Deleted) && set.modseq > appended.modseq);
        let gone = world.store.transaction(move |tx| store::entry::expunge(tx, id, Scope::All, NOW)).await.unwrap();
        assert_eq!((gone.uids.to_string().as_str(), gone.more), ("1", false));
        let empty = world.inbox().await;
        assert_eq!((empty.entries, empty.unseen, empty.deleted, empty.octets, empty.uidnext), (0, 0, 0, 0, 2));
        let (account, since) = (world.account, after.view_point());
        let changed = world.store.read(move |view| store::entry::changes_since(view, id, since)).await.unwrap();
        assert_eq!((changed.vanished.to_string().as_str(), changed.entries.len()), ("1", 0));
        let at_view = world.store.read(move |view| store::entry::uids(view, id, since)).await.unwrap();
        assert_eq!(at_view, uids(&[1]));
        let row = world.store.read(move |view| store::account::find(view, account)).await.unwrap().unwrap();
        assert_eq!((row.used_octets, row.entries), (0, 0));
        let events = world.store.read(move |view| store::event::list(view, account, 0, 100)).await.unwrap();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds[0], "account-created");
        assert_eq!(kinds[kinds.len() - 2..], ["message-added", "messages-expunged"]);
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq), "numbered without gaps");
    }
}

#[tokio::test]
async fn copies_keep_flags_and_keywords_by_name() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        let target = world.create("A/B").await;
        assert!(world.mailbox("A").await.is_some(), "what is missing above is created");
        let keyword = |names: &[&str]| Flags {
            keywords: names.iter().map(|name| name.to_string()).collect(),
            ..Flags::system(&[SystemFlag::Seen])
        };
        world.append(target, b"one", keyword(&["x", "urgent"])).await;
        for names in [&["urgent"][..], &["zwei", "x"], &[]] {
            world.append(inbox, b"content", keyword(names)).await;
        }
        let copied = world
            .store
            .transaction(move |tx| store::entry::copy_to(tx, inbox, &UidSet::all(), target, NOW))
            .await
            .unwrap();
        assert_eq!((copied.from.to_string().as_str(), copied.to.to_string().as_str()), ("1:3", "2:4"));
        let row = world.mailbox("A/B").await.unwrap();
        assert_eq!(row.keywords.names().collect::<Vec<_>>(), ["x", "urgent", "zwei"]);
        let mut seen = Vec::new();
        let seen = world
            .store
            .read(move |view| {
                store::entry::flags(view, target, 2..=9, 10, &mut |one| {
                    seen.push(row.keywords.of(one.flags).map(str::to_owned).collect::<Vec<_>>());
                    Ok(ControlFlow::Continue(()))
                })?;
                Ok::<_, StoreError>(seen)
            })
            .await
            .unwrap();
        assert_eq!(seen, [vec!["urgent"], vec!["x", "zwei"], vec![]]);

        let moved = world
            .store
            .transaction(move |tx| store::entry::move_to(tx, target, &uids(&[1, 3]), target, NOW))
            .await
            .unwrap();
        assert_eq!((moved.from.to_string().as_str(), moved.to.to_string().as_str()), ("1,3", "5:6"));
        assert_eq!(world.mailbox("A/B").await.unwrap().entries, 4);
        let account = world.account;
        let differed = world.store.transaction(move |tx| store::account::recount(tx, account)).await.unwrap();
        assert!(!differed, "counters were right");
    }
}

#[tokio::test]
async fn renaming_takes_children_along_and_inbox_stays() {
    for world in World::on_every_engine().await {
        let child = world.create("A/B/C").await;
        let account = world.account;
        let rename = |from: &str, to: &str| {
            let (from, to) = (MailboxName::parse(from).unwrap(), MailboxName::parse(to).unwrap());
            world.store.transaction(move |tx| store::mailbox::rename(tx, account, &from, &to, NOW))
        };
        rename("A", "X/Y").await.unwrap();
        assert_eq!(world.mailbox("X/Y/B/C").await.unwrap().id, child);
        assert!(world.mailbox("A/B").await.is_none());
        assert_eq!(rename("X", "X/Y/Z").await, Err(StoreError::MailboxName("below itself")));
        assert_eq!(rename("X", "inbox").await, Err(StoreError::MailboxExists));

        let inbox = world.inbox().await.id;
        world.append(inbox, b"content", Flags::none()).await;
        rename("INBOX", "Old").await.unwrap();
        assert_eq!(world.inbox().await.entries, 0);
        let old = world.mailbox("Old").await.unwrap();
        assert_eq!(old.entries, 1);

        let delete = |name: &str| {
            let name = MailboxName::parse(name).unwrap();
            world.store.transaction(move |tx| store::mailbox::delete(tx, account, &name, NOW))
        };
        assert_eq!(delete("X").await, Err(StoreError::HasChildren));
        assert_eq!(delete("INBOX").await, Err(StoreError::Inbox));
        delete("Old").await.unwrap();
        world.create("Old").await;
        assert!(world.mailbox("Old").await.unwrap().uidvalidity > old.uidvalidity);
        let row = world.store.read(move |view| store::account::find(view, account)).await.unwrap().unwrap();
        assert_eq!((row.used_octets, row.entries), (0, 0));
    }
}

#[tokio::test]
async fn what_exceeds_the_quota_leaves_no_trace() {
    for world in World::on_every_engine().await {
        let account = account(&world.store, 100).await;
        let inbox = world
            .store
            .read(move |view| store::mailbox::by_name(view, account, &MailboxName::inbox()))
            .await
            .unwrap()
            .unwrap();
        let staged = stage(&world.store, &[b'x'; 90]).await.unwrap();
        let refused = append(&world.store, inbox.id, staged, Flags::none()).await;
        assert_eq!(refused, Err(StoreError::QuotaExceeded));
        let staged = stage(&world.store, &[b'x'; 80]).await.unwrap();
        let appended = append(&world.store, inbox.id, staged, Flags::none()).await.unwrap();
        assert_eq!(appended.uid.get(), 1);
    }
}

#[tokio::test]
async fn large_blobs_are_files_and_partial_reads_touch_only_their_chunks() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await;
        let content: Vec<u8> = (0..1_000_000_u32).map(|number| (number / 7) as u8).collect();
        let appended = world.append(inbox.id, &content, Flags::none()).await;
        let octets = world.store.read(move |view| store::message::octets(view, appended.message)).await.unwrap();
        let reader = world.store.open_blob(octets.blob).await.unwrap();
        for range in [0..0, 0..1, 65_535..65_537, 65_536..131_072, 999_999..1_000_000, 0..1_000_000, 500..400_000] {
            let expected = &content[range.start as usize..range.end as usize];
            assert_eq!(reader.read(range.clone()).await.unwrap(), expected, "{range:?}");
        }
        assert_eq!(reader.read(999_990..2_000_000).await.unwrap().len(), 10);
    }
}

#[tokio::test]
async fn fetch_reads_the_columns_wanted() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        for _ in 0..5 {
            world.append(inbox, b"content", Flags::none()).await;
        }
        let wanted = Wanted { envelope: true, trace_prefix: true, ..Wanted::default() };
        let found = world
            .store
            .read(move |view| {
                let mut found = Vec::new();
                store::message::fetch(view, inbox, 2..=u32::MAX, 2, wanted, &mut |message| {
                    assert_eq!((message.envelope, message.structure), (&b"envelope"[..], &b""[..]));
                    assert_eq!((message.trace_prefix.len(), message.preview), (17, ""));
                    found.push(message.entry.uid.get());
                    Ok(ControlFlow::Continue(()))
                })?;
                Ok::<_, StoreError>(found)
            })
            .await
            .unwrap();
        assert_eq!(found, [2, 3]);
    }
}

#[tokio::test]
async fn listeners_wake_after_the_commit() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        let mut changes = world.store.changes(world.account);
        let appended = world.append(inbox, b"content", Flags::none()).await;
        changes.changed().await.unwrap();
        assert_eq!(changes.latest().mailbox(inbox), appended.modseq);
        let account = world.account;
        world
            .store
            .transaction(move |tx| store::account::set_state(tx, account, store::account::State::Disabled, NOW))
            .await
            .unwrap();
        changes.changed().await.unwrap();
        assert_eq!(changes.latest().session_ends, 1);
        let staged = stage(&world.store, b"x").await.unwrap();
        assert_eq!(append(&world.store, inbox, staged, Flags::none()).await, Err(StoreError::AccountDisabled));
    }
}
