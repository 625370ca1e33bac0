//! Fills the store of a demo: structures, domains, accounts. What is there is kept, so a start that was cut off goes on.

use anyhow::Context;
use auth::password::GeneratedSecret;
use mail::{Address, Domain, Language};
use store::account::NewAccount;
use store::{Store, StoreError, StructureId};

use super::people::{B_DOMAIN, Counterpart, FIRST_DOMAIN, People, Person, SECOND_DOMAIN};
use crate::admin::{NewPassword, create_account, create_domain, hash_generated};
use crate::assembly::open_store;
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::machine::now;

/// Accounts made in one transaction.
const BATCH: usize = 100;

/// Makes what is missing at operator A.
pub async fn ensure(config: &Config, people: &People, accounts: u32) -> anyhow::Result<()> {
    let (_taken, store) = open(config).await?;
    let seeded = seed(&store, people, accounts).await;
    store.close().await;
    seeded
}

/// Makes what is missing at operator B.
pub async fn ensure_counterpart(config: &Config, counterpart: &Counterpart) -> anyhow::Result<()> {
    let (_taken, store) = open(config).await?;
    let seeded = seed_counterpart(&store, counterpart).await;
    store.close().await;
    seeded
}

async fn open(config: &Config) -> anyhow::Result<(DataFolder, Store)> {
    let folder = DataFolder::take(&config.data)?;
    Ok((folder, open_store(config).await?))
}

async fn seed_counterpart(store: &Store, counterpart: &Counterpart) -> anyhow::Result<()> {
    let structure = ensure_domain(store, "Clinique de démonstration", B_DOMAIN.parse()?).await?;
    let mut password = Password::of(counterpart.secret());
    ensure_accounts(store, structure, vec![counterpart.user1.clone()], &mut password).await
}

async fn seed(store: &Store, people: &People, accounts: u32) -> anyhow::Result<()> {
    let first = ensure_domain(store, "Hôpital de démonstration", FIRST_DOMAIN.parse()?).await?;
    let second = ensure_domain(store, "Cabinet de démonstration", SECOND_DOMAIN.parse()?).await?;
    let [load_password, other_password] = people.secrets();
    let (mut load_password, mut other_password) = (Password::of(load_password), Password::of(other_password));
    ensure_accounts(store, first, vec![people.user1.clone(), people.user2.clone()], &mut load_password).await?;
    ensure_accounts(store, second, vec![people.user3.clone()], &mut other_password).await?;

    let numbered = |number: u32| Person {
        address: format!("user{number:04}@{FIRST_DOMAIN}"),
        name: format!("User {number:04}"),
        password: people.load_password.clone(),
    };
    let wanted: Vec<Person> = (1..=accounts).map(numbered).collect();
    // One hash for all of them: they share their password anyway, and a thousand hashes would take half a minute.
    for batch in wanted.chunks(BATCH) {
        ensure_accounts(store, first, batch.to_vec(), &mut load_password).await?;
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
    password: &mut Password,
) -> anyhow::Result<()> {
    let parse = |person: Person| Ok::<_, anyhow::Error>((person.address.parse::<Address>()?, person.name));
    let people = people.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let missing = store.read(move |view| {
        let mut missing = Vec::new();
        for (address, name) in people {
            if store::address::find(view, &address)?.is_none() {
                missing.push((address, name));
            }
        }
        Ok::<_, StoreError>(missing)
    });
    let missing = missing.await?;
    if missing.is_empty() {
        return Ok(());
    }
    let (password, at) = (password.hashed().await?, now());
    let made = store.transaction(move |tx| {
        for (address, name) in &missing {
            let new = NewAccount { structure, name, language: Language::French, quota_octets: 0 };
            create_account(tx, &new, address, &password, at)?;
        }
        Ok::<_, StoreError>(())
    });
    Ok(made.await?)
}

/// A password that is hashed when an account is made with it, and once.
struct Password {
    secret: Option<GeneratedSecret>,
    hashed: Option<NewPassword>,
}

impl Password {
    fn of(secret: GeneratedSecret) -> Password {
        Password { secret: Some(secret), hashed: None }
    }

    async fn hashed(&mut self) -> anyhow::Result<NewPassword> {
        if let Some(secret) = self.secret.take() {
            self.hashed = Some(tokio::task::spawn_blocking(move || hash_generated(&secret)).await??);
        }
        self.hashed.clone().context("hashing failed before")
    }
}
