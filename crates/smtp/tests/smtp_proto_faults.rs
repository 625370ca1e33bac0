//! Each fault that was measured in smtp-proto, as our validator answers it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use smtp::command::{Command, CommandError, Offered, ParameterError};

const OFFERED: Offered = Offered { dsn: true, auth: true, require_tls: true };

fn parse(line: &str) -> Result<Command, CommandError> {
    Command::parse(line, OFFERED)
}

fn printed(line: &str) -> String {
    parse(line).map_or_else(|error| format!("{error:?}"), |command| command.to_string())
}

fn is_bad_value(line: &str) -> bool {
    matches!(parse(line), Err(CommandError::Parameter(ParameterError::Value(_))))
}

#[test]
fn numbers_that_saturate_are_refused_or_greatest() {
    assert_eq!(parse("BDAT 99999999999999999999999"), Err(CommandError::ChunkSize));
    assert_eq!(parse("BDAT 18446744073709551616"), Err(CommandError::ChunkSize));
    assert_eq!(printed("BDAT 1844674407370955161 LAST"), "BDAT 1844674407370955161 LAST");
    assert_eq!(parse("BDAT -1"), Err(CommandError::ChunkSize));
    assert_eq!(parse("BDAT +1"), Err(CommandError::ChunkSize));
    assert_eq!(parse("BDAT 1 2"), Err(CommandError::ChunkSize));
    assert_eq!(parse("BDAT"), Err(CommandError::ChunkSize));
    let nines = |count: usize| format!("MAIL FROM:<a@b.fr> SIZE={}", "9".repeat(count));
    assert!(is_bad_value(&nines(24)));
    assert_eq!(printed(&nines(20)), format!("MAIL FROM:<a@b.fr> SIZE={}", u64::MAX));
    assert_eq!(printed(&nines(19)), nines(19));
}

#[test]
fn postmaster_is_not_the_empty_path() {
    assert_eq!(printed("RCPT TO:<Postmaster>"), "RCPT TO:<Postmaster>");
    assert!(matches!(parse("RCPT TO:<>"), Err(CommandError::ForwardPath(_))));
}

#[test]
fn quotes_survive_so_that_nothing_is_injected() {
    for line in [r#"RCPT TO:<"a> NOTIFY=NEVER <b"@b.fr>"#, r#"RCPT TO:<"x@evil"@b.fr>"#, r#"RCPT TO:<"a\"b\\c"@b.fr>"#]
    {
        assert_eq!(printed(line), line);
    }
}

#[test]
fn address_literals_are_refused() {
    assert!(matches!(parse("RCPT TO:<a@[127.0.0.1]>"), Err(CommandError::ForwardPath(_))));
}

#[test]
fn what_was_taken_too_kindly_is_refused() {
    let mail = CommandError::Usage("MAIL FROM:<address> [parameters]");
    assert_eq!(parse("NOTIFY"), Err(CommandError::UnknownVerb));
    assert!(is_bad_value("RCPT TO:<a@b.fr> NOTIFY=NEVER,SUCCESS"));
    assert_eq!(parse("EHLO bad_host!"), Err(CommandError::Usage("EHLO domain")));
    assert_eq!(parse("EHLO a b"), Err(CommandError::Usage("EHLO domain")));
    assert_eq!(parse("STARTTLS x"), Err(CommandError::Usage("STARTTLS")));
    assert_eq!(parse("DATA foo"), Err(CommandError::Usage("DATA")));
    assert_eq!(parse("MAIL FROM:<a@b>SIZE=1"), Err(mail.clone()));
    assert_eq!(parse("MAIL FROM: <a@b>"), Err(mail));
    assert!(matches!(parse("MAIL FROM:<a.@b.fr>"), Err(CommandError::ReversePath(_))));
    let Ok(Command::Mail(mail)) = parse("MAIL FROM:<é@b.fr>") else { panic!("an address of RFC 6531") };
    assert!(mail.internationalized, "and the session asks for SMTPUTF8");
}

#[test]
fn xtext_hides_no_line_end() {
    for value in ["rfc822;a+0D+0Ab", "rfc822;a+00", "rfc822;a+1B", "rfc822;a+", "rfc822;a+0", "rfc822;a+0d", "rfc822;"]
    {
        let line = format!("RCPT TO:<a@b.fr> ORCPT={value}");
        assert!(is_bad_value(&line), "{value}");
    }
    assert_eq!(printed("RCPT TO:<a@b.fr> ORCPT=rfc822;a+2Bb@c.fr"), "RCPT TO:<a@b.fr> ORCPT=rfc822;a+2Bb@c.fr");
}

#[test]
fn parameters_that_are_not_announced_are_555() {
    let unknown = Err(CommandError::Parameter(ParameterError::Unknown));
    for parameter in
        ["RET=FULL X=1", "HOLDFOR=1", "BY=1;N", "MT-PRIORITY=1", "MTRK=a", "SOLICIT=a", "TRANSID=<a>", "CONPERM"]
    {
        assert_eq!(parse(&format!("MAIL FROM:<a@b.fr> {parameter}")), unknown, "{parameter}");
    }
    for parameter in ["RRVS=2020-01-01T00:00:00Z", "CONNEG"] {
        assert_eq!(parse(&format!("RCPT TO:<a@b.fr> {parameter}")), unknown, "{parameter}");
    }
    for parameter in ["RET=FULL", "RET=NONE", "ENVID=a", "AUTH=<>", "REQUIRETLS", "REQUIRETLS=x"] {
        assert_eq!(Command::parse(&format!("MAIL FROM:<a@b.fr> {parameter}"), Offered::default()), unknown);
    }
    assert_eq!(Command::parse("RCPT TO:<a@b.fr> NOTIFY=NEVER", Offered::default()), unknown);
}
// Bare line ends, over-long lines: `tests/dialogues/smtp/lines.txt`. The lone dot as first line, dots of the first
// line, bare CR and LF in bodies: `dot_stuffing`. AUTH tokens over 4,096 octets: `tests/dialogues/smtp/auth.txt`.
