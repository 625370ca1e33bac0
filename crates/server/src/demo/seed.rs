//! Fills the store of a demo: structures, domains, accounts. What is there is kept, so a start that was cut off goes on.

use auth::password::GeneratedSecret;
use mail::{Address, Domain, Language};
use store::account::NewAccount;
use store::{Store, StoreError, StructureId};

use super::people::{FIRST_DOMAIN, People, Person, SECOND_DOMAIN};
use crate::admin::{NewPassword, create_account, create_domain, hash_generated};
use crate::assembly::open_store;
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::machine::now;

/// Accounts made in one transaction.
const BATCH: usize = 100;

/// Makes what is missing.
pub async fn ensure(config: &Config, people: &People, accounts: u32) -> anyhow::Result<()> {
    let folder = DataFolder::take(&config.data)?;
    let store = open_store(config).await?;
    let seeded = seed(&store, people, accounts).await;
    store.close().await;
    drop(folder);
    seeded
}

async fn seed(store: &Store, people: &People, accounts: u32) -> anyhow::Result<()> {
    let first = ensure_domain(store, "Hôpital de démonstration", FIRST_DOMAIN.parse()?).await?;
    let second = ensure_domain(store, "Cabinet de démonstration", SECOND_DOMAIN.parse()?).await?;
    let [load_password, other_password] = people.secrets();
    let load_password = hash(load_password).await?;
    let other_password = hash(other_password).await?;
    ensure_accounts(store, first, vec![people.user1.clone(), people.user2.clone()], &load_password).await?;
    ensure_accounts(store, second, vec![people.user3.clone()], &other_password).await?;

    let numbered = |number: u32| Person {
        address: format!("user{number:04}@{FIRST_DOMAIN}"),
        name: format!("User {number:04}"),
        password: people.load_password.clone(),
    };
    let wanted: Vec<Person> = (1..=accounts).map(numbered).collect();
    // One hash for all of them: they share their password anyway, and a thousand hashes would take half a minute.
    for batch in wanted.chunks(BATCH) {
        ensure_accounts(store, first, batch.to_vec(), &load_password).await?;
    }
    Ok(())
}

async fn ensure_domain(store: &Store, name: &'static str, domain: Domain) -> anyhow::Result<StructureId> {
    let at = now();
    let ensured = store.transaction(move |tx| match store::domain::find(tx, &domain)? {
        Some(found) => Ok(found.structure),
        None => create_domain(tx, name, &domain, at),
    });
    Ok(ensured.await.map_err(|error: StoreError| error)?)
}

async fn ensure_accounts(
    store: &Store,
    structure: StructureId,
    people: Vec<Person>,
    password: &NewPassword,
) -> anyhow::Result<()> {
    let password = password.clone();
    let parse = |person: Person| Ok::<_, anyhow::Error>((person.address.parse::<Address>()?, person.name));
    let people = people.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let at = now();
    let ensured = store.transaction(move |tx| {
        for (address, name) in &people {
            if store::address::find(tx, address)?.is_none() {
                let new = NewAccount { structure, name, language: Language::French, quota_octets: 0 };
                create_account(tx, &new, address, &password, at)?;
            }
        }
        Ok::<_, StoreError>(())
    });
    Ok(ensured.await?)
}

async fn hash(secret: GeneratedSecret) -> anyhow::Result<NewPassword> {
    Ok(tokio::task::spawn_blocking(move || hash_generated(&secret)).await??)
}
