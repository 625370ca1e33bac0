//! mbsync both ways, with flags and folders.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tests::{letter, program::succeed, server::Server};

use super::with_unix_lines;

#[test]
fn mbsync_keeps_both_sides_alike() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let maildir = folder.path().join("mail");
    fs::create_dir(&maildir)?;
    let (user, password) = server.user(1);
    let configuration = format!(
        "IMAPAccount there\nHost localhost\nPort {}\nUser {user}\nPass {password}\nSSLType IMAPS\nCertificateFile {}\n\n\
         IMAPStore there\nAccount there\n\nMaildirStore here\nPath {maildir}/\nInbox {maildir}/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :there:\nNear :here:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSync All\nSyncState *\n",
        server.settings.get("IMAPS_PORT"),
        server.settings.get("CA_FILE"),
        maildir = maildir.display(),
    );
    fs::write(folder.path().join("mbsyncrc"), configuration)?;
    let sync = || succeed("mbsync", &["-c", "mbsyncrc", "all"], folder.path(), b"");

    // From there to here: content, flags, folders below folders.
    let first = letter::with_attachment(user, user, 20_000);
    let second = letter::plain(user, user, 2_000);
    let mut imap = server.imap(1)?;
    ensure!(imap.append("INBOX", "(\\Seen \\Flagged) ", &first)?.is_ok());
    ensure!(imap.append("INBOX", "", &second)?.is_ok());
    imap.ok("CREATE Projects/2026")?;
    ensure!(imap.append("Projects/2026", "(\\Answered) ", &second)?.is_ok());
    sync()?;
    let flags = |box_name: &str, message: &[u8]| letters(&maildir.join(box_name), message);
    ensure!(flags("INBOX", &first)? == ["FS"], "flags of the first: {:?}", flags("INBOX", &first)?);
    ensure!(flags("INBOX", &second)? == [""], "flags of the second: {:?}", flags("INBOX", &second)?);
    ensure!(flags("Projects/2026", &second)? == ["R"]);

    // From here to there: a new message, a changed flag, a new folder, a deletion.
    let third = letter::with_attachment(user, user, 150_000);
    fs::write(maildir.join("INBOX/cur/1.third.here:2,S"), with_unix_lines(&third))?;
    for kind in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join("Ideas").join(kind))?;
    }
    fs::write(maildir.join("Ideas/cur/2.third.here:2,DF"), with_unix_lines(&third))?;
    rename_flags(&maildir.join("INBOX"), &second, "T")?;
    rename_flags(&maildir.join("INBOX"), &first, "RS")?;
    sync()?;

    imap.ok("SELECT INBOX")?;
    let there = imap.ok("FETCH 1:* (FLAGS BODY.PEEK[])")?.untagged;
    let there: Vec<_> = there.iter().filter(|response| !response.literals.is_empty()).collect();
    ensure!(there.len() == 2, "{} messages there", there.len());
    let of = |message: &[u8]| there.iter().find(|response| without_tuid(&response.literals[0]) == message);
    let flags_of_first = &of(&first).context("the first is gone")?.text;
    ensure!(flags_of_first.contains("\\Answered") && !flags_of_first.contains("\\Flagged"), "{flags_of_first}");
    ensure!(of(&third).context("the third did not come, or came changed")?.text.contains("\\Seen"));
    imap.ok("SELECT Ideas")?;
    let ideas = imap.ok("FETCH 1:* FLAGS")?;
    let flags_of_idea = &ideas.find("FETCH").context("Ideas is empty")?.text;
    ensure!(flags_of_idea.contains("\\Draft") && flags_of_idea.contains("\\Flagged"), "{flags_of_idea}");

    // And nothing more to do: a second run changes nothing.
    let before = fs::read_dir(maildir.join("INBOX/cur"))?.count();
    sync()?;
    ensure!(fs::read_dir(maildir.join("INBOX/cur"))?.count() == before);
    Ok(())
}

/// The flags, in Maildir's letters, of each file below `folder` that holds `message`.
fn letters(folder: &Path, message: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files_with(folder, message)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.push(name.split(":2,").nth(1).unwrap_or_default().to_owned());
    }
    Ok(found)
}

fn rename_flags(folder: &Path, message: &[u8], flags: &str) -> Result<()> {
    for path in files_with(folder, message)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let base = name.split(":2,").next().unwrap_or_default();
        fs::rename(&path, folder.join("cur").join(format!("{base}:2,{flags}")))?;
    }
    Ok(())
}

fn files_with(folder: &Path, message: &[u8]) -> Result<Vec<std::path::PathBuf>> {
    let wanted = with_unix_lines(message);
    let mut found = Vec::new();
    for kind in ["cur", "new"] {
        for file in fs::read_dir(folder.join(kind)).with_context(|| format!("{} is missing", folder.display()))? {
            let path = file?.path();
            if with_unix_lines(&without_tuid(&fs::read(&path)?)) == wanted {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// mbsync marks what it copies with a field of its own, to find it again.
fn without_tuid(message: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        if !line.starts_with(b"X-TUID: ") {
            kept.extend_from_slice(line);
        }
    }
    kept
}
