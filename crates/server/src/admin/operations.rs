//! The requests, done on a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::AccountId;
use delivery::Delivery;
use directory::naming;
use mail::{Address, Domain, Language};
use serde::Serialize;
use serde_json::{Value, json};
use store::account::{Account, NewAccount, State};
use store::{Snapshot, Store, StoreError, StructureId, Transaction, UnixMillis};

use super::passwords::{self, NewPassword};
use super::queue::Move;
use super::streams::taken_along;
use super::{AccountView, DomainView, Failed, Request, SessionView, StructureView};
use crate::config::Config;
use crate::config::trust::TrustConfig;
use crate::machine::now;
use crate::sessions::{Ending, Listed, SessionId, Sessions};
use crate::trust_space::TrustSpace;

/// Accounts read in one go.
const PAGE: u32 = 1_000;

/// What a running server does besides, so that the change is seen at once.
pub trait Hooks: Send + Sync + 'static {
    /// The account's sessions end for this reason, and what was remembered of its passwords is forgotten.
    fn account_changed(&self, account: AccountId, why: Ending);
    /// Addresses, domains or accounts came or went.
    fn directory_changed(&self);
    /// The open sessions; none when no server runs.
    fn sessions(&self) -> Option<&Sessions>;
    /// The trust space; none when none is configured.
    fn trust(&self) -> Option<&Arc<TrustSpace>>;
}

/// Does requests.
#[derive(Clone)]
pub struct Administration {
    store: Store,
    delivery: Delivery,
    taken_along: Arc<[PathBuf]>,
    trust: Option<Arc<(TrustConfig, PathBuf)>>,
    hooks: Option<Arc<dyn Hooks>>,
}

impl Administration {
    /// On the store alone.
    pub fn on_store(config: &Config, store: Store, delivery: Delivery) -> Administration {
        Administration::of(config, store, delivery, None)
    }

    /// In a running server.
    pub fn in_server(config: &Config, store: Store, delivery: Delivery, hooks: Arc<dyn Hooks>) -> Administration {
        Administration::of(config, store, delivery, Some(hooks))
    }

    fn of(config: &Config, store: Store, delivery: Delivery, hooks: Option<Arc<dyn Hooks>>) -> Administration {
        let trust = config.trust.clone().map(|trust| Arc::new((trust, config.data.clone())));
        Administration { store, delivery, taken_along: taken_along(config).into(), trust, hooks }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What a backup takes along.
    pub(super) fn taken_along(&self) -> &[PathBuf] {
        &self.taken_along
    }

    /// The server around it, when one runs.
    pub(super) fn hooks(&self) -> Option<&Arc<dyn Hooks>> {
        self.hooks.as_ref()
    }

    /// The trust space configured, and the data folder.
    pub(super) fn trust_config(&self) -> Option<(&TrustConfig, &Path)> {
        self.trust.as_deref().map(|(config, data)| (config, data.as_path()))
    }

    /// Whether a server runs around it.
    pub(super) fn has_server(&self) -> bool {
        self.hooks.is_some()
    }

    /// The way in for messages.
    pub(super) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Does one request whose reply is one value.
    ///
    /// # Errors
    /// A sentence for the person at the terminal.
    pub async fn execute(&self, request: Request) -> Result<Value, Failed> {
        match request {
            Request::StructureAdd { name } => self.structure_add(name).await,
            Request::StructureList => self.structures().await,
            Request::DomainAdd { structure, domain } => self.domain_add(structure, domain).await,
            Request::DomainPostmaster { domain, account } => self.domain_postmaster(domain, account).await,
            Request::DomainList => self.domains().await,
            Request::AccountAdd { address, name, language, quota_octets, password } => {
                self.account_add(address, name, language, quota_octets, password).await
            }
            Request::AccountList => self.accounts().await,
            Request::AccountShow { account } => self.account_show(account).await,
            Request::AccountAddress { account, address } => self.account_address(account, address).await,
            Request::AccountPassword { account, password } => self.account_password(account, password).await,
            Request::AccountDisable { account } => self.account_state(account, State::Disabled).await,
            Request::AccountEnable { account } => self.account_state(account, State::Active).await,
            Request::AccountCertificateAdd { account, certificate } => {
                self.certificate_add(&account, certificate).await
            }
            Request::AccountCertificateList { account } => self.certificate_list(&account).await,
            Request::AccountCertificateRemove { account, number } => self.certificate_remove(&account, number).await,
            Request::AccountIdentifierAdd { account, identifier, holder } => {
                self.identifier_add(&account, &identifier, holder).await
            }
            Request::AccountIdentifierList { account } => self.identifier_list(&account).await,
            Request::AccountIdentifierRemove { account, identifier } => {
                self.identifier_remove(&account, identifier).await
            }
            Request::TrustStatus => self.trust_status().await,
            Request::TrustShow { what } => self.trust_show(&what).await,
            Request::TrustRefresh => self.trust_refresh().await,
            Request::SessionList => self.session_list(),
            Request::SessionEnd { session, account } => self.session_end(session, account).await,
            Request::QueueList { selection, limit } => self.queue_list(selection, limit).await,
            Request::QueueShow { name } => self.queue_show(name).await,
            Request::QueueRetry { selection } => self.queue_move(selection, Move::Retry).await,
            Request::QueueHold { selection } => self.queue_move(selection, Move::Hold).await,
            Request::QueueRelease { selection } => self.queue_move(selection, Move::Release).await,
            Request::QueueFail { selection } => self.queue_fail(selection).await,
            Request::Append { .. }
            | Request::Verify
            | Request::Backup { .. }
            | Request::Restore { .. }
            | Request::Export { .. } => Err(Failed("this request has a stream of its own".into())),
        }
    }

    async fn structure_add(&self, name: String) -> Result<Value, Failed> {
        let name = naming::display_name(&name).map_err(Failed::because)?;
        let view = name.clone();
        let at = now();
        let id = self.transaction(move |tx| store::structure::create(tx, &name, at)).await?;
        value(StructureView { id: id.0, name: view })
    }

    async fn structures(&self) -> Result<Value, Failed> {
        let structures = self.read(|snapshot| store::structure::list(snapshot)).await?;
        let views: Vec<StructureView> =
            structures.into_iter().map(|one| StructureView { id: one.id.0, name: one.name }).collect();
        value(views)
    }

    async fn domain_add(&self, structure: String, domain: String) -> Result<Value, Failed> {
        let domain = parse::<Domain>(&domain)?;
        let named = structure.clone();
        let structures = self.read(|snapshot| store::structure::list(snapshot)).await?;
        let found = structures.iter().find(|one| one.id.0.to_string() == named || one.name == named);
        let id = found.map(|one| one.id).ok_or_else(|| Failed(format!("there is no structure \"{structure}\"")))?;
        let view = DomainView { domain: domain.to_string(), structure: id.0, postmaster: None };
        let at = now();
        self.transaction(move |tx| store::domain::create(tx, id, &domain, at)).await?;
        self.directory_changed();
        value(view)
    }

    async fn domain_postmaster(&self, domain: String, account: String) -> Result<Value, Failed> {
        let domain = parse::<Domain>(&domain)?;
        let account = self.find(&account).await?.id;
        self.transaction(move |tx| store::domain::set_postmaster(tx, &domain, account)).await?;
        self.directory_changed();
        Ok(json!({ "account": account.0 }))
    }

    async fn domains(&self) -> Result<Value, Failed> {
        let domains = self.read(|snapshot| store::domain::list(snapshot)).await?;
        let view = |one: store::domain::DomainRow| DomainView {
            domain: one.name.to_string(),
            structure: one.structure.0,
            postmaster: one.postmaster.map(|account| account.0),
        };
        value(domains.into_iter().map(view).collect::<Vec<_>>())
    }

    async fn account_add(
        &self,
        address: String,
        name: String,
        language: String,
        quota_octets: u64,
        password: Option<String>,
    ) -> Result<Value, Failed> {
        let address = parse::<Address>(&address)?;
        naming::login_address(&address).map_err(Failed::because)?;
        let name = naming::display_name(&name).map_err(Failed::because)?;
        let language = Language::from_tag(&language).ok_or_else(|| Failed("the language is fr or en".into()))?;
        let password = hash(password, address.clone()).await?;
        let (credentials, at) = (password.clone(), now());
        let created = self
            .transaction(move |tx| {
                let domain = store::domain::find(tx, address.domain())?.ok_or(StoreError::Unknown("domain"))?;
                let new = NewAccount { structure: domain.structure, name: &name, language, quota_octets };
                create_account(tx, &new, &address, &credentials, at)
            })
            .await?;
        self.directory_changed();
        Ok(json!({ "account": created.0, "password": password.generated() }))
    }

    async fn accounts(&self) -> Result<Value, Failed> {
        let mut views = Vec::new();
        let mut after = AccountId(0);
        loop {
            let page = self
                .read(move |snapshot| {
                    let accounts = store::account::list(snapshot, after, PAGE)?;
                    accounts.into_iter().map(|account| view(snapshot, account)).collect::<Result<Vec<_>, _>>()
                })
                .await?;
            let Some(last) = page.last() else {
                return value(views);
            };
            after = AccountId(last.id);
            views.extend(page);
        }
    }

    async fn account_show(&self, account: String) -> Result<Value, Failed> {
        let account = self.find(&account).await?;
        value(self.read(move |snapshot| view(snapshot, account.clone())).await?)
    }

    async fn account_address(&self, account: String, address: String) -> Result<Value, Failed> {
        let account = self.find(&account).await?.id;
        let address = parse::<Address>(&address)?;
        let at = now();
        self.transaction(move |tx| store::address::add(tx, account, &address, at)).await?;
        self.directory_changed();
        Ok(json!({ "account": account.0 }))
    }

    async fn account_password(&self, account: String, password: Option<String>) -> Result<Value, Failed> {
        let login = parse::<Address>(&account)?;
        let account = self.find(&account).await?.id;
        let password = hash(password, login).await?;
        let (credentials, at) = (password.clone(), now());
        self.transaction(move |tx| credentials.set(tx, account, at)).await?;
        self.account_changed(account, Ending::Administrator);
        Ok(json!({ "account": account.0, "password": password.generated() }))
    }

    async fn account_state(&self, account: String, state: State) -> Result<Value, Failed> {
        let account = self.find(&account).await?.id;
        let at = now();
        self.transaction(move |tx| store::account::set_state(tx, account, state, at)).await?;
        if state == State::Disabled {
            self.account_changed(account, Ending::Suspended);
        }
        self.directory_changed();
        Ok(json!({ "account": account.0, "state": word(state) }))
    }

    fn session_list(&self) -> Result<Value, Failed> {
        let sessions = self.sessions()?.list();
        value(sessions.iter().map(SessionView::of).collect::<Vec<_>>())
    }

    async fn session_end(&self, session: Option<u64>, account: Option<String>) -> Result<Value, Failed> {
        let account = match account {
            Some(account) => Some(self.find(&account).await?.id),
            None => None,
        };
        let sessions = self.sessions()?;
        let by_account = account.map_or(0, |account| sessions.end_all_of(account, Ending::Administrator));
        let by_number = session.map_or(0, |session| usize::from(sessions.end(SessionId(session))));
        Ok(json!({ "ended": by_account + by_number }))
    }

    fn sessions(&self) -> Result<&Sessions, Failed> {
        let running = self.hooks.as_ref().and_then(|hooks| hooks.sessions());
        running.ok_or_else(|| Failed("no server runs, so there are no sessions".into()))
    }

    /// The account that has this address.
    pub(crate) async fn find(&self, address: &str) -> Result<Account, Failed> {
        let parsed = parse::<Address>(address)?;
        let found = self
            .read(move |snapshot| match store::address::find(snapshot, &parsed)? {
                Some(holder) => store::account::find(snapshot, holder.account),
                None => Ok(None),
            })
            .await?;
        found.ok_or_else(|| Failed(format!("no account has the address {address}")))
    }

    pub(crate) async fn transaction<T, F>(&self, closure: F) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    {
        self.store.transaction(closure).await.map_err(Failed::because)
    }

    pub(super) async fn read<T, F>(&self, closure: F) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Snapshot) -> Result<T, StoreError> + Send + 'static,
    {
        self.store.read(closure).await.map_err(Failed::because)
    }

    pub(super) fn account_changed(&self, account: AccountId, why: Ending) {
        if let Some(hooks) = &self.hooks {
            hooks.account_changed(account, why);
        }
    }

    fn directory_changed(&self) {
        if let Some(hooks) = &self.hooks {
            hooks.directory_changed();
        }
    }
}

/// Creates an account with its address and password.
pub(crate) fn create_account(
    tx: &mut dyn Transaction,
    new: &NewAccount<'_>,
    address: &Address,
    password: &NewPassword,
    at: UnixMillis,
) -> Result<AccountId, StoreError> {
    let account = store::account::create(tx, new, at)?;
    store::address::add(tx, account, address, at)?;
    password.set(tx, account, at)?;
    Ok(account)
}

/// Creates a structure with one domain.
pub(crate) fn create_domain(
    tx: &mut dyn Transaction,
    name: &str,
    domain: &Domain,
    at: UnixMillis,
) -> Result<StructureId, StoreError> {
    let structure = store::structure::create(tx, name, at)?;
    store::domain::create(tx, structure, domain, at)?;
    Ok(structure)
}

async fn hash(password: Option<String>, login: Address) -> Result<NewPassword, Failed> {
    let hashing = tokio::task::spawn_blocking(move || passwords::make(password.as_deref(), &login));
    hashing.await.map_err(Failed::because)?
}

fn view(snapshot: &mut dyn Snapshot, account: Account) -> Result<AccountView, StoreError> {
    let addresses = store::address::list(snapshot, account.id)?;
    Ok(AccountView {
        id: account.id.0,
        addresses: addresses.iter().map(Address::to_string).collect(),
        name: account.name,
        structure: account.structure.0,
        language: account.language.tag().to_owned(),
        state: word(account.state).to_owned(),
        used_octets: account.used_octets,
        quota_octets: account.quota_octets,
        messages: account.entries,
        created: account.created.seconds(),
    })
}

impl SessionView {
    fn of(listed: &Listed) -> SessionView {
        SessionView {
            id: listed.id.0,
            protocol: listed.protocol.word().to_owned(),
            peer: listed.peer.to_string(),
            person: listed.identity.as_ref().map(|identity| identity.person.0),
            acting_for: listed.identity.as_ref().map(|identity| identity.acting_for.0),
            age_seconds: listed.age.as_secs(),
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Disabled => "disabled",
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Failed>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Failed(format!("{text}: {error}")))
}

pub(super) fn value(view: impl Serialize) -> Result<Value, Failed> {
    serde_json::to_value(view).map_err(Failed::because)
}
