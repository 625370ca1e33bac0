//! What is done by hand, and what a backup brings back.

use mail::dsn::Cause;
use queue::operate::{self, Listed};
use queue::{Outcome, Selection, State, figures};
use store::{Config, StoreError};

use crate::world::{NOW, World, answered, later, recipient};

async fn listed(world: &World, selection: &str) -> Vec<String> {
    let selection: Selection = selection.parse().unwrap();
    let list = world.store.read(move |view| operate::list(view, &selection, None, 100)).await.unwrap();
    list.iter().map(|Listed { entry, .. }| format!("{} {}", entry.id, entry.state.word())).collect()
}

async fn with_two_messages(world: &World) {
    world.queue("m1", vec![recipient("bob@b.example"), recipient("carl@c.example")], NOW).await;
    world.queue("m2", vec![recipient("dora@b.example")], later(NOW, 60)).await;
}

#[tokio::test]
async fn entries_are_held_released_and_tried_by_hand() {
    for world in World::on_every_engine().await {
        with_two_messages(&world).await;
        let hold = |selection: Selection| world.store.transaction(move |tx| operate::hold(tx, &selection));
        assert_eq!(hold("b.example".parse().unwrap()).await.unwrap(), 2);
        assert_eq!(hold("m1/1".parse().unwrap()).await.unwrap(), 0, "it is held already");
        assert_eq!(listed(&world, "all").await, ["m1/1 held", "m1/2 waiting", "m2/1 held"]);
        assert_eq!(listed(&world, "m1").await, ["m1/1 held", "m1/2 waiting"]);
        assert_eq!(listed(&world, "b.example").await, ["m1/1 held", "m2/1 held"]);
        let page = world.store.read(|view| operate::list(view, &Selection::All, Some(&"m1/1".parse().unwrap()), 1));
        assert_eq!(page.await.unwrap()[0].entry.id.to_string(), "m1/2");
        let found = world.store.read(|view| queue::due::destinations(view, None, later(NOW, 60))).await.unwrap();
        assert_eq!(found.destinations, ["c.example".parse().unwrap()], "what is held is not due");

        let deferred = Outcome::Deferred { cause: Cause::Unreachable, answer: None };
        let plan = world.plan("m1", &[deferred.clone(), deferred], NOW).await;
        world.record(&plan).await.unwrap();
        assert_eq!(listed(&world, "m1").await, ["m1/1 held", "m1/2 waiting"], "held while it was under way");

        let mut changes = world.store.queue_changes();
        changes.take();
        let retried = world.store.transaction(|tx| operate::retry(tx, &Selection::All, NOW)).await.unwrap();
        assert_eq!(retried, 1);
        let news = changes.next().await;
        assert_eq!(news.by_hand.iter().map(|name| &**name).collect::<Vec<_>>(), ["c.example"]);
        let released = world.store.transaction(|tx| operate::release(tx, &Selection::All, NOW)).await.unwrap();
        assert_eq!((released, changes.next().await.by_hand.len()), (2, 1));
        let found = world.store.read(|view| queue::due::destinations(view, None, NOW)).await.unwrap();
        assert_eq!((found.destinations.len(), found.next), (2, None));
    }
}

#[tokio::test]
async fn entries_are_given_up_by_hand_and_their_senders_told() {
    for world in World::on_every_engine().await {
        with_two_messages(&world).await;
        let mut given_up = Vec::new();
        let mut after = None;
        loop {
            let from = after.clone();
            let selection = Selection::All;
            let work = move |view: &mut dyn store::Snapshot| {
                operate::give_up(view, &selection, from.as_ref(), 2, later(NOW, 90))
            };
            let (plans, last) = world.store.read(work).await.unwrap();
            for plan in plans {
                let bounce = plan.report().unwrap();
                assert_eq!(bounce.to().to_string(), "ann@a.example");
                given_up.push((bounce.about().name.to_string(), plan.decisions().count()));
                world.record(&plan).await.unwrap();
            }
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        assert_eq!(given_up, [("m1".to_owned(), 2), ("m2".to_owned(), 1)]);
        assert_eq!(listed(&world, "all").await, Vec::<String>::new());
        world.verify().await;
    }
}

#[tokio::test]
async fn figures_name_a_bounded_number_of_destinations() {
    for world in World::on_every_engine().await {
        with_two_messages(&world).await;
        world.queue("m3", vec![recipient("e@d.example"), recipient("f@e.example")], later(NOW, 90)).await;
        world.store.transaction(|tx| operate::hold(tx, &"m2".parse().unwrap())).await.unwrap();
        let depths = world.store.read(|view| figures::depths(view, 2)).await.unwrap();
        let told = depths.iter().map(|it| (it.destination.as_str(), it.waiting, it.held, it.oldest));
        let expected = [("b.example", 1, 1, NOW), ("c.example", 1, 0, NOW), (figures::OTHERS, 2, 0, later(NOW, 90))];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(world.store.read(|view| figures::depths(view, 9)).await.unwrap().len(), 4);
        assert_eq!(world.store.read(|view| figures::total(view)).await.unwrap(), 5);
    }
    let names = figures::Names::new(1);
    assert_eq!([names.of("a"), names.of("b"), names.of("a")], ["a", figures::OTHERS, "a"]);
}

#[test]
fn selections_read() {
    for text in ["", "m1/", "m1/0", "/1", "m1/x", "a..b"] {
        assert!(text.parse::<Selection>().is_err(), "{text}");
    }
    assert_eq!("all".parse(), Ok(Selection::All));
    assert_eq!("m1/2".parse(), Ok(Selection::Entry("m1/2".parse().unwrap())));
    assert_eq!("m1".parse(), Ok(Selection::Message("m1".into())));
    assert_eq!("b.example".parse(), Ok(Selection::Destination("b.example".parse().unwrap())));
}

/// What waited when the backup was made may have left since: it comes back with its octets, and waits to be released.
#[tokio::test]
async fn a_restored_queue_is_held() {
    let world = World::new().await;
    with_two_messages(&world).await;
    world.record(&world.plan("m2", &[answered(451, "4.3.0", "later")], later(NOW, 60)).await).await.unwrap();
    let backup = world.folder.path().join("backup");
    world.store.backup(&backup, &[], NOW, |_| {}).await.unwrap();
    let config = Config::in_folder(world.folder.path().join("restored"));
    let restored = store::restore::whole(&backup, &config, NOW).await.unwrap();
    let restored = World { store: restored, folder: world.folder.clone(), ..world };
    assert_eq!(listed(&restored, "all").await, ["m1/1 held", "m1/2 held", "m2/1 held"]);
    restored.verify().await;
    let found = restored.store.read(|view| queue::due::destinations(view, None, later(NOW, 900))).await.unwrap();
    assert_eq!(found, queue::due::Found::default());
    let (message, entries) = restored.read("m2").await.unwrap();
    let blob = restored.store.open_blob(message.blob).await.unwrap();
    assert_eq!(blob.read(0..u64::MAX).await.unwrap(), crate::world::ORIGINAL);
    assert_eq!((entries[0].attempts, entries[0].state), (1, State::Held));
    let released = restored.store.transaction(|tx| operate::release(tx, &Selection::All, NOW)).await;
    assert_eq!(released.map_err(|error: StoreError| error), Ok(3));
}
