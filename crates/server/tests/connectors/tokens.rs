//! Tokens of a real provider: good ones, and every way to be no good. S7, S15.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use server::admin::Request;

use crate::provider::{CLIENT, Provider, Signer, now, signed_part};
use crate::world::{ANNE, DPI, World, base64};

/// Anne's national identifier, as tokens have it and as it is linked.
const RPPS: &str = "810000000001";
const LINKED: &str = "10000000001";

fn section(provider: &Provider, more: &str) -> String {
    format!(
        "[identity_provider]\nissuer = {:?}\naudiences = [\"messagerie\"]\nacr = [\"eidas1\", \"eidas2\"]\n\
         keys_refetch_seconds = 1\nleeway_seconds = 30\n{more}\n",
        provider.issuer
    )
}

async fn world(provider: &Provider, more: &str) -> World {
    let world = World::new(&section(provider, more)).await;
    world.link(ANNE, LINKED, true).await;
    world
}

/// Signs in by SMTP with XOAUTH2 and by IMAP with OAUTHBEARER: both answers, what is wrong with the token before them.
async fn sign_in(world: &World, user: &str, token: &str) -> [String; 2] {
    let (mut smtp, said) = world.smtp("submissions", None).await;
    assert!(said.contains(" OAUTHBEARER XOAUTH2 "), "{said}");
    let mut by_smtp =
        smtp.smtp(&format!("AUTH XOAUTH2 {}", base64(&format!("user={user}\x01auth=Bearer {token}\x01\x01")))).await;
    if let Some(document) = by_smtp.strip_prefix("334 ") {
        let document = String::from_utf8(BASE64_STANDARD.decode(document.trim()).unwrap()).unwrap();
        assert!(serde_json::from_str::<Value>(&document).unwrap()["status"] == "401", "{document}");
        by_smtp = smtp.smtp("").await;
    }
    let mut imap = world.connect("imaps", None).await;
    let name = user.replace('=', "=3D").replace(',', "=2C");
    let message = base64(&format!("n,a={name},\x01host=localhost\x01auth=Bearer {token}\x01\x01"));
    let mut by_imap = imap.imap(&format!("a AUTHENTICATE OAUTHBEARER {message}")).await;
    if let Some(document) = by_imap.strip_prefix("+ ") {
        let document = BASE64_STANDARD.decode(document.trim()).unwrap();
        let status = serde_json::from_slice::<Value>(&document).unwrap()["status"].as_str().unwrap().to_owned();
        by_imap = format!("{status}: {}", imap.imap("AQ==").await);
    }
    [by_smtp, by_imap]
}

fn is_in([smtp, imap]: &[String; 2]) -> bool {
    assert_eq!(smtp.starts_with("235 "), imap.starts_with("a OK "), "{smtp} {imap}");
    smtp.starts_with("235 ")
}

fn is_out([smtp, imap]: &[String; 2], status: &str) {
    assert!(smtp.starts_with("535 5.7.8 "), "{smtp}");
    assert!(imap.starts_with(&format!("{status}: a NO [AUTHENTICATIONFAILED] ")), "{imap}");
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

#[tokio::test]
async fn a_good_token_opens_the_boxes_of_its_person() {
    let provider = Provider::start().await;
    let (rsa, ec) = (Signer::rsa("r1"), Signer::ec("e1"));
    provider.publish(&[&rsa, &ec]);
    let world = world(&provider, "").await;
    let claims = provider.claims(RPPS);
    for token in [rsa.token(&claims), ec.token(&claims)] {
        assert!(is_in(&sign_in(&world, ANNE, &token).await));
        assert!(is_in(&sign_in(&world, "", &token).await), "the person's own");
        is_out(&sign_in(&world, DPI, &token).await, "invalid_token");
        is_out(&sign_in(&world, "nobody@a.example", &token).await, "invalid_token");
        is_out(&sign_in(&world, "' OR 1=1 --", &token).await, "invalid_token");
    }
    // A shared box, by either of its addresses.
    world.link(DPI, LINKED, false).await;
    let token = ec.token(&claims);
    assert!(is_in(&sign_in(&world, DPI, &token).await));
    assert!(is_in(&sign_in(&world, "labo@a.example", &token).await));
    assert_eq!(provider.asked_for_keys(), 1, "keys are kept");
    // Times within the leeway, one audience alone, an RSA key without name.
    for claims in [
        with(claims.clone(), "exp", json!(now() - 10)),
        with(claims.clone(), "iat", json!(now() + 10)),
        with(claims.clone(), "aud", json!("messagerie")),
        with(claims.clone(), "exp", json!(now() as f64 + 100.5)),
        with(claims.clone(), "acr", json!("eidas2")),
        with(claims.clone(), "SubjectNameID", json!(LINKED)),
    ] {
        assert!(is_in(&sign_in(&world, ANNE, &rsa.token_with(&json!({"alg": "RS256"}), &claims)).await), "{claims}");
    }
}

#[tokio::test]
async fn s7_s15_no_other_token_opens_anything() {
    let provider = Provider::start().await;
    let (rsa, ec, foreign) = (Signer::rsa("r1"), Signer::ec("e1"), Signer::rsa("r1"));
    provider.publish(&[&rsa, &ec]);
    let world = world(&provider, "").await;
    let claims = provider.claims(RPPS);
    assert!(is_in(&sign_in(&world, ANNE, &rsa.token(&claims)).await));
    for (name, value) in [
        ("exp", json!(now() - 31)),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("iat", json!(now() + 60)),
        ("nbf", json!(now() + 60)),
        ("aud", json!("another")),
        ("aud", json!(["a", "b"])),
        ("aud", json!({"messagerie": true})),
        ("aud", Value::Null),
        ("iss", json!("https://elsewhere.example")),
        ("iss", json!(format!("{}/", provider.issuer))),
        ("iss", Value::Null),
        ("SubjectNameID", Value::Null),
        ("SubjectNameID", json!("")),
        ("SubjectNameID", json!(["810000000001"])),
        ("SubjectNameID", json!("810000000002")),
        ("SubjectNameID", json!("' OR '1'='1")),
        ("SubjectNameID", json!("%")),
        ("SubjectNameID", json!("8".repeat(65))),
    ] {
        let token = rsa.token(&with(claims.clone(), name, value.clone()));
        is_out(&sign_in(&world, ANNE, &token).await, "invalid_token");
    }
    for acr in [json!("eidas0"), json!("EIDAS1"), Value::Null, json!(1)] {
        let token = rsa.token(&with(claims.clone(), "acr", acr));
        is_out(&sign_in(&world, ANNE, &token).await, "insufficient_user_authentication");
    }
    let good = rsa.token(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let hs256 = |key: &[u8]| {
        let signed = signed_part(&json!({"alg": "HS256", "kid": "r1"}), &claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    };
    let other_person = BASE64_URL_SAFE_NO_PAD.encode(with(claims.clone(), "sub", json!("x")).to_string());
    for (what, token) in [
        ("none", format!("{}.", signed_part(&json!({"alg": "none"}), &claims))),
        ("None", format!("{}.", signed_part(&json!({"alg": "None", "kid": "r1"}), &claims))),
        ("none, signed", format!("{}.{signature}", signed_part(&json!({"alg": "none", "kid": "r1"}), &claims))),
        ("HS256 with the public key", hs256(&rsa.public_der())),
        ("HS256 with an empty key", hs256(b"")),
        ("another algorithm of the same key", rsa.token_with(&json!({"alg": "RS512", "kid": "r1"}), &claims)),
        ("an RSA key as ES256", rsa.token_with(&json!({"alg": "ES256", "kid": "r1"}), &claims)),
        ("an EC key as RS256", ec.token_with(&json!({"alg": "RS256", "kid": "e1"}), &claims)),
        ("somebody else's key of that name", foreign.token(&claims)),
        ("its own key along", foreign.token_with(&json!({"alg": "RS256", "kid": "r1", "jwk": foreign.jwk()}), &claims)),
        (
            "what must be understood",
            rsa.token_with(&json!({"alg": "RS256", "kid": "r1", "crit": ["b64"], "b64": false}), &claims),
        ),
        ("claims changed", format!("{header}.{other_person}.{signature}")),
        ("no signature", format!("{signed}.")),
        ("short signature", format!("{signed}.{}", &signature[..20])),
        ("no header", format!(".{}.{signature}", signed.split_once('.').unwrap().1)),
        ("claims that are no object", rsa.token(&json!(["x"]))),
        ("four parts", format!("{good}.x")),
        ("opaque", "0123456789abcdef".to_owned()),
        ("a JWE, and nobody to ask", "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d".to_owned()),
    ] {
        let answers = sign_in(&world, ANNE, &token).await;
        assert!(!is_in(&answers), "{what}");
        is_out(&answers, "invalid_token");
    }
}

#[tokio::test]
async fn keys_change_while_the_server_runs() {
    let provider = Provider::start().await;
    let (old, new) = (Signer::rsa("2026-10"), Signer::ec("2026-11"));
    provider.publish(&[&old]);
    let world = world(&provider, "").await;
    let claims = provider.claims(RPPS);
    assert!(is_in(&sign_in(&world, ANNE, &old.token(&claims)).await));
    let second = std::time::Duration::from_millis(1_100);
    tokio::time::sleep(second).await;
    provider.publish(&[&new]);
    assert!(is_in(&sign_in(&world, ANNE, &new.token(&claims)).await), "an unknown key makes us look again");
    assert_eq!(provider.asked_for_keys(), 2);
    // The old one is gone with that; and tokens that name it do not make us ask again and again.
    for _ in 0..5 {
        assert!(sign_in(&world, ANNE, &old.token(&claims)).await[0].starts_with("454 4.7.0 "));
    }
    assert_eq!(provider.asked_for_keys(), 2);
    tokio::time::sleep(second).await;
    let [smtp, _] = sign_in(&world, ANNE, &old.token(&claims)).await;
    assert!(smtp.starts_with("535 "), "{smtp}");
    assert_eq!(provider.asked_for_keys(), 3);
}

#[tokio::test]
async fn without_the_provider_nobody_new_comes_in() {
    let provider = Provider::start().await;
    let key = Signer::ec("e1");
    provider.publish(&[&key]);
    let world = world(&provider, "").await;
    let token = key.token(&provider.claims(RPPS));
    let is_away = |[smtp, imap]: [String; 2]| {
        assert!(smtp.starts_with("454 4.7.0 "), "{smtp}");
        assert!(imap.starts_with("a NO [UNAVAILABLE] "), "{imap}");
    };
    // Somebody else answers at its address.
    provider.call_itself("https://elsewhere.example");
    is_away(sign_in(&world, ANNE, &token).await);
    provider.call_itself(&provider.issuer);
    provider.go_down();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    is_away(sign_in(&world, ANNE, &token).await);
    is_away(sign_in(&world, ANNE, &key.token(&with(provider.claims(RPPS), "exp", json!(1)))).await);
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_passed_over() {
    let provider = Provider::start().await;
    let (good, weak) = (Signer::ec("e1"), Signer::ec("weak"));
    let mut for_encryption = weak.jwk();
    for_encryption["use"] = json!("enc");
    let strange = json!({"kty": "OKP", "crv": "Ed25519", "kid": "o", "x": "AA"});
    let short = json!({"kty": "EC", "crv": "P-256", "kid": "s", "x": "AA", "y": "AA"});
    provider.publish_raw(vec![
        for_encryption,
        strange,
        short,
        json!("x"),
        json!({"kty": "RSA", "kid": "n"}),
        good.jwk(),
    ]);
    let world = world(&provider, "").await;
    let claims = provider.claims(RPPS);
    assert!(is_in(&sign_in(&world, ANNE, &good.token(&claims)).await));
    assert!(!is_in(&sign_in(&world, ANNE, &weak.token(&claims)).await));
}

fn asking(world: &tempfile::TempDir) -> String {
    let secret = world.path().join("secret");
    std::fs::write(&secret, format!("{}\n", CLIENT.1)).unwrap();
    format!("client_id = {:?}\nclient_secret_file = {secret:?}\n", CLIENT.0)
}

#[tokio::test]
async fn sealed_tokens_are_asked_about() {
    let provider = Provider::start().await;
    let key = Signer::ec("e1");
    provider.publish(&[&key]);
    let folder = tempfile::tempdir().unwrap();
    let world = world(&provider, &asking(&folder)).await;
    let sealed = "eyJhbGciOiJSU0EtT0FFUCJ9.a+/=.b~.c.d".replace("+/=", "-_");
    is_out(&sign_in(&world, ANNE, &sealed).await, "invalid_token");
    let answer = with(provider.claims(RPPS), "active", json!(true));
    provider.activate(&sealed, answer.clone());
    assert!(is_in(&sign_in(&world, ANNE, &sealed).await));
    // What the provider leaves out it has verified; what it says must fit.
    let short = with(with(with(answer.clone(), "exp", Value::Null), "iss", Value::Null), "iat", Value::Null);
    provider.activate("opaque", short);
    assert!(is_in(&sign_in(&world, ANNE, "opaque").await));
    for (name, value) in [
        ("active", json!(false)),
        ("active", json!("true")),
        ("active", Value::Null),
        ("exp", json!(now() - 100)),
        ("aud", json!("another")),
        ("iss", json!("https://elsewhere.example")),
        ("SubjectNameID", json!("810000000009")),
    ] {
        provider.activate("opaque", with(answer.clone(), name, value.clone()));
        is_out(&sign_in(&world, ANNE, "opaque").await, "invalid_token");
    }
    provider.activate("opaque", with(answer.clone(), "acr", json!("eidas0")));
    is_out(&sign_in(&world, ANNE, "opaque").await, "insufficient_user_authentication");
    provider.activate("opaque", answer);
    provider.go_down();
    assert!(sign_in(&world, ANNE, "opaque").await[0].starts_with("454 "));
}

#[tokio::test]
async fn where_so_configured_every_token_is_asked_about() {
    let provider = Provider::start().await;
    let key = Signer::ec("e1");
    provider.publish(&[&key]);
    let folder = tempfile::tempdir().unwrap();
    let world = world(&provider, &format!("verification = \"introspection\"\n{}", asking(&folder))).await;
    let token = key.token(&provider.claims(RPPS));
    is_out(&sign_in(&world, ANNE, &token).await, "invalid_token");
    provider.activate(&token, with(provider.claims(RPPS), "active", json!(true)));
    assert!(is_in(&sign_in(&world, ANNE, &token).await));
}

#[tokio::test]
async fn a_session_outlives_its_token_and_not_its_account() {
    let provider = Provider::start().await;
    let key = Signer::ec("e1");
    provider.publish(&[&key]);
    let world = world(&provider, "").await;
    let token = key.token(&with(provider.claims(RPPS), "exp", json!(now() - 28)));
    let message = base64(&format!("user={ANNE}\x01auth=Bearer {token}\x01\x01"));
    let mut imap = world.connect("imaps", None).await;
    assert!(imap.imap(&format!("a AUTHENTICATE XOAUTH2 {message}")).await.starts_with("a OK "));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(!is_in(&sign_in(&world, ANNE, &token).await), "the token has expired");
    assert!(imap.imap("a SELECT INBOX").await.starts_with("a OK "));
    world.ask(Request::AccountDisable { account: ANNE.into() }).await;
    assert!(imap.read().await.starts_with("* BYE "));

    world.ask(Request::AccountEnable { account: ANNE.into() }).await;
    let token = key.token(&provider.claims(RPPS));
    let message = base64(&format!("user={ANNE}\x01auth=Bearer {token}\x01\x01"));
    let mut imap = world.connect("imaps", None).await;
    assert!(imap.imap(&format!("a AUTHENTICATE XOAUTH2 {message}")).await.starts_with("a OK "));
    world.ask(Request::AccountIdentifierRemove { account: ANNE.into(), identifier: LINKED.into() }).await;
    assert!(imap.read().await.starts_with("* BYE "));
    assert!(!is_in(&sign_in(&world, ANNE, &token).await));
}

/// A token as long as we take goes through, by SMTP in a line of its own (RFC 4954 §4) and by SASL-IR.
#[tokio::test]
async fn s8_long_tokens_go_through_and_longer_ones_do_not() {
    let provider = Provider::start().await;
    let key = Signer::ec("e1");
    provider.publish(&[&key]);
    let world = world(&provider, "").await;
    let token = |octets: usize| {
        let plain = key.token(&provider.claims(RPPS)).len();
        let padding = (octets - plain) / 4 * 3 - 30;
        let mut token = key.token(&with(provider.claims(RPPS), "scope", json!("x".repeat(padding))));
        for more in 0..80 {
            if token.len() >= octets - 3 {
                break;
            }
            token = key.token(&with(provider.claims(RPPS), "scope", json!("x".repeat(padding + more))));
        }
        token
    };
    let long = token(auth::sasl::TOKEN_OCTETS_MAX);
    assert!((auth::sasl::TOKEN_OCTETS_MAX - 3..=auth::sasl::TOKEN_OCTETS_MAX).contains(&long.len()), "{}", long.len());
    let message = |token: &str| base64(&format!("user={ANNE}\x01auth=Bearer {token}\x01\x01"));
    let (mut smtp, _) = world.smtp("submissions", None).await;
    assert_eq!(smtp.smtp("AUTH XOAUTH2").await, "334 \r\n");
    assert!(smtp.smtp(&message(&long)).await.starts_with("235 "));
    let mut imap = world.connect("imaps", None).await;
    assert!(imap.imap(&format!("a AUTHENTICATE XOAUTH2 {}", message(&long))).await.starts_with("a OK "));
    let longer = format!("{long}{}", "A".repeat(40));
    let (mut smtp, _) = world.smtp("submissions", None).await;
    assert_eq!(smtp.smtp("AUTH XOAUTH2").await, "334 \r\n");
    assert!(smtp.smtp(&message(&longer)).await.starts_with("501 5.5.2 "));
    let mut imap = world.connect("imaps", None).await;
    assert!(imap.imap(&format!("a AUTHENTICATE XOAUTH2 {}", message(&longer))).await.starts_with("a BAD "));
}
