//! Certificates and national identifiers of accounts.

use store::certificate::{self, CERTIFICATES_MAX, Matching};
use store::identifier::{self, Standing};
use store::{AccountId, StoreError};

use crate::world::{NOW, World, account};

async fn bind(world: &World, account: AccountId, matched: &'static str) -> Result<i64, StoreError> {
    let bind = move |tx: &mut dyn store::Transaction| {
        certificate::bind(tx, account, Matching::Subject, (matched, "CN=x;y"), NOW)
    };
    world.store.transaction(bind).await
}

async fn link(world: &World, account: AccountId, who: &'static str, standing: Standing) -> Result<(), StoreError> {
    world.store.transaction(move |tx| identifier::link(tx, account, who, standing, NOW)).await
}

#[tokio::test]
async fn certificates_and_accounts_are_bound_many_to_many() {
    for world in World::on_every_engine().await {
        let (first, second) = (world.account, account(&world.store, 0).await);
        assert_eq!(bind(&world, first, "subject a").await, Ok(1));
        assert_eq!(bind(&world, first, "issuer i 01").await, Ok(2));
        assert_eq!(bind(&world, second, "subject a").await, Ok(1));
        assert_eq!(bind(&world, first, "subject a").await, Err(StoreError::Taken("certificate")));
        assert!(matches!(bind(&world, AccountId(99), "subject a").await, Err(StoreError::Unknown(_))));
        let found = async |subject: &'static str, serial: &'static str, limit: u32| {
            world.store.read(move |view| certificate::accounts(view, subject, serial, limit)).await.unwrap()
        };
        assert_eq!(found("subject a", "issuer i 01", 10).await, [first, second]);
        assert_eq!(found("subject a", "issuer i 01", 1).await, [first]);
        assert_eq!(found("subject b", "issuer i 01", 10).await, [first]);
        assert!(found("subject b", "issuer i 02", 10).await.is_empty());
        assert!(found("' OR 1=1 --", "%", 10).await.is_empty(), "S15");

        let unbind = |id| world.store.transaction(move |tx| certificate::unbind(tx, first, id, NOW));
        unbind(1).await.unwrap();
        assert_eq!(unbind(1).await, Err(StoreError::Unknown("certificate")));
        assert_eq!(found("subject a", "issuer i 01", 10).await, [first, second], "the serial number is left");
        // Numbers below the highest are not given again, so that a script never removes another one.
        assert_eq!(bind(&world, first, "subject c").await, Ok(3));
        let listed = world.store.read(move |view| certificate::list(view, first)).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [2, 3]);
        let events = world.store.read(move |view| store::event::list(view, first, 0, 100)).await.unwrap();
        let last: Vec<(&str, &str)> =
            events.iter().rev().take(2).map(|event| (event.kind.as_str(), event.fields.as_str())).collect();
        let expected = [("certificate-changed", "bound=CN%3Dx%3By"), ("certificate-changed", "unbound=CN%3Dx%3By")];
        assert_eq!(last, expected);
    }
}

#[tokio::test]
async fn an_account_has_so_many_certificates_and_no_more() {
    let world = World::new().await;
    let owner = world.account;
    let fill = move |tx: &mut dyn store::Transaction| {
        for number in 0..CERTIFICATES_MAX {
            let matched = format!("subject {number}");
            certificate::bind(tx, owner, Matching::Subject, (matched.as_str(), "CN=x"), NOW)?;
        }
        Ok::<_, StoreError>(())
    };
    world.store.transaction(fill).await.unwrap();
    assert!(matches!(bind(&world, world.account, "subject more").await, Err(StoreError::Taken(_))));
}

#[tokio::test]
async fn a_person_has_one_account_and_may_use_others() {
    for world in World::on_every_engine().await {
        let (own, shared) = (world.account, account(&world.store, 0).await);
        link(&world, own, "10000000001", Standing::Holder).await.unwrap();
        let again = link(&world, shared, "10000000001", Standing::Holder).await;
        assert_eq!(again, Err(StoreError::Taken("identifier")));
        link(&world, shared, "10000000001", Standing::Linked).await.unwrap();
        link(&world, shared, "10000000002", Standing::Linked).await.unwrap();
        let twice = link(&world, shared, "10000000002", Standing::Holder).await;
        assert_eq!(twice, Err(StoreError::Taken("identifier")));
        let of =
            async |who: &'static str| world.store.read(move |view| identifier::accounts(view, who, 10)).await.unwrap();
        assert_eq!(of("10000000001").await, [(own, Standing::Holder), (shared, Standing::Linked)]);
        assert_eq!(of("10000000002").await, [(shared, Standing::Linked)]);
        assert!(of("1000000000_").await.is_empty());

        let unlink = |who: &'static str| world.store.transaction(move |tx| identifier::unlink(tx, own, who, NOW));
        unlink("10000000001").await.unwrap();
        assert_eq!(unlink("10000000001").await, Err(StoreError::Unknown("identifier")));
        assert_eq!(of("10000000001").await, [(shared, Standing::Linked)]);
        let people = world.store.read(move |view| identifier::list(view, shared)).await.unwrap();
        assert_eq!(people.len(), 2);
    }
}
