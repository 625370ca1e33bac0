//! The selected mailbox.

use imap::flag::SystemFlags;
use imap::response::Responses;
use imap::sequence::{Bound, Messages, Numbering, Numbers, Ranges, SequenceSet};
use imap::server::Enabled;
use imap::view::{Allowed, Changes, FlagChange, Snapshot, Told, View, ViewError};
use proptest::prelude::*;

fn view(uids: &[u32]) -> View {
    let uid_next = uids.last().map_or(1, |last| last + 1);
    let exists = u32::try_from(uids.len()).expect("few");
    let mut view = View::new(Snapshot { exists, recent: 0, first_recent_uid: uid_next, uid_next, mod_sequence: 10 });
    view.load(uids.to_vec()).expect("the same");
    view
}

fn set(numbering: Numbering, first: Bound, last: Bound) -> Messages {
    let set = SequenceSet::new(vec![(first, last)]).expect("no zero");
    Messages { numbering, set: Numbers::Set(set) }
}

fn told(view: &mut View, enabled: Enabled, allowed: Allowed) -> String {
    let mut responses = Responses::new(enabled);
    assert_eq!(view.tell(&mut responses, allowed), Ok(Told::All));
    String::from_utf8(responses.take()).expect("ASCII").replace("\r\n", "|")
}

fn flag_change(uid: u32, mod_sequence: u64) -> FlagChange {
    FlagChange { uid, system: SystemFlags::SEEN, keywords: Vec::new(), mod_sequence }
}

#[test]
fn numbers_and_uids_translate() {
    let view = view(&[5, 9, 20]);
    let resolve = |messages: Messages| view.resolve(&messages).map(|ranges| ranges.to_string());
    assert_eq!(resolve(set(Numbering::Sequence, Bound::Number(2), Bound::Last)), Ok("2:3".into()));
    assert_eq!(resolve(set(Numbering::Uid, Bound::Number(6), Bound::Number(19))), Ok("2".into()));
    assert_eq!(resolve(set(Numbering::Uid, Bound::Number(30), Bound::Last)), Ok("3".into()));
    assert_eq!(resolve(set(Numbering::Uid, Bound::Number(6), Bound::Number(8))), Ok("".into()));
    assert_eq!(resolve(set(Numbering::Sequence, Bound::Number(4), Bound::Number(4))), Err(ViewError::NoSuchNumber));
    let both = Ranges::from_numbers([1, 3]);
    assert_eq!(view.uids_of(&both).map(|uids| uids.to_string()), Ok("5,20".into()));
    assert_eq!(view.pairs(&both).collect::<Vec<_>>(), [(1, 5), (3, 20)]);
    assert_eq!(
        (view.sequence_number(9), view.sequence_number(6), view.uid(0), view.uid(3)),
        (Some(2), None, None, Some(20))
    );
}

#[test]
fn an_empty_mailbox_has_no_last_message() {
    let view = view(&[]);
    let all = set(Numbering::Sequence, Bound::Number(1), Bound::Last);
    assert_eq!(view.resolve(&all), Err(ViewError::NoSuchNumber));
    assert_eq!(view.resolve(&set(Numbering::Uid, Bound::Number(1), Bound::Last)), Ok(Ranges::default()));
}

/// RFC 3501 §2.3.2: what another session heard of first is not recent here.
#[test]
fn recent_are_those_that_no_other_session_was_told_of() {
    let snapshot = Snapshot { exists: 3, recent: 1, first_recent_uid: 12, uid_next: 13, mod_sequence: 10 };
    let mut view = View::new(snapshot);
    view.apply(Changes { mod_sequence: 11, appended: vec![13, 14, 15], first_recent_uid: 15, ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 6 EXISTS|* 2 RECENT|");
    assert_eq!([12, 13, 14, 15].map(|uid| view.is_recent(uid)), [true, false, false, true]);
    view.load(vec![10, 11, 12, 13, 14, 15]).unwrap();
    view.apply(Changes { mod_sequence: 12, appended: vec![16], first_recent_uid: 17, ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 7 EXISTS|* 2 RECENT|");
    view.apply(Changes { mod_sequence: 13, expunged: vec![14, 15], ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 6 EXPUNGE|* 5 EXPUNGE|");
    assert_eq!((view.exists(), view.recent_told()), (5, 1));
}

#[test]
fn recent_is_never_above_exists() {
    // SELECT guessed 3 of 3, though UID 5 is old: a new one is gone already.
    let snapshot = Snapshot { exists: 3, recent: 3, first_recent_uid: 7, uid_next: 10, mod_sequence: 10 };
    let mut view = View::new(snapshot);
    view.load(vec![5, 7, 9]).expect("as told");
    view.apply(Changes { mod_sequence: 11, appended: vec![10], expunged: vec![5], ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 1 EXPUNGE|* 3 EXISTS|* 3 RECENT|");
}

#[test]
fn what_is_told_unasked_names_its_uid_in_rev2() {
    let mut view = view(&[5]);
    let enabled = Enabled { rev2: true, ..Enabled::default() };
    view.apply(Changes { mod_sequence: 11, flags: vec![flag_change(5, 11)], ..Changes::default() });
    assert_eq!(told(&mut view, enabled, Allowed::NoExpunge), "* 1 FETCH (UID 5 FLAGS (\\Seen))|");
}

#[test]
fn a_large_mailbox_is_selected_without_its_uids() {
    let snapshot = Snapshot { exists: 3, recent: 0, first_recent_uid: 21, uid_next: 21, mod_sequence: 10 };
    let mut view = View::new(snapshot);
    assert_eq!(view.resolve(&set(Numbering::Uid, Bound::Number(1), Bound::Last)), Err(ViewError::NotLoaded));
    assert_eq!(
        view.resolve(&set(Numbering::Sequence, Bound::Number(1), Bound::Last)).map(|all| all.to_string()),
        Ok("1:3".into())
    );
    // New messages can be told without the list; an expunge cannot.
    view.apply(Changes { mod_sequence: 11, appended: vec![21], ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 4 EXISTS|* 1 RECENT|");
    view.apply(Changes { mod_sequence: 12, expunged: vec![9], ..Changes::default() });
    let mut responses = Responses::new(Enabled::default());
    assert_eq!(view.tell(&mut responses, Allowed::Everything), Err(ViewError::NotLoaded));
    assert!(view.needs_load_to_tell());
    // What the mailbox holds now; 9 is gone, and still has its number here.
    view.load(vec![5, 20, 21, 22]).expect("with 9, and without 22, as told");
    assert_eq!(view.uids(), [5, 9, 20, 21]);
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 2 EXPUNGE|");
    assert_eq!(view.load(vec![1]), Err(ViewError::Mismatch { given: 1, told: 3 }));
}

#[test]
fn expunges_wait_until_they_are_allowed() {
    let mut view = view(&[5, 9, 20]);
    view.apply(Changes {
        mod_sequence: 12,
        appended: vec![21],
        expunged: vec![5, 20, 77],
        flags: vec![flag_change(9, 11), flag_change(5, 11)],
        first_recent_uid: 0,
    });
    let first = told(&mut view, Enabled::default(), Allowed::NoExpunge);
    assert_eq!(first, "* 4 EXISTS|* 1 RECENT|* 2 FETCH (FLAGS (\\Seen))|");
    assert_eq!(view.awaiting_expunge(), [5, 20]);
    assert!(view.has_news());
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 3 EXPUNGE|* 1 EXPUNGE|");
    assert_eq!(view.uids(), [9, 21]);
    assert!(!view.has_news());
    assert_eq!(view.mod_sequence(), 12);
}

#[test]
fn condstore_adds_uid_and_mod_sequence() {
    let mut view = view(&[5]);
    view.apply(Changes { mod_sequence: 12, flags: vec![flag_change(5, 12)], ..Changes::default() });
    let enabled = Enabled { rev2: false, condstore: true };
    let told = told(&mut view, enabled, Allowed::NoExpunge);
    assert_eq!(told, "* 1 FETCH (UID 5 MODSEQ (12) FLAGS (\\Seen))|");
}

#[test]
fn own_changes_are_not_told_again() {
    let mut view = view(&[5, 9]);
    view.made(12, Ranges::from_numbers([5]));
    view.apply(Changes { mod_sequence: 13, flags: vec![flag_change(5, 12), flag_change(9, 12)], ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 2 FETCH (FLAGS (\\Seen))|");
    // Somebody else's later change of the same message is.
    view.apply(Changes { mod_sequence: 14, flags: vec![flag_change(5, 14)], ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 1 FETCH (FLAGS (\\Seen))|");
}

#[test]
fn a_silent_change_does_not_hide_what_somebody_else_did_before() {
    let mut view = view(&[5]);
    let flagged = FlagChange { system: SystemFlags::FLAGGED, ..flag_change(5, 11) };
    view.apply(Changes { mod_sequence: 11, flags: vec![flagged], ..Changes::default() });
    view.made(12, Ranges::from_numbers([5]));
    let both = FlagChange { system: SystemFlags::FLAGGED.union(SystemFlags::SEEN), ..flag_change(5, 12) };
    view.apply(Changes { mod_sequence: 12, flags: vec![both], ..Changes::default() });
    let told = told(&mut view, Enabled::default(), Allowed::Everything);
    assert_eq!(told, "* 1 FETCH (FLAGS (\\Flagged \\Seen))|");
}

#[test]
fn a_message_that_came_and_went_is_never_mentioned() {
    let mut view = view(&[5]);
    view.apply(Changes { mod_sequence: 12, appended: vec![6], flags: vec![flag_change(6, 12)], ..Changes::default() });
    view.apply(Changes { mod_sequence: 13, expunged: vec![6], ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "");
}

#[test]
fn much_news_is_told_in_portions() {
    let all: Vec<u32> = (1..=10_000).collect();
    let mut view = view(&all);
    let flags = (5_001..=10_000).rev().map(|uid| flag_change(uid, 11)).collect();
    view.apply(Changes { mod_sequence: 12, expunged: (1..=5_000).collect(), flags, ..Changes::default() });
    let mut responses = Responses::new(Enabled::default());
    let (mut told, mut portions) = (String::new(), 0);
    loop {
        let progress = view.tell(&mut responses, Allowed::Everything).expect("loaded");
        assert!(responses.len() < 100_000);
        told.push_str(&String::from_utf8(responses.take()).expect("ASCII"));
        portions += 1;
        if progress == Told::All {
            break;
        }
    }
    assert!(portions > 3 && !view.has_news());
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[4_999]), (10_000, "* 5000 EXPUNGE", "* 1 EXPUNGE"));
    assert_eq!((lines[5_000], lines[9_999]), ("* 1 FETCH (FLAGS (\\Seen))", "* 5000 FETCH (FLAGS (\\Seen))"));
}

#[test]
fn of_two_changes_the_later_one_is_told() {
    let mut view = view(&[5]);
    let unseen = FlagChange { system: SystemFlags::NONE, ..flag_change(5, 12) };
    view.apply(Changes { mod_sequence: 11, flags: vec![flag_change(5, 11)], ..Changes::default() });
    view.apply(Changes { mod_sequence: 12, flags: vec![unseen], ..Changes::default() });
    assert_eq!(told(&mut view, Enabled::default(), Allowed::Everything), "* 1 FETCH (FLAGS ())|");
}

#[test]
fn the_saved_result_forgets_what_is_gone() {
    let mut view = view(&[5, 9, 20]);
    view.save(Ranges::from_numbers([5, 9, 20]));
    view.apply(Changes { mod_sequence: 12, expunged: vec![9], ..Changes::default() });
    let saved = Messages { numbering: Numbering::Uid, set: Numbers::Saved };
    assert_eq!(view.resolve(&saved).map(|numbers| numbers.to_string()), Ok("1,3".into()));
    told(&mut view, Enabled::default(), Allowed::Everything);
    assert_eq!(view.resolve(&saved).map(|numbers| numbers.to_string()), Ok("1:2".into()));
}

proptest! {
    /// A client that follows the responses has, in the end, the mailbox as it is.
    #[test]
    fn following_the_responses_gives_the_mailbox(
        start in proptest::collection::btree_set(1..40u32, 0..20),
        batches in proptest::collection::vec((0..4u32, proptest::collection::vec(0..60u32, 0..4), any::<bool>()), 0..12),
        loaded in any::<bool>(),
    ) {
        let mut mailbox: Vec<u32> = start.into_iter().collect();
        let mut uid_next = mailbox.last().map_or(1, |last| last + 1);
        let exists = mailbox.len() as u32;
        let mut view = View::new(Snapshot { exists, recent: 0, first_recent_uid: uid_next, uid_next, mod_sequence: 1 });
        if loaded {
            view.load(mailbox.clone()).expect("the same");
        }
        // The client knows only how many there are, and takes out what is expunged.
        let mut client: Vec<u32> = mailbox.clone();
        for (step, (appended, expunged, quiet)) in (2u64..).zip(batches) {
            let appended: Vec<u32> = (uid_next..uid_next + appended).collect();
            uid_next += appended.len() as u32;
            mailbox.extend(&appended);
            let expunged: Vec<u32> = expunged.into_iter().filter(|uid| mailbox.contains(uid)).collect();
            mailbox.retain(|uid| !expunged.contains(uid));
            view.apply(Changes { mod_sequence: step, appended, expunged, ..Changes::default() });
            let allowed = if quiet { Allowed::NoExpunge } else { Allowed::Everything };
            if view.needs_load_to_tell() {
                view.load(mailbox.clone()).expect("the mailbox now");
            }
            let mut responses = Responses::new(Enabled { rev2: true, condstore: false });
            view.tell(&mut responses, allowed).expect("loaded");
            for line in String::from_utf8(responses.take()).expect("ASCII").lines() {
                let words: Vec<&str> = line.split(' ').collect();
                let number: usize = words[1].parse().expect("a number");
                match words[2] {
                    "EXPUNGE" => drop(client.remove(number - 1)),
                    _ => {
                        let known = client.last().copied().unwrap_or(0);
                        let news = number - client.len();
                        let awaiting = view.awaiting_expunge().to_vec();
                        let all: Vec<u32> = mailbox.iter().copied().chain(awaiting).filter(|uid| *uid > known).collect();
                        let mut all: Vec<u32> = all.into_iter().collect();
                        all.sort_unstable();
                        all.dedup();
                        client.extend(all.into_iter().take(news));
                    }
                }
            }
            prop_assert_eq!(view.exists() as usize, client.len());
        }
        if view.needs_load_to_tell() {
            view.load(mailbox.clone()).expect("the mailbox now");
        }
        let mut responses = Responses::new(Enabled::default());
        view.tell(&mut responses, Allowed::Everything).expect("loaded");
        prop_assert_eq!(view.exists() as usize, mailbox.len());
        if view.is_loaded() && !mailbox.is_empty() && view.uids().len() == mailbox.len() {
            prop_assert_eq!(view.uids(), mailbox.as_slice());
        }
    }
}
