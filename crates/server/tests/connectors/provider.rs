//! A small OpenID provider over HTTP: it describes itself, publishes its keys, changes them, and is asked about tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaPublicKeyComponents,
};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Our name and secret at the introspection endpoint.
pub const CLIENT: (&str, &str) = ("sceau", "a secret: with & colon");

pub struct Provider {
    pub issuer: String,
    state: Arc<Mutex<Said>>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Said {
    issuer: String,
    keys: Vec<Value>,
    active: HashMap<String, Value>,
    asked_for_keys: usize,
}

/// A key pair of the provider.
pub enum Signer {
    Rsa(&'static str, RsaKeyPair),
    Ec(&'static str, EcdsaKeyPair),
}

impl Signer {
    pub fn rsa(name: &'static str) -> Signer {
        Signer::Rsa(name, RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub fn ec(name: &'static str) -> Signer {
        Signer::Ec(name, EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn name(&self) -> &'static str {
        match self {
            Signer::Rsa(name, _) | Signer::Ec(name, _) => name,
        }
    }

    pub fn jwk(&self) -> Value {
        let url = |octets: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(octets);
        match self {
            Signer::Rsa(name, pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "kid": name, "use": "sig", "alg": "RS256", "n": url(&public.n), "e": url(&public.e)})
            }
            Signer::Ec(name, pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": name, "x": url(&point[1..33]), "y": url(&point[33..])})
            }
        }
    }

    /// The public key, as somebody would use it who signs with it as if it were a secret.
    pub fn public_der(&self) -> Vec<u8> {
        match self {
            Signer::Rsa(_, pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Signer::Ec(_, pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub fn token(&self, claims: &Value) -> String {
        let algorithm = if matches!(self, Signer::Rsa(..)) { "RS256" } else { "ES256" };
        self.token_with(&json!({"alg": algorithm, "kid": self.name(), "typ": "JWT"}), claims)
    }

    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        let signature = match self {
            Signer::Rsa(_, pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Signer::Ec(_, pair) => pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

pub fn signed_part(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

impl Provider {
    pub async fn start() -> Provider {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Said { issuer: issuer.clone(), ..Said::default() }));
        let router = axum::Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/introspect", post(introspect))
            .with_state(state.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Provider { issuer, state, serving }
    }

    pub fn publish(&self, signers: &[&Signer]) {
        self.state.lock().unwrap().keys = signers.iter().map(|signer| signer.jwk()).collect();
    }

    pub fn publish_raw(&self, keys: Vec<Value>) {
        self.state.lock().unwrap().keys = keys;
    }

    /// Another name than the one configured, as if DNS led to somebody else.
    pub fn call_itself(&self, issuer: &str) {
        self.state.lock().unwrap().issuer = issuer.to_owned();
    }

    pub fn activate(&self, token: &str, answer: Value) {
        self.state.lock().unwrap().active.insert(token.to_owned(), answer);
    }

    pub fn asked_for_keys(&self) -> usize {
        self.state.lock().unwrap().asked_for_keys
    }

    pub fn go_down(&self) {
        self.serving.abort();
    }

    /// Claims of a token that is good in every respect.
    pub fn claims(&self, person: &str) -> Value {
        let now = now();
        json!({
            "iss": self.issuer, "aud": ["account", "messagerie"], "azp": "logiciel", "sub": format!("f:x:{person}"),
            "iat": now, "exp": now + 240, "acr": "eidas1", "SubjectNameID": person,
        })
    }
}

pub fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs().try_into().unwrap()
}

type Shared = State<Arc<Mutex<Said>>>;

async fn describe(State(said): Shared) -> Json<Value> {
    let issuer = said.lock().unwrap().issuer.clone();
    Json(json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}/keys"), "introspection_endpoint": format!("{issuer}/introspect"),
        "token_endpoint": format!("{issuer}/token"), "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys(State(said): Shared) -> Json<Value> {
    let mut said = said.lock().unwrap();
    said.asked_for_keys += 1;
    Json(json!({ "keys": said.keys }))
}

async fn introspect(State(said): Shared, headers: HeaderMap, body: String) -> Result<Json<Value>, StatusCode> {
    let credentials = format!("{}:a+secret%3A+with+%26+colon", CLIENT.0);
    let expected = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    if headers.get("authorization").is_none_or(|given| given != &expected) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    let token = body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap();
    let token = token.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=").replace("%7E", "~");
    let answer = said.lock().unwrap().active.get(&token).cloned();
    Ok(Json(answer.unwrap_or_else(|| json!({ "active": false }))))
}
