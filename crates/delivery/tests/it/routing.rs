//! Who may send where, what waits to leave, and who is told of success.

use std::sync::Arc;

use auth::Identity;
use delivery::{Config, Delivery, Door, Operator, Outside, Peer, RelayRules};
use mail::envelope::{Envelope, Notify, ReversePath};
use mail::{Domain, ForwardPath, Language, Refusal};
use policy::Route;
use policy::relay::ForeignAuthor;
use queue::operate::{Listed, Selection};
use trust::revocation::Standing;
use trust::{Certificate, Current, Dn, Space, WhiteList};

use crate::world::*;

const OF_B: &str = "CN=mx.b.example,OU=1310000003,O=CLINIQUE B,ST=Paris (75),C=FR";

fn space() -> Space {
    let entry = |domain: &str, dn: &str| (domain.parse::<Domain>().unwrap(), dn.parse::<Dn>().unwrap());
    let list = WhiteList::of(1, [entry("b.example", OF_B), entry("c.example", OF_B), entry("a.example", "CN=us,C=FR")]);
    Space { list: list.into(), ..Space::default() }
}

fn operator() -> Door {
    let dn: Dn = OF_B.parse().unwrap();
    let certificate = Certificate {
        dn: dn.clone(),
        issuer: dn,
        serial: "1".into(),
        names: Vec::new(),
        not_before: 0,
        not_after: i64::MAX,
        fingerprint: String::new(),
        standing: Standing::NotInList,
        path: Vec::new(),
    };
    Door::Relay(Peer::Operator(Operator { certificate: Arc::new(certificate), space: Arc::new(space()) }))
}

fn ann(world: &World) -> Door {
    Door::Submission(Identity { person: world.ann, acting_for: world.ann, language: Language::French })
}

/// The world's store with a trust space, and routes as a test wants them.
async fn world(change: impl FnOnce(&mut Config)) -> World {
    let mut world = World::new().await;
    let outside = Outside { trust: Some(Current::new(space())), ..Outside::default() };
    let mut config = Config { outside, ..Config::alone("mx.a.example".parse().unwrap(), OCTETS_MAX) };
    change(&mut config);
    world.delivery = Delivery::new(world.store.clone(), config, Still::default());
    world
}

async fn queued(world: &World) -> Vec<Listed> {
    world.store.read(|view| queue::operate::list(view, &Selection::All, None, 100)).await.unwrap()
}

fn path(address_text: &str) -> ForwardPath {
    ForwardPath::Address(address(address_text))
}

const LETTER: &str = "From: ann@a.example\r\nTo: bob@b.example\r\nMessage-ID: <1@a.example>\r\n\r\nhello\r\n";

#[tokio::test]
async fn s13_who_may_send_where() {
    let world = world(|config| config.outside.routes.extend(["routed.example".parse::<Domain>().unwrap()])).await;
    let unlisted = Err(Refusal::RecipientUnlisted { domain: "elsewhere.example".into() });
    let unknown = Err(Refusal::RecipientUnknown);
    let remote = |domain: &str| Ok(Route::Remote(domain.parse().unwrap()));
    for (recipient, from_us, from_others) in [
        ("ann@a.example", Ok(Route::Local(world.ann)), Ok(Route::Local(world.ann))),
        ("bob@b.example", remote("b.example"), unknown.clone()),
        ("bob@sub.b.example", Err(Refusal::RecipientUnlisted { domain: "sub.b.example".into() }), unknown.clone()),
        ("bob@routed.example", remote("routed.example"), unknown.clone()),
        ("bob@elsewhere.example", unlisted, unknown.clone()),
        // c.example is ours, whatever the list says besides.
        ("nobody@c.example", unknown.clone(), unknown.clone()),
    ] {
        for (door, expected) in [(ann(&world), &from_us), (operator(), &from_others), (Door::Gateway, &from_others)] {
            let route = world.delivery.recipient(&door, &path(recipient), None).await;
            assert_eq!(&route, expected, "{recipient} {door:?}");
        }
    }
}

#[tokio::test]
async fn without_a_list_nothing_is_decided_and_without_trust_nothing_leaves() {
    let waits = world(|config| config.outside.trust = Some(Current::default())).await;
    let answer = waits.delivery.recipient(&ann(&waits), &path("bob@b.example"), None).await;
    assert_eq!(answer, Err(Refusal::WhiteListMissing));
    let alone = world(|config| config.outside = Outside::default()).await;
    let answer = alone.delivery.recipient(&ann(&alone), &path("bob@b.example"), None).await;
    assert_eq!(answer, Err(Refusal::RecipientUnlisted { domain: "b.example".into() }));
}

#[tokio::test]
async fn what_leaves_waits_in_the_same_commit_as_what_stays() {
    let world = world(|_| {}).await;
    let mut envelope = envelope("ann@a.example", &["dr.ann@a.example", "bob@b.example", "eve@b.example"]);
    envelope.envelope_id = Some("E1".into());
    envelope.require_tls = true;
    envelope.recipients[1].notify = Some(Notify::Never);
    let accepted = world.bring(ann(&world), &envelope, LETTER).await.unwrap();
    assert_eq!((accepted.copies.len(), accepted.queued), (1, 2));
    let text = world.texts(world.ann).await.remove(0);
    assert!(text.starts_with("Return-Path: <ann@a.example>\r\nReceived: by mx.a.example"), "{text}");
    assert!(!text.contains("Authentication-Results"), "{text}");
    let entries = queued(&world).await;
    let forward_paths: Vec<String> = entries.iter().map(|it| it.entry.recipient.forward_path.to_string()).collect();
    assert_eq!(forward_paths, ["<bob@b.example>", "<eve@b.example>"]);
    assert_eq!(entries[0].entry.recipient.notify, Some(Notify::Never));
    let name = accepted.message.clone();
    let waiting = world.store.read(move |view| queue::entry::message(view, &name)).await.unwrap().unwrap();
    let prefix = String::from_utf8(waiting.trace_prefix).unwrap();
    assert!(prefix.starts_with("Received: by mx.a.example") && prefix.ends_with("\r\n"), "{prefix}");
    assert!(!prefix.contains("Return-Path"), "{prefix}");
    assert_eq!((waiting.account, waiting.message_id.as_deref()), (Some(world.ann), Some("1@a.example")));
    assert_eq!((waiting.envelope_id.as_deref(), waiting.require_tls), (Some("E1"), true));
}

#[tokio::test]
async fn one_refused_at_the_end_means_nothing_waits_either() {
    let world = world(|_| {}).await;
    let envelope = envelope("ann@a.example", &["bob@b.example", "x@elsewhere.example"]);
    world.bring(ann(&world), &envelope, LETTER).await.unwrap_err();
    assert!(queued(&world).await.is_empty());
}

#[tokio::test]
async fn a_shared_domain_passes_on_what_is_unknown_here() {
    let shared = |config: &mut Config| config.outside.shared.extend(["a.example".parse::<Domain>().unwrap()]);
    let world = world(shared).await;
    let letter = "From: bob@b.example\r\n\r\nhello\r\n";
    let envelope = envelope("bob@b.example", &["ann@a.example", "moved@a.example"]);
    let accepted = world.bring(operator(), &envelope, letter).await.unwrap();
    assert_eq!((accepted.copies.len(), accepted.queued), (1, 1));
    assert_eq!(queued(&world).await[0].entry.recipient.forward_path, path("moved@a.example"));
    let gateway = world.delivery.recipient(&Door::Gateway, &path("moved@a.example"), None).await;
    assert_eq!(gateway, Err(Refusal::RecipientUnknown), "a gateway's mail stays here");
    let gone = world.delivery.recipient(&operator(), &path("gone@a.example"), None).await;
    assert_eq!(gone, Err(Refusal::RecipientDisabled));
}

#[tokio::test]
async fn the_other_operator_of_a_shared_domain_gets_nothing_back() {
    // Operator B speaks for c.example, which is ours too.
    let shared = |config: &mut Config| config.outside.shared.extend(["c.example".parse::<Domain>().unwrap()]);
    let world = world(shared).await;
    let answer = world.delivery.recipient(&operator(), &path("moved@c.example"), None).await;
    assert_eq!(answer, Err(Refusal::RecipientUnknown));
    let answer = world.delivery.recipient(&ann(&world), &path("moved@c.example"), None).await;
    assert_eq!(answer, Ok(Route::Remote("c.example".parse().unwrap())));
}

#[tokio::test]
async fn success_is_told_when_asked_for_and_to_nobody_but_the_sender() {
    let success = Some(Notify::On { success: true, failure: false, delay: false });
    for (sender, from) in
        [("ann@a.example", "ann@a.example"), ("bob@b.example", "bob@b.example"), ("", "bob@b.example")]
    {
        let world = world(|_| {}).await;
        let mut envelope = envelope(sender, &["bob@c.example", "admin@a.example"]);
        envelope.recipients[0].notify = success;
        envelope.envelope_id = Some("QQ314159".into());
        let door = if sender.starts_with("ann") { ann(&world) } else { operator() };
        world.bring(door, &envelope, &format!("From: {from}\r\nSubject: Result\r\n\r\nhello\r\n")).await.unwrap();
        let at_ann = world.texts(world.ann).await;
        let waiting = queued(&world).await;
        match sender {
            "ann@a.example" => {
                let [report] = at_ann.as_slice() else { panic!("{at_ann:?}") };
                for expected in [
                    "Return-Path: <>\r\n",
                    "Action: delivered\r\n",
                    "Final-Recipient: rfc822;bob@c.example\r\n",
                    "Original-Envelope-Id: QQ314159\r\n",
                    "Subject: Result\r\n",
                ] {
                    assert!(report.contains(expected), "{expected} in {report}");
                }
                assert!(!report.contains("admin@a.example"), "{report}");
            }
            "" => assert!(waiting.is_empty() && at_ann.is_empty()),
            _ => {
                assert_eq!(waiting.len(), 1);
                assert_eq!(waiting[0].reverse_path, ReversePath::Null);
                assert_eq!(waiting[0].entry.recipient.forward_path, path("bob@b.example"));
            }
        }
    }
}

#[tokio::test]
async fn s22_success_is_told_to_nobody_whose_name_is_not_vouched_for() {
    let success = Some(Notify::On { success: true, failure: false, delay: false });
    for (sender, told) in [("victim@b.example", 0), ("ann@a.example", 1)] {
        for door in [Door::Gateway, Door::Relay(Peer::Unasked)] {
            let world = world(|_| {}).await;
            let mut envelope = envelope(sender, &["bob@c.example"]);
            envelope.recipients[0].notify = success;
            world.bring(door, &envelope, "Subject: Result\r\n\r\nhello\r\n").await.unwrap();
            assert_eq!(world.texts(world.ann).await.len(), told, "{sender}");
            assert!(queued(&world).await.is_empty(), "{sender}");
        }
    }
}

#[tokio::test]
async fn the_trace_tells_who_brought_it_and_what_was_found() {
    let world = world(|_| {}).await;
    let letter = "Authentication-Results: mx.a.example; x-mssante=pass\r\nFrom: eve@elsewhere.example\r\n\r\nhello\r\n";
    world.bring(operator(), &envelope("bob@b.example", &["ann@a.example"]), letter).await.unwrap();
    world.bring(Door::Gateway, &envelope("x@y.example", &["ann@a.example"]), letter).await.unwrap();
    world.bring(Door::Relay(Peer::Unasked), &envelope("", &["ann@a.example"]), "Subject: x\r\n\r\n").await.unwrap();
    let texts = world.texts(world.ann).await;
    let traces: Vec<String> =
        texts.iter().map(|text| text.split("hello").next().unwrap().replace("\r\n", "\n")).collect();
    expect_test::expect![[r#"
        Return-Path: <bob@b.example>
        Authentication-Results: mx.a.example; x-mssante=pass
         policy.dn="CN=mx.b.example,OU=1310000003,O=CLINIQUE B,ST=Paris (75),C=FR"
         smtp.mailfrom=b.example; x-mssante-author=fail header.from=elsewhere.example;
         x-forged-results=fail reason="1 further down in our name came with the
         message"
        Received: from client.example ([192.0.2.7]) by mx.a.example (TLSv1.3
         TLS_AES_256_GCM_SHA384 CN=mx.b.example,OU=1310000003,O=CLINIQUE B,ST=Paris
         \(75\),C=FR) with ESMTPS id 0000000000000000 for <ann@a.example>;
         Fri, 20 Nov 2026 13:54:00 +0000
        Authentication-Results: mx.a.example; x-mssante=pass
        From: eve@elsewhere.example

        Return-Path: <x@y.example>
        Authentication-Results: mx.a.example; x-mssante=none reason="gateway: from a
         network of ours, without certificate, white list and author not looked at";
         x-forged-results=fail reason="1 further down in our name came with the
         message"
        Received: from client.example ([192.0.2.7]) by mx.a.example (TLSv1.3
         TLS_AES_256_GCM_SHA384) with ESMTPS id 0000000000000001 for <ann@a.example>;
         Fri, 20 Nov 2026 13:54:00 +0000
        Authentication-Results: mx.a.example; x-mssante=pass
        From: eve@elsewhere.example

        Return-Path: <>
        Authentication-Results: mx.a.example; x-mssante=none reason="no certificate is
         asked for on this listener"
        Received: from client.example ([192.0.2.7]) by mx.a.example (TLSv1.3
         TLS_AES_256_GCM_SHA384) with ESMTPS id 0000000000000002 for <ann@a.example>;
         Fri, 20 Nov 2026 13:54:00 +0000
        Subject: x

    "#]]
    .assert_eq(&traces.concat());
}

#[tokio::test]
async fn authors_of_nobodys_are_marked_or_refused() {
    let mark = world(|_| {}).await;
    let refuse = world(|config| {
        config.relay = RelayRules { foreign_author: ForeignAuthor::Refuse, ..RelayRules::default() };
    });
    let refuse = refuse.await;
    let foreign = Refusal::AuthorForeign { address: "eve@elsewhere.example".into() };
    let report = "Content-Type: multipart/report; boundary=b; report-type=delivery-status\r\n";
    for (sender, header, refused) in [
        ("bob@b.example", "From: bob@b.example\r\n", false),
        ("bob@b.example", "From: bob@b.example, dr.bob@c.example\r\n", false),
        ("bob@b.example", "From: eve@elsewhere.example\r\n", true),
        ("bob@b.example", "From: bob@b.example\r\nFrom: eve@elsewhere.example\r\n", true),
        ("bob@b.example", "From: eve@elsewhere.example\r\nAuto-Submitted: auto-replied\r\n", false),
        ("bob@b.example", "From: eve@elsewhere.example\r\nAuto-Submitted: no\r\n", true),
        ("bob@b.example", &format!("From: eve@elsewhere.example\r\n{report}"), false),
        ("", "From: eve@elsewhere.example\r\n", false),
    ] {
        let envelope: Envelope = envelope(sender, &["ann@a.example"]);
        let letter = format!("{header}\r\nhello\r\n");
        let marked = mark.bring(operator(), &envelope, &letter).await.map(drop);
        assert_eq!(marked, Ok(()), "{header}");
        let answer = refuse.bring(operator(), &envelope, &letter).await.map(drop);
        let expected = if refused { Err(foreign.clone()) } else { Ok(()) };
        assert_eq!(answer, expected, "{header}");
    }
}
