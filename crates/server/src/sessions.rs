//! The sessions that are open: counted, limited, listed, and ended when their account is disabled.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use auth::{AccountId, Identity};
use ipnet::IpNet;
use tokio::sync::watch;

/// Names a session in logs and in `sceau session`; never reused while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What a session speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// SMTP from other hosts.
    Relay,
    /// SMTP from a content filter of ours.
    Gateway,
    /// SMTP from our users.
    Submission,
    /// IMAP.
    Imap,
}

impl Protocol {
    /// Its word in logs, metrics and lists.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Relay => "relay",
            Protocol::Gateway => "gateway",
            Protocol::Submission => "submission",
            Protocol::Imap => "imap",
        }
    }
}

/// How many sessions there may be.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// In the whole process.
    pub total_max: usize,
    /// From one address, unless a network of `networks` holds it.
    pub per_address_max: usize,
    /// Of one account (as the box acted for).
    pub per_account_max: usize,
    /// Networks in which every address may have another figure: a hospital behind one NAT address, a proxy.
    pub networks: Vec<(IpNet, usize)>,
}

/// Why a session is not let in, or not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// The process is full.
    #[error("too many sessions")]
    Sessions,
    /// The address has its share.
    #[error("too many sessions from this address")]
    FromAddress,
    /// The account has its share.
    #[error("too many sessions of this account")]
    OfAccount,
    /// The account was disabled, or its password changed, while the sign-in was being verified.
    #[error("the account changed during the sign-in")]
    Changed,
}

/// Why a session is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server stops: 421 4.3.2, `BYE`.
    Stopping,
    /// The account was disabled: 421, `BYE`, at once.
    Suspended,
    /// An administrator ended this session, or changed the account's password.
    Administrator,
    /// The sign-in, by certificate or token, is as old as it may grow.
    Expired,
}

/// All open sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    shared: Arc<Shared>,
}

/// One open session; dropping it takes it off the list.
pub struct Session {
    id: SessionId,
    protocol: Protocol,
    peer: IpAddr,
    ending: watch::Receiver<Option<Ending>>,
    /// [`Open::ends`] when the sign-in that is being verified began.
    sign_in_began: AtomicU64,
    /// What the client showed where it was asked for a certificate.
    certificate: OnceLock<Vec<Vec<u8>>>,
    /// When the sign-in is too old.
    until: Mutex<Option<tokio::time::Instant>>,
    shared: Arc<Shared>,
}

/// A line of `sceau session list`.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The session.
    pub id: SessionId,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it comes from.
    pub peer: IpAddr,
    /// Who signed in, when someone did.
    pub identity: Option<Identity>,
    /// How long it has been open.
    pub age: Duration,
}

struct Shared {
    limits: ArcSwap<SessionLimits>,
    next: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<SessionId, Entry>,
    /// By [`holder`].
    by_address: HashMap<IpAddr, usize>,
    by_account: HashMap<AccountId, usize>,
    /// How often sessions of some account were ended, and which of these times was the last of each account.
    ends: u64,
    ended: HashMap<AccountId, u64>,
    stopping: bool,
}

struct Entry {
    protocol: Protocol,
    peer: IpAddr,
    identity: Option<Identity>,
    since: Instant,
    ending: watch::Sender<Option<Ending>>,
}

impl Sessions {
    /// None open yet.
    pub fn new(limits: SessionLimits) -> Sessions {
        Sessions {
            shared: Arc::new(Shared {
                limits: ArcSwap::from_pointee(limits),
                next: AtomicU64::new(1),
                open: Mutex::default(),
            }),
        }
    }

    /// Changes the limits; sessions that are open stay.
    pub fn set_limits(&self, limits: SessionLimits) {
        self.shared.limits.store(Arc::new(limits));
    }

    /// Lets a session in.
    ///
    /// # Errors
    /// [`TooMany::Sessions`], [`TooMany::FromAddress`].
    pub fn open(&self, protocol: Protocol, peer: IpAddr) -> Result<Session, TooMany> {
        let peer = peer.to_canonical();
        let limits = self.shared.limits.load();
        let mut open = self.shared.lock();
        if open.sessions.len() >= limits.total_max || open.stopping {
            return Err(TooMany::Sessions);
        }
        let from_address = open.by_address.entry(holder(peer)).or_default();
        if *from_address >= limits.per_address(peer) {
            return Err(TooMany::FromAddress);
        }
        *from_address += 1;
        let id = SessionId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let (sender, ending) = watch::channel(None);
        let entry = Entry { protocol, peer, identity: None, since: Instant::now(), ending: sender };
        open.sessions.insert(id, entry);
        let sign_in_began = AtomicU64::new(open.ends);
        let (certificate, until, shared) = (OnceLock::new(), Mutex::default(), self.shared.clone());
        Ok(Session { id, protocol, peer, ending, sign_in_began, certificate, until, shared })
    }

    /// Asks one session to end; false when there is none of that name.
    pub fn end(&self, id: SessionId) -> bool {
        match self.shared.lock().sessions.get(&id) {
            Some(entry) => entry.ending.send_replace(Some(Ending::Administrator)).is_none(),
            None => false,
        }
    }

    /// Asks every session of this person, or acting for this box, to end; says how many there were.
    pub fn end_all_of(&self, account: AccountId, why: Ending) -> usize {
        let mut open = self.shared.lock();
        open.ends += 1;
        let now = open.ends;
        open.ended.insert(account, now);
        let concerned = |entry: &&Entry| {
            entry.identity.as_ref().is_some_and(|who| who.person == account || who.acting_for == account)
        };
        let mut count = 0;
        for entry in open.sessions.values().filter(concerned) {
            entry.ending.send_replace(Some(why));
            count += 1;
        }
        count
    }

    /// Asks all to end, and lets none in any more.
    pub fn stop(&self) {
        let mut open = self.shared.lock();
        open.stopping = true;
        for entry in open.sessions.values() {
            entry.ending.send_if_modified(|ending| ending.replace(Ending::Stopping).is_none());
        }
    }

    /// Asks those that are left to end, once more: their time is over.
    pub fn cut_off(&self) {
        for entry in self.shared.lock().sessions.values() {
            entry.ending.send_replace(Some(Ending::Stopping));
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.shared.lock().sessions.len()
    }

    /// All of them, oldest first.
    pub fn list(&self) -> Vec<Listed> {
        let open = self.shared.lock();
        let mut list: Vec<Listed> = open
            .sessions
            .iter()
            .map(|(id, entry)| Listed {
                id: *id,
                protocol: entry.protocol,
                peer: entry.peer,
                identity: entry.identity.clone(),
                age: entry.since.elapsed(),
            })
            .collect();
        list.sort_by_key(|listed| listed.id);
        list
    }
}

impl Session {
    /// Its name in logs.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Where it comes from (behind a PROXY protocol: the real client).
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The client was asked for a certificate and showed these, its own first; perhaps none.
    pub fn certificate_asked(&self, shown: Vec<Vec<u8>>) {
        // One handshake in a session's life.
        let _ = self.certificate.set(shown);
    }

    /// The certificates shown, its own first; `None` where the client was not asked for any.
    pub fn certificate(&self) -> Option<&[Vec<u8>]> {
        self.certificate.get().map(Vec::as_slice)
    }

    /// Ends the session after this time at the latest, [`Ending::Expired`].
    pub fn lasts_at_most(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(until.map_or(end, |earlier| earlier.min(end)));
    }

    /// To be called before credentials are looked at: what changes from here on is seen by [`Session::signed_in`].
    pub fn sign_in_begins(&self) {
        self.sign_in_began.store(self.shared.lock().ends, Ordering::Relaxed);
    }

    /// Records who signed in; from now on disabling that account ends this session.
    ///
    /// # Errors
    /// [`TooMany::OfAccount`], [`TooMany::Changed`]; the session then has no identity.
    pub fn signed_in(&self, identity: &Identity) -> Result<(), TooMany> {
        let mut open = self.shared.lock();
        let began = self.sign_in_began.load(Ordering::Relaxed);
        let ended_since = |account: &AccountId| open.ended.get(account).is_some_and(|ended| *ended > began);
        if ended_since(&identity.person) || ended_since(&identity.acting_for) {
            return Err(TooMany::Changed);
        }
        let of_account = open.by_account.entry(identity.acting_for).or_default();
        if *of_account >= self.shared.limits.load().per_account_max {
            return Err(TooMany::OfAccount);
        }
        *of_account += 1;
        let former = open.sessions.get_mut(&self.id).and_then(|entry| entry.identity.replace(identity.clone()));
        if let Some(former) = former {
            forget(&mut open.by_account, &former.acting_for);
        }
        Ok(())
    }

    /// Why this session is to end, once it is.
    pub fn ending(&self) -> Option<Ending> {
        *self.ending.borrow()
    }

    /// Waits until this session is asked to end, or asked again for another reason. Cancel safe.
    pub async fn next_ending(&mut self) -> Ending {
        loop {
            let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
            let too_old = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // The entry lives as long as this guard, so the sender cannot be gone.
                changed = self.ending.changed() => match changed {
                    Ok(()) => if let Some(ending) = *self.ending.borrow_and_update() {
                        return ending;
                    },
                    Err(_) => return std::future::pending().await,
                },
                () = too_old => {
                    *self.until.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return Ending::Expired;
                }
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut open = self.shared.lock();
        forget(&mut open.by_address, &holder(self.peer));
        if let Some(identity) = open.sessions.remove(&self.id).and_then(|entry| entry.identity) {
            forget(&mut open.by_account, &identity.acting_for);
        }
    }
}

/// One less; a count of zero leaves the map, which would otherwise keep every address ever seen.
fn forget<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Whoever has one address of an IPv6 /64 has them all: they share one figure.
fn holder(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionLimits {
    /// The figure of the narrowest network that holds the address.
    fn per_address(&self, peer: IpAddr) -> usize {
        let holding = self.networks.iter().filter(|(network, _)| network.contains(&peer));
        holding.max_by_key(|(network, _)| network.prefix_len()).map_or(self.per_address_max, |(_, max)| *max)
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> SessionLimits {
        SessionLimits {
            total_max: 4,
            per_address_max: 1,
            per_account_max: 1,
            networks: vec![("10.0.0.0/8".parse().unwrap(), 2)],
        }
    }

    fn identity(person: i64, acting_for: i64) -> Identity {
        Identity { person: AccountId(person), acting_for: AccountId(acting_for), language: mail::Language::French }
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let sessions = Sessions::new(limits());
        let home = "192.0.2.1".parse().unwrap();
        let first = sessions.open(Protocol::Imap, home).unwrap();
        assert_eq!(sessions.open(Protocol::Imap, home).err(), Some(TooMany::FromAddress));
        drop(first);
        assert!(sessions.open(Protocol::Imap, home).is_ok());
        assert!(sessions.shared.lock().by_address.is_empty());
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_share_one_figure() {
        let sessions = Sessions::new(limits());
        let first = sessions.open(Protocol::Relay, "2001:db8::1".parse().unwrap()).unwrap();
        let neighbour = "2001:db8::ffff:2".parse().unwrap();
        assert_eq!(sessions.open(Protocol::Relay, neighbour).err(), Some(TooMany::FromAddress));
        let _elsewhere = sessions.open(Protocol::Relay, "2001:db8:0:1::1".parse().unwrap()).unwrap();
        drop(first);
        drop(sessions.open(Protocol::Relay, neighbour).unwrap());
        assert_eq!(sessions.shared.lock().by_address.len(), 1);
    }

    #[test]
    fn a_network_may_have_a_figure_of_its_own() {
        let sessions = Sessions::new(limits());
        let hospital = "10.1.2.3".parse().unwrap();
        let _open =
            [sessions.open(Protocol::Imap, hospital).unwrap(), sessions.open(Protocol::Imap, hospital).unwrap()];
        assert_eq!(sessions.open(Protocol::Imap, hospital).err(), Some(TooMany::FromAddress));
    }

    #[tokio::test]
    async fn disabling_an_account_ends_its_sessions_as_person_and_as_box() {
        let sessions = Sessions::new(limits());
        let mut person = sessions.open(Protocol::Imap, "192.0.2.1".parse().unwrap()).unwrap();
        let mut acted_for = sessions.open(Protocol::Submission, "192.0.2.2".parse().unwrap()).unwrap();
        let stranger = sessions.open(Protocol::Imap, "192.0.2.3".parse().unwrap()).unwrap();
        person.signed_in(&identity(7, 8)).unwrap();
        acted_for.signed_in(&identity(9, 7)).unwrap();
        stranger.signed_in(&identity(9, 9)).unwrap();
        assert_eq!(sessions.end_all_of(AccountId(7), Ending::Suspended), 2);
        assert_eq!(person.next_ending().await, Ending::Suspended);
        assert_eq!(acted_for.next_ending().await, Ending::Suspended);
        assert_eq!(stranger.ending(), None);
    }

    #[tokio::test]
    async fn a_session_ends_when_its_sign_in_is_too_old_and_disabling_still_comes_first() {
        let sessions = Sessions::new(limits());
        let mut session = sessions.open(Protocol::Imap, "192.0.2.1".parse().unwrap()).unwrap();
        session.signed_in(&identity(1, 1)).unwrap();
        session.lasts_at_most(Duration::from_millis(30));
        session.lasts_at_most(Duration::from_secs(600));
        let began = Instant::now();
        assert_eq!(session.next_ending().await, Ending::Expired);
        assert!(began.elapsed() >= Duration::from_millis(25));
        session.lasts_at_most(Duration::from_secs(600));
        sessions.end_all_of(AccountId(1), Ending::Suspended);
        assert_eq!(session.next_ending().await, Ending::Suspended);
    }

    #[test]
    fn whoever_signs_in_while_the_account_changes_does_not_get_in() {
        let sessions = Sessions::new(limits());
        let session = sessions.open(Protocol::Imap, "192.0.2.1".parse().unwrap()).unwrap();
        sessions.end_all_of(AccountId(1), Ending::Suspended);
        session.sign_in_begins();
        sessions.end_all_of(AccountId(2), Ending::Suspended);
        assert_eq!(session.signed_in(&identity(2, 2)), Err(TooMany::Changed));
        assert_eq!(session.signed_in(&identity(1, 2)), Err(TooMany::Changed));
        assert_eq!(session.signed_in(&identity(1, 1)), Ok(()));
    }

    #[test]
    fn an_account_has_its_share() {
        let sessions = Sessions::new(limits());
        let first = sessions.open(Protocol::Imap, "192.0.2.1".parse().unwrap()).unwrap();
        let second = sessions.open(Protocol::Imap, "192.0.2.2".parse().unwrap()).unwrap();
        first.signed_in(&identity(1, 1)).unwrap();
        assert_eq!(second.signed_in(&identity(1, 1)), Err(TooMany::OfAccount));
        drop(first);
        assert_eq!(second.signed_in(&identity(1, 1)), Ok(()));
    }
}
