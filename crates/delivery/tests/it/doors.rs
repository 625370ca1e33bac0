//! Every verdict, one commit, octets identical.

use delivery::{AppendError, AppendOrder, Config, Delivery, Door, Peer};
use mail::Refusal;
use mail::envelope::{ForwardPath, OriginalRecipient};
use store::{Flags, MailboxId, StoreError, SystemFlag, UnixMillis};

use policy::Route;

use crate::world::*;

const PEER: Door = Door::Relay(Peer::Unasked);

#[tokio::test]
async fn a_message_reaches_every_recipient_once_and_octet_for_octet() {
    let world = World::new().await;
    let recipients = ["dr.ann@a.example", "bob@c.example", "ann@a.example", "ANN@a.example"];
    let accepted = world.relay(&envelope("zoe@elsewhere.example", &recipients), MESSAGE).await.unwrap();
    assert_eq!(accepted.copies.len(), 2, "one copy for each account");
    for account in [world.ann, world.bob] {
        let texts = world.texts(account).await;
        let [text] = texts.as_slice() else { panic!("{texts:?}") };
        let trace = text.strip_suffix(MESSAGE).unwrap();
        let results = "Return-Path: <zoe@elsewhere.example>\r\nAuthentication-Results: mx.a.example; x-mssante=none ";
        assert!(trace.starts_with(results) && trace.contains("\r\nReceived: from client.example"), "{trace}");
        assert!(trace.contains("192.0.2.7") && trace.contains(&accepted.message), "{trace}");
        assert!(!trace.contains("a.example>"), "no recipient learns of another: {trace}");
    }
}

#[tokio::test]
async fn the_trace_of_a_lone_recipient_names_it_and_what_it_was() {
    let world = World::new().await;
    let mut envelope = envelope("", &["ann@a.example"]);
    let original = OriginalRecipient { address_type: "rfc822".into(), address: "old@b.example".into() };
    envelope.recipients[0].original = Some(original);
    world.relay(&envelope, MESSAGE).await.unwrap();
    let text = world.texts(world.ann).await.remove(0);
    let trace = text.strip_suffix(MESSAGE).unwrap();
    assert!(trace.starts_with("Return-Path: <>\r\nOriginal-Recipient: rfc822;"), "{trace}");
    assert!(
        trace.contains("old@b.example\r\nAuthentication-Results: ") && trace.contains("for <ann@a.example>"),
        "{trace}"
    );
}

#[tokio::test]
async fn recipients_are_judged_at_rcpt_and_again_at_the_end() {
    let world = World::new().await;
    for (recipient, verdict) in [
        ("ann@a.example", Ok(world.ann)),
        ("Dr.Ann@A.example", Ok(world.ann)),
        ("bob@c.example", Ok(world.bob)),
        ("bob@a.example", Err(Refusal::RecipientUnknown)),
        ("gone@a.example", Err(Refusal::RecipientDisabled)),
        ("zoe@elsewhere.example", Err(Refusal::RecipientUnknown)),
        ("zoe%elsewhere.example@a.example", Err(Refusal::RecipientUnknown)),
        ("elsewhere.example!zoe@a.example", Err(Refusal::RecipientUnknown)),
        ("\"zoe@elsewhere.example\"@a.example", Err(Refusal::RecipientUnknown)),
        ("postmaster@a.example", Ok(world.ann)),
        ("POSTMASTER@c.example", Ok(world.admin)),
        ("Postmaster", Ok(world.admin)),
    ] {
        let envelope = envelope("zoe@elsewhere.example", &[recipient]);
        for _ in 0..2 {
            let answer = world.delivery.recipient(&PEER, &envelope.recipients[0].forward_path, None).await;
            assert_eq!(answer, verdict.clone().map(Route::Local), "{recipient}");
        }
        let answer = world.relay(&envelope, MESSAGE).await.map(|accepted| accepted.copies[0].message.account);
        assert_eq!(answer, verdict, "{recipient}");
    }
    assert_eq!(world.texts(world.gone).await.len(), 0);
}

#[tokio::test]
async fn a_postmaster_whose_account_comes_later_reads_from_then_on() {
    let world = World::new().await;
    let host = "mx.a.example".parse().unwrap();
    let postmaster = Some("chief@a.example".parse().unwrap());
    let config = Config { postmaster, ..Config::alone(host, 1_000) };
    let delivery = Delivery::new(world.store.clone(), config, Still::default());
    assert_eq!(delivery.recipient(&PEER, &ForwardPath::Postmaster, None).await, Err(Refusal::PostmasterMissing));
    let (ann, address) = (world.ann, "chief@a.example".parse().unwrap());
    world.store.transaction(move |tx| store::address::add(tx, ann, &address, NOW)).await.unwrap();
    delivery.directory_changed();
    let route = delivery.recipient(&PEER, &ForwardPath::Postmaster, None).await;
    assert_eq!(route, Ok(Route::Local(world.ann)));
}

#[tokio::test]
async fn mail_to_a_postmaster_nobody_is_waits_and_a_disabled_one_is_stood_in_for() {
    let world = World::new().await;
    let host: mail::Domain = "mx.a.example".parse().unwrap();
    let named = |postmaster: Option<&str>| {
        let postmaster = postmaster.map(|address| address.parse().unwrap());
        let config = Config { postmaster, ..Config::alone(host.clone(), 1_000) };
        Delivery::new(world.store.clone(), config, Still::default())
    };
    let at = |text: &str| ForwardPath::Address(text.parse().unwrap());
    let nobody = named(None);
    for path in [ForwardPath::Postmaster, at("postmaster@c.example"), at("PostMaster@C.EXAMPLE")] {
        let refused = nobody.recipient(&PEER, &path, None).await;
        assert_eq!(refused, Err(Refusal::PostmasterMissing), "{path}");
    }
    assert_eq!(nobody.recipient(&PEER, &at("postmaster@elsewhere.example"), None).await.unwrap_err().status().class, 5);
    // The postmaster of the domain is disabled: the operator's reads.
    let ann = world.ann;
    let disable = store::account::State::Disabled;
    world.store.transaction(move |tx| store::account::set_state(tx, ann, disable, NOW)).await.unwrap();
    let operator = named(Some("admin@a.example"));
    assert_eq!(operator.recipient(&PEER, &at("postmaster@a.example"), None).await, Ok(Route::Local(world.admin)));
    assert_eq!(nobody.recipient(&PEER, &at("postmaster@a.example"), None).await, Err(Refusal::PostmasterMissing));
}

#[tokio::test]
async fn one_recipient_refused_at_the_end_means_none_gets_it() {
    let world = World::new().await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example", "bob@a.example"]);
    assert_eq!(world.relay(&envelope, MESSAGE).await, Err(Refusal::RecipientUnknown));
    assert_eq!(world.texts(world.ann).await.len(), 0);
}

#[tokio::test]
async fn content_is_judged() {
    let world = World::new().await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example"]);
    let received = |count: usize| format!("{}{MESSAGE}", "Received: from x by y; Fri, 20 Nov 2026\r\n".repeat(count));
    let sized = |octets: u64| {
        let lines = format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(100_000));
        lines[..usize::try_from(octets).unwrap()].trim_end_matches('\r').to_owned()
    };
    for (message, verdict) in [
        (received(50), Ok(())),
        (received(51), Err(Refusal::Loop { received_max: 50 })),
        (sized(OCTETS_MAX), Ok(())),
        (sized(OCTETS_MAX + 2), Err(Refusal::MessageTooLarge { octets_max: OCTETS_MAX })),
        ("Subject: a\n\r\nb\r\n".to_owned(), Err(Refusal::BareLineEnd)),
        ("Subject: a\r\n\r\nb\rc\r\n".to_owned(), Err(Refusal::BareLineEnd)),
        ("Subject: a\r\n\r\nb\0c\r\n".to_owned(), Err(Refusal::ContentMalformed)),
        (String::new(), Ok(())),
        ("no header at all".to_owned(), Ok(())),
    ] {
        let before = world.texts(world.ann).await.len();
        let answer = world.relay(&envelope, &message).await.map(drop);
        assert_eq!(answer, verdict, "{}", &message[..message.len().min(60)]);
        let after = world.texts(world.ann).await;
        assert_eq!(after.len() - before, usize::from(verdict.is_ok()));
        assert!(verdict.is_err() || after.last().is_some_and(|text| text.ends_with(&message)));
    }
}

#[tokio::test]
async fn a_full_mailbox_is_told_at_rcpt_and_holds_back_nobody_else() {
    let world = World::new().await;
    let bob = envelope("zoe@elsewhere.example", &["bob@c.example"]);
    let path = &bob.recipients[0].forward_path;
    assert_eq!(world.delivery.recipient(&PEER, path, Some(2_000)).await, Ok(Route::Local(world.bob)));
    assert_eq!(world.delivery.recipient(&PEER, path, Some(2_001)).await, Err(Refusal::QuotaExceeded));
    let long = format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(200));
    let both = envelope("zoe@elsewhere.example", &["ann@a.example", "bob@c.example"]);
    world.relay(&both, &long).await.unwrap();
    assert_eq!(world.texts(world.bob).await.len(), 1, "accepted at RCPT, so delivered, a little over");
    assert_eq!(world.delivery.recipient(&PEER, path, None).await, Err(Refusal::QuotaExceeded));
}

#[tokio::test]
async fn a_submission_is_judged_and_mended() {
    let world = World::new().await;
    let mine = envelope("ann@a.example", &["bob@c.example"]);
    let text = "From: Dr Ann <dr.ann@a.example>\r\nBcc: admin@a.example\r\nSubject: x\r\n\r\nbody\r\n";
    world.submit(&mine, text).await.unwrap();
    let delivered = world.texts(world.bob).await.remove(0);
    assert!(delivered.starts_with("Return-Path: <ann@a.example>\r\nReceived: "), "{delivered}");
    assert!(!delivered.contains("192.0.2.7") && !delivered.contains("client.example"), "{delivered}");
    assert!(!delivered.contains("Bcc") && delivered.ends_with("\r\n\r\nbody\r\n"), "{delivered}");
    assert!(delivered.contains("\r\nDate: Fri, 20 Nov 2026 13:54:00 +0000\r\n"), "{delivered}");
    assert!(delivered.contains("\r\nMessage-ID: <") && delivered.contains("@a.example>\r\n"), "{delivered}");

    let foreign = |address: &str| Err(Refusal::SenderNotYours { address: address.into() });
    let forged = "From: bob@c.example\r\n\r\nbody\r\n";
    assert_eq!(world.submit(&mine, forged).await.map(drop), foreign("bob@c.example"));
    let theirs = envelope("bob@c.example", &["bob@c.example"]);
    assert_eq!(world.submit(&theirs, text).await.map(drop), foreign("bob@c.example"));
    assert_eq!(world.delivery.sender(world.ann, &theirs.reverse_path).await, foreign("bob@c.example"));
    assert_eq!(world.delivery.sender(world.ann, &mine.reverse_path).await, Ok(()));
    assert_eq!(world.submit(&mine, "Subject: x\r\n\r\nbody\r\n").await.map(drop), Err(Refusal::SenderMissing));
    let null = envelope("", &["bob@c.example"]);
    assert_eq!(world.submit(&null, text).await.map(drop), foreign("<>"));
    assert_eq!(world.texts(world.bob).await.len(), 1);
}

#[tokio::test]
async fn a_submission_that_needs_no_mending_is_left_alone() {
    let world = World::new().await;
    let text = "From: ann@a.example\r\nDate: Fri, 20 Nov 2026 14:54:00 +0100\r\nMessage-ID: <2@a.example>\r\n\
                subject:odd\r\n\t folded \r\n\r\n\r\n.\r\n..x";
    world.submit(&envelope("ann@a.example", &["ann@a.example"]), text).await.unwrap();
    assert!(world.texts(world.ann).await.remove(0).ends_with(&format!("\r\n{text}")));
}

#[tokio::test]
async fn replies_join_the_thread() {
    let world = World::new().await;
    let envelope = envelope("zoe@elsewhere.example", &["ann@a.example"]);
    for header in [
        "Message-ID: <1@b>\r\n",
        "Message-ID: <2@b>\r\nIn-Reply-To: <1@b>\r\n",
        "Message-ID: <9@b>\r\n",
        "Message-ID: <3@b>\r\nReferences: <0@b>\r\n\t<2@b>\r\n",
    ] {
        world.relay(&envelope, &format!("From: z@b\r\n{header}Subject: x\r\n\r\n")).await.unwrap();
    }
    let threads: Vec<u32> = world.messages(world.ann).await.into_iter().map(|(thread, _)| thread).collect();
    assert!(threads[0] == threads[1] && threads[1] == threads[3] && threads[2] != threads[0], "{threads:?}");
}

#[tokio::test]
async fn an_appended_message_stays_as_it_is() {
    let world = World::new().await;
    let mailbox = world.inbox(world.ann).await;
    let order =
        AppendOrder { mailbox, flags: Flags::system(&[SystemFlag::Seen]), internal_date: Some(UnixMillis(1_000)) };
    let text = "Bcc: kept@a.example\nbare line ends\n\nof an old archive\n";
    let mut incoming = world.delivery.begin(Door::Append).await.unwrap();
    incoming.write(text.as_bytes()).await.unwrap();
    let appended = incoming.append(order.clone()).await.unwrap();
    assert_eq!((appended.uid.get(), appended.message.account), (1, world.ann));
    assert_eq!(world.texts(world.ann).await, [text]);

    let mut incoming = world.delivery.begin(Door::Append).await.unwrap();
    incoming.write(b"a\0b").await.unwrap();
    assert_eq!(incoming.append(order.clone()).await, Err(AppendError::Refused(Refusal::ContentMalformed)));

    let full = AppendOrder { mailbox: world.inbox(world.bob).await, ..order.clone() };
    let mut incoming = world.delivery.begin(Door::Append).await.unwrap();
    incoming.write(&[b'x'; 2_001]).await.unwrap();
    assert_eq!(incoming.append(full).await, Err(AppendError::Store(StoreError::QuotaExceeded)));

    let nowhere = AppendOrder { mailbox: MailboxId { account: world.ann, number: 99 }, ..order };
    let incoming = world.delivery.begin(Door::Append).await.unwrap();
    assert_eq!(incoming.append(nowhere).await, Err(AppendError::Store(StoreError::NoSuchMailbox)));
}

#[tokio::test]
async fn a_message_dropped_half_way_leaves_nothing() {
    let world = World::new().await;
    let mut incoming = world.delivery.begin(Door::Relay(Peer::Unasked)).await.unwrap();
    incoming.write(&vec![b'x'; 1 << 20]).await.unwrap();
    drop(incoming);
    assert_eq!(world.texts(world.ann).await.len(), 0);
    let staging = world.folder.path().join("blobs/staging");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn a_change_of_the_directory_is_seen_once_it_is_told() {
    let world = World::new().await;
    let path = ForwardPath::Address(address("new@a.example"));
    assert_eq!(world.delivery.recipient(&PEER, &path, None).await, Err(Refusal::RecipientUnknown));
    let ann = world.ann;
    let added = world.store.transaction(move |tx| store::address::add(tx, ann, &address("new@a.example"), NOW));
    added.await.unwrap();
    world.delivery.directory_changed();
    assert_eq!(world.delivery.recipient(&PEER, &path, None).await, Ok(Route::Local(world.ann)));
}
