//! The log of what vanished is bounded, and a view older than it still comes to the truth.

use store::entry::{Scope, VANISHED_RANGES_MAX, changes_since, expunge, set_flags, uids};
use store::flags::FlagOperation;
use store::mailbox::ViewPoint;
use store::{Flags, MailboxId, StoreError, SystemFlag, Uid, UidSet};

use crate::world::{NOW, World};

fn set(numbers: &[u32]) -> UidSet {
    numbers.iter().filter_map(|number| Uid::new(*number)).collect()
}

async fn remove(world: &World, mailbox: MailboxId, uid: u32) {
    let deleted = Flags::system(&[SystemFlag::Deleted]);
    let removal = world.store.transaction(move |tx| {
        set_flags(tx, mailbox, &set(&[uid]), FlagOperation::Add, &deleted, None)?;
        expunge(tx, mailbox, Scope::All, NOW)
    });
    removal.await.unwrap();
}

/// As if so many expunges had been, each of a UID that nobody looks at.
async fn many_expunges(world: &World, mailbox: MailboxId, count: u32) {
    let statements = [
        format!(
            "INSERT INTO vanished (account, mailbox, modseq, first_uid, last_uid) \
             WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
             SELECT {account}, {number}, {first} + n, 1000000 + n, 1000000 + n FROM numbers",
            account = mailbox.account.0,
            number = mailbox.number,
            first = world.inbox().await.highest_modseq.0,
        ),
        format!("UPDATE account SET highest_modseq = highest_modseq + {count} WHERE id = {}", mailbox.account.0),
    ];
    let run = world.store.transaction(move |tx| {
        for statement in &statements {
            tx.execute(statement, &[])?;
        }
        Ok::<_, StoreError>(())
    });
    run.await.unwrap();
}

async fn log_length(world: &World) -> i64 {
    let count = world.store.read(|view| {
        let mut count = 0;
        view.query("SELECT count(*) FROM vanished", &[], &mut |row| {
            count = row.integer(0)?;
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok::<_, StoreError>(count)
    });
    count.await.unwrap()
}

async fn changed_since(world: &World, mailbox: MailboxId, since: ViewPoint) -> (UidSet, bool) {
    let changed = world.store.read(move |view| changes_since(view, mailbox, since)).await.unwrap();
    let exact = changed.is_exact(since);
    (changed.vanished, exact)
}

#[tokio::test]
async fn the_log_is_trimmed_when_it_is_full_and_not_before() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        for _ in 0..4 {
            world.append(inbox, b"x", Flags::none()).await;
        }
        let first_floor = world.inbox().await.vanished_floor;
        many_expunges(&world, inbox, VANISHED_RANGES_MAX - 1).await;
        remove(&world, inbox, 1).await;
        assert_eq!(log_length(&world).await, i64::from(VANISHED_RANGES_MAX));
        assert_eq!(world.inbox().await.vanished_floor, first_floor);

        let before = world.inbox().await;
        remove(&world, inbox, 2).await;
        let length = log_length(&world).await;
        assert!((1..=i64::from(VANISHED_RANGES_MAX / 2)).contains(&length), "{length}");
        let after = world.inbox().await;
        assert!(first_floor < after.vanished_floor && after.vanished_floor < before.highest_modseq);
        // What the log still holds is exact.
        assert_eq!(changed_since(&world, inbox, before.view_point()).await, (set(&[2]), true));
    }
}

#[tokio::test]
async fn a_view_older_than_the_log_comes_to_the_truth() {
    for world in World::on_every_engine().await {
        let inbox = world.inbox().await.id;
        for _ in 0..5 {
            world.append(inbox, b"x", Flags::none()).await;
        }
        remove(&world, inbox, 1).await;
        let since = world.inbox().await.view_point();
        remove(&world, inbox, 3).await;
        many_expunges(&world, inbox, VANISHED_RANGES_MAX).await;
        remove(&world, inbox, 5).await;
        let new = world.append(inbox, b"new", Flags::none()).await;
        assert!(world.inbox().await.vanished_floor > since.modseq);

        // 2 and 4 are there, 5 is in the log, 3 is not: another UID without a message stands in for it.
        let at_view = world.store.read(move |view| uids(view, inbox, since)).await.unwrap();
        assert_eq!((at_view.count(), at_view.last()), (u64::from(since.entries), Uid::new(5)));
        let (vanished, exact) = changed_since(&world, inbox, since).await;
        assert_eq!((vanished.clone(), exact), (set(&[1, 3, 5]), false));
        let left: UidSet = at_view.iter().filter(|uid| !vanished.contains(*uid)).collect();
        assert_eq!(left, set(&[2, 4]));
        assert_eq!(new.uid.get(), 6);
    }
}

#[test]
fn sets_answer_what_is_missing() {
    for (held, uidnext, missing) in [
        (&[][..], 1, &[][..]),
        (&[], 4, &[1, 2, 3]),
        (&[1, 3], 6, &[2, 4, 5]),
        (&[2, 3, 9], 4, &[1]),
        (&[1, 2, 3], 4, &[]),
        (&[5], 3, &[1, 2]),
    ] {
        assert_eq!(set(held).missing_below(uidnext), set(missing), "{held:?} below {uidnext}");
    }
    assert_eq!(set(&[1, 2, 5, 6, 7]).lowest(3), set(&[1, 2, 5]));
    assert_eq!(set(&[1, 2]).lowest(0), set(&[]));
    assert_eq!(set(&[1, 2]).lowest(9), set(&[1, 2]));
    let mut all = set(&[4, 5]);
    all.merge(&set(&[1, 3, 6, 9]));
    assert_eq!(all, set(&[1, 3, 4, 5, 6, 9]));
}
