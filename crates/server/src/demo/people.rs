//! Who lives in the demo, and with which passwords; the same at every start in one folder.

use std::fs;
use std::path::Path;

use anyhow::Context;
use auth::password::GeneratedSecret;
use auth::password::generated::RANDOM_OCTETS;
use net::{Randomness, SystemRandomness};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const FILE: &str = "demo.json";

/// The people of the demo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct People {
    /// In the first structure.
    pub user1: Person,
    /// In the first structure.
    pub user2: Person,
    /// In the second structure.
    pub user3: Person,
    /// The password of the first two, and of every account made for load.
    pub load_password: String,
    /// What the secrets were made from: [load, user3]. Only a secret known to be random gets SCRAM credentials.
    seeds: [[u8; RANDOM_OCTETS]; 2],
}

/// Who lives at operator B.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counterpart {
    /// The one person there.
    pub user1: Person,
    seed: [u8; RANDOM_OCTETS],
}

/// Someone with an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// With which they sign in.
    pub address: String,
    /// How they are called.
    pub name: String,
    /// The password.
    pub password: String,
}

/// The domain of the first structure.
pub const FIRST_DOMAIN: &str = "hopital.example";

/// The domain of the second structure.
pub const SECOND_DOMAIN: &str = "cabinet.example";

/// The domain of operator B.
pub const B_DOMAIN: &str = "clinique.example";

impl People {
    /// Those of an earlier start.
    pub fn load(folder: &Path) -> anyhow::Result<Option<People>> {
        load(folder)
    }

    /// New ones, kept before anything else knows them: a start that is cut off can be gone on with.
    pub fn invent(folder: &Path) -> anyhow::Result<People> {
        let mut seeds = [[0; RANDOM_OCTETS]; 2];
        seeds.iter_mut().for_each(|seed| SystemRandomness.fill(seed));
        let [load_password, other_password] = seeds.map(|seed| GeneratedSecret::new(&seed).expose().to_owned());
        let people = People {
            user1: person("anne.martin", FIRST_DOMAIN, "Anne Martin", &load_password),
            user2: person("paul.durand", FIRST_DOMAIN, "Paul Durand", &load_password),
            user3: person("lea.petit", SECOND_DOMAIN, "Léa Petit", &other_password),
            load_password,
            seeds,
        };
        super::write_whole(&folder.join(FILE), &serde_json::to_string_pretty(&people)?, 0o600)?;
        Ok(people)
    }

    /// The secrets behind the passwords: that of the first two and of the load, and that of the third.
    pub fn secrets(&self) -> [GeneratedSecret; 2] {
        self.seeds.map(|seed| GeneratedSecret::new(&seed))
    }
}

impl Counterpart {
    /// Those of an earlier start, or new ones.
    pub fn ensure(folder: &Path) -> anyhow::Result<Counterpart> {
        if let Some(known) = load(folder)? {
            return Ok(known);
        }
        let mut seed = [0; RANDOM_OCTETS];
        SystemRandomness.fill(&mut seed);
        let password = GeneratedSecret::new(&seed).expose().to_owned();
        let user1 = person("claire.bernard", B_DOMAIN, "Claire Bernard", &password);
        let counterpart = Counterpart { user1, seed };
        super::write_whole(&folder.join(FILE), &serde_json::to_string_pretty(&counterpart)?, 0o600)?;
        Ok(counterpart)
    }

    /// The secret behind the password.
    pub fn secret(&self) -> GeneratedSecret {
        GeneratedSecret::new(&self.seed)
    }
}

fn load<T: DeserializeOwned>(folder: &Path) -> anyhow::Result<Option<T>> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(text) => {
            let known = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
            Ok(Some(known))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn person(local_part: &str, domain: &str, name: &str, password: &str) -> Person {
    Person { address: format!("{local_part}@{domain}"), name: name.to_owned(), password: password.to_owned() }
}
