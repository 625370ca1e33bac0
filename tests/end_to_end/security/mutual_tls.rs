//! S7: no certificate passes for what it is not, whatever the client.

use anyhow::{Context, Result, ensure};
use tests::{
    program::{run, succeed},
    trusted::{OF_ANOTHER, OF_B, Trusted},
};

/// Files of a holder, what MAIL FROM of operator B's domain hears, and what the null reverse-path does.
const CASES: [(&str, &str, &str); 9] = [
    ("operator-b", "250", "250"),
    ("expired", "550 5.7.1 [expired]", "550 5.7.1 [expired]"),
    ("revoked", "550 5.7.1 [revoked]", "550 5.7.1 [revoked]"),
    ("foreign", "550 5.7.1 [untrusted]", "550 5.7.1 [untrusted]"),
    ("unlisted", "550 5.7.1 [dn-mismatch]", "550 5.7.1 [unlisted]"),
    ("same-cn", "550 5.7.1 [dn-mismatch]", "550 5.7.1 [unlisted]"),
    ("other-domain", "550 5.7.1 [dn-mismatch]", "250"),
    // Hospital software: a client's certificate of the right authority is no operator's.
    ("connector", "550 5.7.1 [dn-mismatch]", "550 5.7.1 [unlisted]"),
    ("list-signer", "550 5.7.1 [dn-mismatch]", "550 5.7.1 [unlisted]"),
];

fn holds(answer: &str, expected: &str) -> bool {
    let (start, word) = expected.split_once('[').unwrap_or((expected, ""));
    answer.starts_with(start.trim_end()) && (word.is_empty() || answer.trim_end().ends_with(&format!("[{word}")))
}

#[test]
fn s7_mutual_tls_cannot_be_passed_by() -> Result<()> {
    let server = Trusted::start("")?;
    for (holder, of_b, null) in CASES {
        let mut peer = server.operator(Some(holder))?;
        for (sender, expected) in [(format!("bob@{OF_B}"), of_b), (String::new(), null)] {
            let reply = peer.command(&format!("MAIL FROM:<{sender}>"))?;
            let answer = format!("{} {}", reply.code, reply.lines.join(" "));
            ensure!(holds(&answer, expected), "{holder}, <{sender}>: expected {expected}, heard {answer}");
            peer.command("RSET")?;
        }
    }
    // One operator in the name of another.
    let mut other = server.operator(Some("other-domain"))?;
    ensure!(other.command(&format!("MAIL FROM:<x@{OF_ANOTHER}>"))?.is_ok());
    other.command("RSET")?;
    let reply = other.command("MAIL FROM:<anne@hopital.example>")?;
    ensure!(reply.code == 550 && reply.lines.concat().ends_with("[dn-mismatch]"), "{reply:?}");

    let mut bare = server.operator(None)?;
    let reply = bare.command(&format!("MAIL FROM:<bob@{OF_B}>"))?;
    ensure!(reply.code == 550 && reply.lines.concat().ends_with("[no-certificate]"), "{reply:?}");
    let mut clear = tests::smtp::Smtp::plain(server.relay())?;
    clear.expect("EHLO mx.operateur-b.example", 250)?;
    let reply = clear.command(&format!("MAIL FROM:<bob@{OF_B}>"))?;
    ensure!(reply.code == 530 && reply.status() == "5.7.0", "{reply:?}");
    ensure!(reply.lines.concat().ends_with("[tls-required]"), "{reply:?}");
    ensure!(server.headers("anne")?.is_empty(), "nobody got in");

    let log = server.log();
    for word in ["expired", "revoked", "untrusted", "dn-mismatch", "unlisted", "no-certificate", "tls-required"] {
        ensure!(log.lines().any(|line| line.contains("operator not believed") && line.contains(word)), "{word}: {log}");
    }
    Ok(())
}

/// What OpenSSL hears after STARTTLS, with these arguments besides.
fn s_client(server: &Trusted, arguments: &[&str], said: &str) -> Result<String> {
    let address = server.relay().to_string();
    let fixed =
        ["s_client", "-connect", &address, "-starttls", "smtp", "-quiet", "-servername", "mx.elsewhere.example"];
    let folder = std::env::temp_dir();
    let input = format!("EHLO mx.operateur-b.example\r\n{said}QUIT\r\n");
    Ok(run("openssl", &[fixed.as_slice(), arguments].concat(), &folder, input.as_bytes())?.text())
}

#[test]
fn s7_openssl_and_swaks_are_judged_alike() -> Result<()> {
    let server = Trusted::start("")?;
    let mail = format!("MAIL FROM:<bob@{OF_B}>\r\n");
    for version in ["-tls1_2", "-tls1_3"] {
        for (holder, expected, _) in CASES {
            let (chain, key) = server.certificate(holder);
            let (chain, key) = (chain.to_str().context("a path")?, key.to_str().context("a path")?);
            // Without the chain: the authority in between is known here.
            let heard = s_client(&server, &[version, "-cert", chain, "-key", key], &mail)?;
            let answer = heard.lines().rev().nth(1).unwrap_or_default();
            ensure!(holds(answer, expected), "{holder} {version}: expected {expected}, heard {heard}");
        }
    }
    // Made by the peer itself, in operator B's name.
    let folder = tempfile::TempDir::new()?;
    let subject =
        "/C=FR/ST=Haute-Garonne (31)/O=GROUPE DE CLINIQUES & CIE/OU=334566778800012/CN=mx.operateur-b.example";
    let make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", subject, "-keyout", "own.key"];
    succeed("openssl", &[make.as_slice(), &["-out", "own.pem"]].concat(), folder.path(), b"")?;
    let own = |name: &str| folder.path().join(name).to_str().map(str::to_owned).context("a path");
    let heard = s_client(&server, &["-cert", &own("own.pem")?, "-key", &own("own.key")?], &mail)?;
    ensure!(heard.contains("550 5.7.1 ") && heard.contains("[untrusted]"), "{heard}");

    // No session is resumed: there is nothing to resume, and no early data (RFC 8446 §8).
    let (chain, key) = server.certificate("operator-b");
    let address = server.relay().to_string();
    let ticket = folder.path().join("ticket");
    for version in ["-tls1_2", "-tls1_3"] {
        let files = ["-cert", chain.to_str().context("a path")?, "-key", key.to_str().context("a path")?];
        let out = ["-sess_out", ticket.to_str().context("a path")?];
        let connect = ["s_client", "-connect", &address, "-starttls", "smtp", version];
        let first = run("openssl", &[connect.as_slice(), &files, &out].concat(), folder.path(), b"QUIT\r\n")?.text();
        ensure!(!first.contains("TLS session ticket:"), "{version}: {first}");
        if ticket.exists() {
            let again = ["-sess_in", ticket.to_str().context("a path")?];
            let second =
                run("openssl", &[connect.as_slice(), &files, &again].concat(), folder.path(), b"QUIT\r\n")?.text();
            ensure!(!second.contains("Reused, "), "{version}: {second}");
        }
    }

    let (chain, key) = (chain.to_str().context("a path")?, key.to_str().context("a path")?);
    let sender = format!("bob@{OF_B}");
    let to =
        ["--server", &address, "--to", "anne@hopital.example", "--from", &sender, "--helo", "mx.operateur-b.example"];
    let tls = ["--tls", "--tls-cert", chain, "--tls-key", key, "--h-From", &sender];
    succeed("swaks", &[to.as_slice(), &tls].concat(), folder.path(), b"")?;
    let refused = run("swaks", &[to.as_slice(), &["--tls"]].concat(), folder.path(), b"")?;
    ensure!(refused.text().contains("[no-certificate]"), "{}", refused.text());
    let headers = server.headers("anne")?;
    let [header] = headers.as_slice() else { anyhow::bail!("{headers:?}") };
    ensure!(header.contains("x-mssante=pass policy.dn=\"CN=mx.operateur-b.example,OU=334566778800012,"), "{header}");
    ensure!(header.contains("x-mssante-author=pass header.from=clinique.example"), "{header}");
    ensure!(header.contains("CN=mx.operateur-b.example,OU=334566778800012,"), "{header}");
    Ok(())
}
