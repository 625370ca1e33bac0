//! What came of an attempt, and who is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mail::dsn::Cause;
use mail::envelope::{Envelope, Notify, Recipient, ReversePath};
use policy::RetryPolicy;
use policy::retry::Jitter;
use queue::{Answer, Attempt, NewMessage, Outcome, Plan, Stage, Tried};
use store::{StoreError, UnixMillis};

use crate::faults::FailingDisk;
use crate::world::{NOW, World, envelope};

const NAME: &str = "0123456789abcdef";

async fn queue(world: &World, envelope: Envelope) {
    let mut stage = world.store.stage().unwrap();
    stage.write(b"Subject: Result\r\nMessage-ID: <one@a.example>\r\n\r\nSecret.\r\n").await.unwrap();
    let staged = stage.finish().await.unwrap();
    let ann = world.ann;
    let queued = world.store.transaction(move |tx| {
        let structure = store::account::find(tx, ann)?.unwrap().structure;
        let new = NewMessage {
            name: NAME,
            staged: &staged,
            trace_prefix: b"",
            structure,
            account: Some(ann),
            envelope: &envelope,
            message_id: Some("one@a.example"),
        };
        queue::insert(tx, &new, &envelope.recipients, NOW)
    });
    queued.await.unwrap();
}

/// What follows when the recipients meet these outcomes, the last one all that are left.
async fn plan(world: &World, outcomes: &[Outcome], now: UnixMillis) -> Plan {
    let read = world.store.read(|view| {
        let message = queue::entry::message(view, NAME)?.unwrap();
        Ok::<_, StoreError>((message, queue::entry::entries(view, NAME)?))
    });
    let (message, entries) = read.await.unwrap();
    let outcomes = outcomes.iter().chain(std::iter::repeat(outcomes.last().unwrap()));
    let tried = entries.into_iter().zip(outcomes).map(|(entry, outcome)| Tried {
        entry,
        attempt: Attempt {
            at: now,
            stage: Stage::Recipient,
            host: "mx.b.example".into(),
            address: None,
            certificate: None,
        },
        outcome: outcome.clone(),
    });
    Plan::after(message, tried.collect(), &RetryPolicy::default(), Jitter::NONE, now)
}

fn refused() -> Outcome {
    Outcome::of_answer(Answer { code: 550, status: "5.1.1".parse().ok(), text: "who?".into() }, true)
}

fn taken() -> Outcome {
    Outcome::of_answer(Answer { code: 250, status: None, text: "taken".into() }, true)
}

async fn faults(world: &World) -> Vec<store::verify::Fault> {
    let mut faults = Vec::new();
    world.store.verify(NOW, |fault| faults.push(fault), |_| {}).await.unwrap();
    faults
}

async fn queued(world: &World) -> Vec<String> {
    let list = world.store.read(|view| queue::operate::list(view, &queue::Selection::All, None, 100)).await.unwrap();
    let told = |it: queue::operate::Listed| format!("{} {}", it.reverse_path, it.entry.recipient.forward_path);
    list.into_iter().map(told).collect()
}

#[tokio::test]
async fn a_failure_comes_back_into_the_senders_box() {
    let world = World::new().await;
    queue(&world, envelope("ann@a.example", &["x@b.example", "y@b.example"])).await;
    world.delivery.settle(plan(&world, &[refused()], NOW).await).await.unwrap();
    assert_eq!(queued(&world).await, Vec::<String>::new());
    let texts = world.texts(world.ann).await;
    let [report] = texts.as_slice() else { panic!("{texts:?}") };
    for expected in [
        "Return-Path: <>\r\nDate: ",
        "<postmaster@a.example>",
        "To: ann@a.example\r\n",
        "In-Reply-To: <one@a.example>\r\n",
        "Final-Recipient: rfc822;x@b.example\r\n",
        "Final-Recipient: rfc822;y@b.example\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 who?\r\n",
        "Subject: Result\r\n",
    ] {
        assert!(report.contains(expected), "{expected} in {report}");
    }
    assert_eq!(faults(&world).await, []);
}

#[tokio::test]
async fn a_delay_is_told_once() {
    let world = World::new().await;
    queue(&world, envelope("ann@a.example", &["x@b.example"])).await;
    let deferred = Outcome::Deferred { cause: Cause::Unreachable, answer: None };
    for hours in [0, 4, 5, 6] {
        let now = UnixMillis(NOW.0 + hours * 3_600_000);
        world.delivery.settle(plan(&world, std::slice::from_ref(&deferred), now).await).await.unwrap();
    }
    let texts = world.texts(world.ann).await;
    let [report] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(report.contains("Action: delayed\r\n") && report.contains("[unreachable]"), "{report}");
    assert_eq!(queued(&world).await, ["<ann@a.example> <x@b.example>"]);
}

#[tokio::test]
async fn a_report_to_another_operator_waits_to_leave() {
    let world = World::new().await;
    queue(&world, envelope("zoe@elsewhere.example", &["x@b.example"])).await;
    world.delivery.settle(plan(&world, &[refused()], NOW).await).await.unwrap();
    assert_eq!(queued(&world).await, ["<> <zoe@elsewhere.example>"]);
    assert_eq!(faults(&world).await, []);
}

#[tokio::test]
async fn nobody_is_told_where_nobody_can_be() {
    for sender in ["", "gone@a.example", "nobody@a.example"] {
        let world = World::new().await;
        queue(&world, envelope(sender, &["x@b.example"])).await;
        world.delivery.settle(plan(&world, &[refused()], NOW).await).await.unwrap();
        assert_eq!(queued(&world).await, Vec::<String>::new(), "{sender}");
        assert_eq!(world.texts(world.ann).await, Vec::<String>::new(), "{sender}");
        assert_eq!(faults(&world).await, [], "{sender}");
    }
}

#[tokio::test]
async fn what_an_operator_took_away_is_told_by_the_operators_report_only() {
    let world = World::new().await;
    queue(&world, envelope("ann@a.example", &["x@b.example", "y@b.example"])).await;
    let under_way = plan(&world, &[refused()], NOW).await;
    let read =
        world.store.read(|view| queue::operate::give_up(view, &"0123456789abcdef/1".parse().unwrap(), None, 9, NOW));
    let (by_hand, _) = read.await.unwrap();
    for plan in by_hand {
        world.delivery.settle(plan).await.unwrap();
    }
    world.delivery.settle(under_way.clone()).await.unwrap();
    world.delivery.settle(under_way).await.unwrap();
    let texts = world.texts(world.ann).await;
    let [by_hand, failed] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(by_hand.contains("rfc822;x@b.example") && by_hand.contains("[operator]"), "{by_hand}");
    assert!(failed.contains("rfc822;y@b.example") && !failed.contains("rfc822;x@"), "{failed}");
}

#[tokio::test]
async fn success_is_told_where_it_was_asked_for_and_the_next_host_does_not() {
    let world = World::new().await;
    let mut envelope = envelope("ann@a.example", &["x@b.example"]);
    let success = Notify::On { success: true, failure: false, delay: false };
    envelope.recipients = envelope.recipients.into_iter().map(|it| Recipient { notify: Some(success), ..it }).collect();
    assert_ne!(envelope.reverse_path, ReversePath::Null);
    queue(&world, envelope).await;
    let answer = Answer { code: 250, status: None, text: "taken".into() };
    let relayed = Outcome::Relayed { answer, reports: false };
    world.delivery.settle(plan(&world, &[relayed], NOW).await).await.unwrap();
    let texts = world.texts(world.ann).await;
    assert!(texts[0].contains("Action: relayed\r\n") && texts[0].contains("Status: 2.0.0\r\n"), "{texts:?}");
}

#[tokio::test]
async fn what_the_next_host_has_is_gone_even_when_no_report_can_be_stored() {
    let disk = Arc::new(FailingDisk::default());
    let world = World::with_reserve(disk.clone(), 1).await;
    queue(&world, envelope("ann@a.example", &["x@b.example", "y@b.example"])).await;
    let plan = plan(&world, &[taken(), refused()], NOW).await;
    disk.full.store(true, Ordering::Relaxed);
    assert!(world.delivery.settle(plan.clone()).await.is_err());
    assert_eq!(queued(&world).await, ["<ann@a.example> <y@b.example>"], "not sent to x again");
    disk.full.store(false, Ordering::Relaxed);
    world.delivery.settle(plan).await.unwrap();
    assert_eq!(queued(&world).await, Vec::<String>::new());
    let texts = world.texts(world.ann).await;
    assert!(texts.len() == 1 && texts[0].contains("rfc822;y@") && !texts[0].contains("rfc822;x@"), "{texts:?}");
}
