//! Messages from the commit that queues them to the one that lets them go.

use std::fmt::Write;

use expect_test::expect;
use mail::dsn::Cause;
use mail::envelope::{BodyKind, Envelope, Notify, OriginalRecipient, Returned, ReversePath};
use policy::RetryPolicy;
use policy::retry::Jitter;
use queue::{Answer, Failure, Job, Outcome, Plan, State, Writer};
use store::message::{NewMessage, OverQuota};
use store::{Flags, StoreError, UnixMillis};

use crate::world::{NOW, World, answered, later, notified, recipient};

fn writer() -> Writer {
    Writer {
        host: "mx.a.example".parse().unwrap(),
        from: "postmaster@a.example".parse().unwrap(),
        message_id: "7h2k9s4m1q8w3e5r@mx.a.example".into(),
    }
}

#[tokio::test]
async fn a_message_waits_is_found_due_and_leaves() {
    for world in World::on_every_engine().await {
        let mut changes = world.store.queue_changes();
        let envelope = Envelope {
            body: BodyKind::EightBitMime,
            envelope_id: Some("QQ+1".into()),
            returned: Some(Returned::Full),
            ..Envelope::new(ReversePath::Address("ann@a.example".parse().unwrap()))
        };
        let mut bob = notified("bob@b.example", Notify::On { success: true, failure: false, delay: true });
        bob.original = Some(OriginalRecipient { address_type: "utf-8".into(), address: "zoé@b.example".into() });
        let recipients = vec![bob.clone(), recipient("carl@b.example"), recipient("dora@c.example")];
        world.queue_from("m1", envelope.clone(), recipients, NOW).await;
        let news = changes.next().await;
        assert_eq!(news.destinations.iter().map(|name| &**name).collect::<Vec<_>>(), ["b.example", "c.example"]);
        assert!(news.by_hand.is_empty());

        let found = world.store.read(|view| queue::due::destinations(view, None, NOW)).await.unwrap();
        assert_eq!(found.destinations, ["b.example".parse().unwrap(), "c.example".parse().unwrap()]);
        assert_eq!(found.next, None);
        let destination = found.destinations[0].clone();
        let to = destination.clone();
        let due = world.store.read(move |view| queue::due::window(view, &to, None, NOW, 10)).await.unwrap();
        let ids: Vec<String> = due.iter().map(|due| due.id.to_string()).collect();
        assert_eq!(ids, ["m1/1", "m1/2"]);
        let (to, first) = (destination.clone(), due[0].clone());
        let behind = world.store.read(move |view| queue::due::window(view, &to, Some(&first), NOW, 10)).await.unwrap();
        assert_eq!(behind, due[1..]);

        let entries = due.into_iter().map(|due| due.id).collect();
        let job = Job { destination, entries, spared: None };
        let loaded = world.store.read(move |view| queue::job(view, &job)).await.unwrap();
        let (message, entries) = loaded.unwrap();
        assert_eq!(
            (message.envelope_id.as_deref(), message.returned, message.body),
            (Some("QQ+1"), Some(Returned::Full), BodyKind::EightBitMime)
        );
        assert_eq!((message.reverse_path.clone(), message.entries), (envelope.reverse_path, 3));
        assert_eq!((entries.len(), &entries[0].recipient), (2, &bob));

        let ok = answered(250, "2.0.0", "taken");
        let later_please = answered(451, "4.3.0", "later");
        let plan = world.plan("m1", &[ok.clone(), later_please, ok.clone()], later(NOW, 1)).await;
        assert_eq!(plan.report(), None, "the next host tells of success, and a first failure is not told");
        assert_eq!(plan.next_due(), Some(later(NOW, 61)));
        world.record(&plan).await.unwrap();
        let (message, entries) = world.read("m1").await.unwrap();
        assert_eq!((message.entries, entries.len()), (1, 1));
        let entry = &entries[0];
        assert_eq!((entry.id.to_string().as_str(), entry.attempts, entry.due), ("m1/2", 1, later(NOW, 61)));
        assert_eq!((entry.cause, entry.first_failure), (Some(Cause::Deferred), Some(later(NOW, 1))));
        let found = world.store.read(|view| queue::due::destinations(view, None, later(NOW, 60))).await.unwrap();
        assert_eq!((found.destinations.len(), found.next), (0, Some(later(NOW, 61))));
        world.verify().await;
        world.store.sweep(later(NOW, 10 * 86_400)).await.unwrap();
        world.verify().await;

        world.record(&world.plan("m1", &[ok], later(NOW, 61)).await).await.unwrap();
        assert_eq!(world.read("m1").await, None);
        world.verify().await;
        let swept = world.store.sweep(later(NOW, 10 * 86_400)).await.unwrap();
        assert_eq!(swept.blobs, 1, "nothing refers to it any more");
        expect![[r#"
            [
                "message-queued message=m1;recipients=3",
                "message-relayed entry=m1/1;destination=b.example;host=mx.b.example;cause=success",
                "message-relayed entry=m1/3;destination=c.example;host=mx.b.example;cause=success",
                "message-relayed entry=m1/2;destination=b.example;host=mx.b.example;cause=success",
            ]
        "#]]
        .assert_debug_eq(&world.events().await);
    }
}

/// What Ann's box is told while one of her messages is never taken.
async fn five_days(world: &World, cause: Cause) -> String {
    world.queue("m1", vec![recipient("bob@b.example")], NOW).await;
    let (mut now, mut table) = (NOW, String::new());
    while world.read("m1").await.is_some() {
        let plan = world.plan("m1", &[Outcome::Deferred { cause, answer: None }], now).await;
        if let Some(bounce) = plan.report() {
            let original = bounce.original(&world.store).await.unwrap();
            let printed = bounce.print(writer(), &original);
            let text = String::from_utf8(printed.octets).unwrap();
            let status = text
                .lines()
                .filter(|line| ["Action:", "Status:", "Will-Retry-Until:"].iter().any(|field| line.starts_with(field)));
            let elapsed = (now.0 - NOW.0) / 1_000;
            let status = status.collect::<Vec<_>>().join(", ");
            writeln!(table, "{}d {:02}h: {status}", elapsed / 86_400, elapsed / 3_600 % 24).unwrap();
        }
        world.record(&plan).await.unwrap();
        now = plan.next_due().unwrap_or(now);
    }
    table
}

#[tokio::test]
async fn the_five_days_of_an_entry() {
    expect![[r#"
        0d 04h: Action: delayed, Status: 4.4.1, Will-Retry-Until: Wed, 25 Nov 2026 00:00:00 +0000
        5d 00h: Action: failed, Status: 5.4.7
    "#]]
    .assert_eq(&five_days(&World::new().await, Cause::Unreachable).await);
    expect![[r#"
        0d 01h: Action: delayed, Status: 4.7.1, Will-Retry-Until: Wed, 25 Nov 2026 00:00:00 +0000
        5d 00h: Action: failed, Status: 5.4.7
    "#]]
    .assert_eq(&five_days(&World::new().await, Cause::Trust(mail::TrustCause::Revoked)).await);
}

#[tokio::test]
async fn who_is_told_of_what() {
    let world = World::new().await;
    let on = |success, failure, delay| Some(Notify::On { success, failure, delay });
    let kinds = [None, Some(Notify::Never), on(true, false, false), on(false, true, false), on(false, false, true)];
    let recipients = kinds.map(|notify| mail::envelope::Recipient { notify, ..recipient("bob@b.example") });
    world.queue("m1", recipients.to_vec(), NOW).await;
    let answer = || Answer { code: 250, status: None, text: String::new() };
    let failure = Outcome::Failed { cause: Cause::Refused, answer: None };
    let delay = Outcome::Deferred { cause: Cause::Unreachable, answer: None };
    for (outcome, told) in [
        (failure.clone(), vec![0, 3]),
        (delay, vec![0, 4]),
        (Outcome::Relayed { answer: answer(), reports: false }, vec![2]),
        (Outcome::Relayed { answer: answer(), reports: true }, vec![]),
    ] {
        let plan = world.plan("m1", &vec![outcome.clone(); kinds.len()], later(NOW, 4 * 3_600)).await;
        let report = plan.report().map(|bounce| bounce.print(writer(), b"").octets).unwrap_or_default();
        let report = String::from_utf8(report).unwrap();
        assert_eq!(report.matches("Final-Recipient:").count(), told.len(), "{outcome:?}");
        let alone: Vec<usize> = (0..kinds.len())
            .filter(|index| {
                let mut alone = plan.clone();
                let entry = plan.decisions().nth(*index).unwrap().0.entry.clone();
                alone.keep_current(&[entry]) && alone.report().is_some()
            })
            .collect();
        assert_eq!(alone, told, "{outcome:?}");
    }
    world.queue_from("m2", Envelope::new(ReversePath::Null), vec![recipient("bob@b.example")], NOW).await;
    assert_eq!(world.plan("m2", &[failure], NOW).await.report(), None, "nobody is told of the failure of a report");
}

#[tokio::test]
async fn a_report_brings_back_what_was_asked_for() {
    let world = World::new().await;
    let ann = Envelope::new(ReversePath::Address("ann@a.example".parse().unwrap()));
    let full = Envelope { returned: Some(Returned::Full), ..ann.clone() };
    let protected = Envelope { require_tls: true, ..full.clone() };
    let header = Envelope { returned: Some(Returned::Header), ..ann.clone() };
    let no = Outcome::Failed { cause: Cause::Refused, answer: None };
    for (name, envelope, whole) in
        [("m1", full, true), ("m2", header, false), ("m3", ann, false), ("m4", protected, false)]
    {
        world.queue_from(name, envelope, vec![recipient("bob@b.example")], NOW).await;
        let bounce = world.plan(name, std::slice::from_ref(&no), NOW).await.report().unwrap();
        let original = bounce.original(&world.store).await.unwrap();
        let printed = bounce.print(writer(), &original);
        let text = String::from_utf8(printed.octets.clone()).unwrap();
        assert!(text.contains("Received: by mx.a.example; x\r\nFrom: ann@a.example\r\n"), "{text}");
        assert_eq!(text.contains("Secret."), whole, "{name}");
        let envelope = bounce.envelope(&printed);
        assert_eq!((envelope.reverse_path.clone(), envelope.require_tls), (ReversePath::Null, name == "m4"));
        assert_eq!(envelope.recipients[0].notify, Some(Notify::Never));
    }
}

/// The commit that takes an entry away is the one that brings its report: broken off, there is neither; done again, there
/// is one.
#[tokio::test]
async fn there_is_one_report_for_each_event_wherever_the_process_dies() {
    for world in World::on_every_engine().await {
        world.queue("m1", vec![recipient("bob@b.example"), recipient("carl@c.example")], NOW).await;
        let plan = world.plan("m1", &[answered(550, "5.1.1", "who?"), answered(250, "", "")], NOW).await;
        let bounce = plan.report().unwrap();
        let printed = bounce.print(writer(), &bounce.original(&world.store).await.unwrap());
        let inbox = world.inbox().await.id;
        for (dies, left) in [(true, Some(2)), (false, None)] {
            let staged = world.stage(&printed.octets).await;
            let plan = plan.clone();
            let outcome = world.store.transaction(move |tx| {
                let report = NewMessage {
                    staged: &staged,
                    trace_prefix: b"",
                    internal_date: NOW,
                    envelope: b"",
                    structure: b"",
                    preview: "",
                    header_texts: b"",
                    message_id: None,
                    references: &[],
                    over_quota: OverQuota::Taken,
                };
                store::message::append(tx, inbox, &report, &Flags::none(), NOW)?;
                queue::record(tx, &plan)?;
                match dies {
                    true => Err(StoreError::Damaged("here it dies".into())),
                    false => Ok(()),
                }
            });
            assert_eq!(outcome.await.is_err(), dies);
            assert_eq!(world.read("m1").await.map(|(message, _)| message.entries), left);
            assert_eq!(world.inbox().await.entries, u64::from(!dies) as _);
            world.verify().await;
        }
        // What came of the attempt is known: a second worker with the same news changes nothing.
        assert!(world.record(&plan).await.is_err());
        assert_eq!(world.inbox().await.entries, 1);
    }
}

#[tokio::test]
async fn what_an_operator_changed_meanwhile_is_left_out() {
    let world = World::new().await;
    world.queue("m1", vec![recipient("bob@b.example"), recipient("carl@b.example")], NOW).await;
    let no = answered(550, "5.1.1", "who?");
    let mut plan = world.plan("m1", &[no.clone(), no], NOW).await;
    let (message, entries) = world.read("m1").await.unwrap();
    world.record(&Plan::given_up(message, entries[..1].to_vec(), NOW)).await.unwrap();
    assert!(world.record(&plan).await.is_err());
    assert!(plan.keep_current(&world.read("m1").await.unwrap().1));
    let report = plan.report().unwrap().print(writer(), b"").octets;
    let report = String::from_utf8(report).unwrap();
    assert!(!report.contains("rfc822;bob@") && report.contains("rfc822;carl@"), "{report}");
    world.record(&plan).await.unwrap();
    assert!(world.read("m1").await.is_none() && !plan.keep_current(&[]));
    world.verify().await;
}

#[tokio::test]
async fn what_is_spared_is_recorded_as_such() {
    let world = World::new().await;
    world.queue("m1", vec![recipient("bob@b.example")], NOW).await;
    let (message, entries) = world.read("m1").await.unwrap();
    let failure = Failure { cause: Cause::TimedOut, answer: None, host: "mx.b.example".into() };
    let plan = Plan::spared(message, entries, &failure, &RetryPolicy::default(), Jitter::NONE, NOW);
    world.record(&plan).await.unwrap();
    let shown = world.store.read(|view| queue::operate::show(view, "m1")).await.unwrap().unwrap();
    let (entry, attempts) = &shown.entries[0];
    assert_eq!((entry.attempts, entry.state, attempts.len()), (1, State::Waiting, 1));
    assert_eq!(attempts[0].attempt.stage, queue::Stage::Spared);
    assert_eq!((attempts[0].cause, attempts[0].attempt.host.as_str()), (Some(Cause::TimedOut), "mx.b.example"));
}

#[tokio::test]
async fn another_servers_text_is_kept_up_to_a_bound() {
    for world in World::on_every_engine().await {
        world.queue("m1", vec![recipient("bob@b.example")], NOW).await;
        let text = format!("é\0{}", "x".repeat(10_000));
        world.record(&world.plan("m1", &[answered(451, "4.3.0", &text)], NOW).await).await.unwrap();
        let long = "é".repeat(10_000);
        world.record(&world.plan("m1", &[answered(451, "4.3.0", &long)], NOW).await).await.unwrap();
        let shown = world.store.read(|view| queue::operate::show(view, "m1")).await.unwrap().unwrap();
        let texts = shown.entries[0].1.iter().map(|attempt| attempt.answer.as_ref().unwrap().text.len());
        assert_eq!(texts.collect::<Vec<_>>(), [2, 2_000]);
    }
}

#[tokio::test]
async fn a_notice_goes_to_the_smart_host_and_its_failure_to_nobody() {
    for world in World::on_every_engine().await {
        let notice = mail::notice::Notice::write(mail::notice::Words {
            from: &"notices@a.example".parse().unwrap(),
            to: &"ann@a.example".parse().unwrap(),
            date: mail::header::DateTime::utc(NOW.seconds()),
            message_id: "n1@a.example",
            subject: "Un message vous attend",
            text: "Un message vous attend.",
        });
        let notice = queue::notice::StagedNotice::stage(&world.store, notice).await.unwrap();
        let structure = world.structure;
        world.store.transaction(move |tx| notice.insert(tx, "n1", structure, NOW)).await.unwrap();
        let found = world.store.read(|view| queue::due::destinations(view, None, NOW)).await.unwrap();
        assert_eq!(found.destinations, [queue::Destination::SmartHost], "though the address is a box here");
        let plan = world.plan("n1", &[answered(550, "5.1.1", "who?")], NOW).await;
        assert_eq!(plan.report(), None);
        world.record(&plan).await.unwrap();
        world.verify().await;
    }
}

#[tokio::test]
async fn a_postmaster_without_domain_never_leaves() {
    let world = World::new().await;
    let staged = world.stage(b"x").await;
    let structure = world.structure;
    let outcome = world.store.transaction(move |tx| {
        let envelope = Envelope::new(ReversePath::Null);
        let new = queue::NewMessage {
            name: "m1",
            staged: &staged,
            trace_prefix: b"",
            structure,
            account: None,
            envelope: &envelope,
            message_id: None,
        };
        let postmaster = mail::envelope::Recipient::new(mail::ForwardPath::Postmaster);
        queue::insert(tx, &new, &[postmaster], UnixMillis(0))
    });
    assert!(outcome.await.is_err());
    world.verify().await;
}
