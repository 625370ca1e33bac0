//! S12: a mailbox name is a name, never a path, and never another tenant's.

use std::fs;

use anyhow::{Result, ensure};
use tests::server::Server;

use super::long;

#[test]
fn s12_mailbox_names_reach_no_file_and_no_other_account() -> Result<()> {
    let server = Server::start()?;
    let mut imap = server.imap(1)?;
    let parent = server.folder().parent().map(std::path::Path::to_owned).unwrap_or_default();
    // Of the server's own, what it logs is counted too: nothing else may come.
    let beside = || -> Result<usize> { Ok(fs::read_dir(&parent)?.count()) };
    let before = beside()?;
    let other = server.user(3).0;
    let names = [
        "../x",
        "a/../../b",
        "/etc/x",
        "%2e%2e",
        "..",
        ".",
        "a/./b",
        "a//b",
        "/",
        "//",
        "~root",
        "~/x",
        "a\\\\b",
        "con",
        "#shared/x",
        "&AC8-etc",
        "&AC4ALg-",
        "&Jjo-",
        "user.x",
        "C:\\\\x",
        "x\u{7f}",
        "&-",
        "&",
    ];
    for name in names {
        // Taken or refused; a name that was taken is there to be selected and removed again.
        let created = imap.command(&format!("CREATE \"{name}\""))?;
        if created.is_ok() {
            let appended =
                imap.append(&format!("\"{}\"", name.trim_end_matches('/')), "", b"Subject: x\r\n\r\nx\r\n")?;
            ensure!(appended.is_ok(), "{name:?} was created but takes nothing: {}", appended.status);
        }
    }
    // What became a name stays one when mail leaves as files.
    let exported = parent.join("exported");
    let done = server.run(&["export", server.user(1).0, &exported.to_string_lossy()])?;
    ensure!(done.status.success(), "export: {}{}", done.out, done.err);
    for entry in fs::read_dir(&exported)? {
        let path = entry?.path();
        ensure!(!fs::symlink_metadata(&path)?.is_symlink(), "{} is a link", path.display());
    }
    fs::remove_dir_all(&exported)?;
    for name in
        [format!("../{other}/INBOX"), format!("{other}/INBOX"), format!("user/{other}"), format!("~{other}/INBOX")]
    {
        ensure!(!imap.command(&format!("SELECT \"{name}\""))?.is_ok(), "{name} can be selected");
        ensure!(!imap.command(&format!("STATUS \"{name}\" (MESSAGES)"))?.is_ok(), "{name} has a status");
    }
    ensure!(!imap.command(&format!("CREATE \"{}\"", "x".repeat(4_096)))?.is_ok(), "a name of 4 KB");
    let nul = imap.append("{3+}\r\na\0b", "", b"x");
    ensure!(nul.is_err() || nul.is_ok_and(|completed| !completed.is_ok()), "a name with NUL");

    let mut imap = server.imap(1)?;
    for inbox in ["inbox", "InBox", "INBOX"] {
        ensure!(!imap.command(&format!("CREATE {inbox}"))?.is_ok(), "{inbox} was created");
        ensure!(!imap.command(&format!("DELETE {inbox}"))?.is_ok(), "{inbox} was deleted");
        ensure!(imap.command(&format!("SELECT {inbox}"))?.is_ok(), "{inbox} cannot be selected");
    }

    // "é" in one code point and in two are one name for the user (RFC 9051 §5.1, Net-Unicode).
    imap.ok("CREATE &AOk-t&AOk-")?;
    ensure!(!imap.command("CREATE e&AwE-te&AwE-")?.is_ok(), "the same name twice, composed and decomposed");

    // What may not be named in LIST does not appear there either.
    let listed = server.imap(3)?.ok("LIST \"\" *")?;
    ensure!(
        listed.untagged.iter().all(|response| !response.text.contains("&AOk-t&AOk-")),
        "another's mailbox is listed"
    );
    ensure!(beside()? == before, "a file was made outside of the data");
    Ok(())
}

#[test]
fn s12_many_mailboxes_end_at_a_limit_or_stay_quick() -> Result<()> {
    let server = Server::start()?;
    let mut imap = server.imap(1)?;
    let count = if long() { 100_000 } else { 500 };
    for number in 0..count {
        if !imap.command(&format!("CREATE box{number}"))?.is_ok() {
            break;
        }
    }
    let begun = std::time::Instant::now();
    imap.ok("LIST \"\" *")?;
    ensure!(begun.elapsed().as_secs() < 5, "LIST took {:?}", begun.elapsed());
    Ok(())
}
