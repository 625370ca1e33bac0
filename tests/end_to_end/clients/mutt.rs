//! NeoMutt in batch: sends an attachment by submission, reads and copies by IMAP in a pseudo-terminal.

use std::fs;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tests::{letter, program::succeed, server::Server};

use super::with_unix_lines;

#[test]
fn neomutt_sends_and_reads() -> Result<()> {
    let server = Server::start()?;
    let folder = TempDir::new()?;
    let (user, password) = server.user(1);
    let escaped = user.replace('@', "%40");
    let configuration = format!(
        "set realname='User One' from='{user}' use_from=yes use_envelope_from=yes copy=no\n\
         set ssl_ca_certificates_file='{ca}' certificate_file='{folder}/accepted' ssl_force_tls=yes ssl_starttls=yes\n\
         set ssl_usesystemcerts=no\n\
         set smtp_url='smtps://{escaped}@localhost:{smtps}' smtp_pass='{password}' smtp_authenticators='plain'\n\
         set imap_user='{user}' imap_pass='{password}' imap_authenticators='login'\n\
         set folder='imaps://localhost:{imaps}/' spoolfile='+INBOX'\n\
         set confirmappend=no confirmcreate=no mark_old=no delete=yes wait_key=no mbox_type=mbox sort=mailbox-order\n\
         set header_cache='' quit=yes mime_forward=no copy_decode_weed=no\n",
        ca = server.settings.get("CA_FILE"),
        folder = folder.path().display(),
        smtps = server.settings.get("SUBMISSIONS_PORT"),
        imaps = server.settings.get("IMAPS_PORT"),
    );
    fs::write(folder.path().join("muttrc"), configuration)?;
    let attachment: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    fs::write(folder.path().join("octets.bin"), &attachment)?;

    let arguments = ["-F", "muttrc", "-s", "Résultat d'analyse", "-a", "octets.bin", "--", user];
    succeed("neomutt", &arguments, folder.path(), "Voilà.\n".as_bytes())?;
    let mut imap = server.imap(1)?;
    imap.ok("SELECT INBOX")?;
    let found = imap.ok("SEARCH CHARSET UTF-8 SUBJECT {9+}\r\nRésultat")?;
    let number = found.find("* SEARCH").and_then(|response| response.text.split(' ').nth(2).map(str::to_owned));
    let number = number.context("what NeoMutt sent did not arrive")?;
    let part = imap.ok(&format!("FETCH {number} BINARY.PEEK[2]"))?;
    let part = part.find("FETCH").and_then(|response| response.literals.first().cloned()).context("no part 2")?;
    ensure!(part == attachment, "the attachment arrived changed");

    // Reading: copy everything to a local mbox, mark the first message, and leave.
    let second = letter::plain(user, user, 3_000);
    ensure!(imap.append("INBOX", "", &second)?.is_ok());
    let keys = "push '<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>copied.mbox<enter>\
                <untag-pattern>~A<enter><first-entry><flag-message><sync-mailbox><quit>'";
    let command =
        format!("neomutt -F muttrc -f imaps://localhost:{}/INBOX -e \"{keys}\"", server.settings.get("IMAPS_PORT"));
    succeed("script", &["-qec", &command, "typescript"], folder.path(), b"")?;
    let copied = fs::read(folder.path().join("copied.mbox")).context("NeoMutt copied nothing")?;
    let body_of_second = with_unix_lines(&second);
    let body_of_second =
        &body_of_second[body_of_second.windows(2).position(|two| two == b"\n\n").unwrap_or_default()..];
    ensure!(
        copied.windows(body_of_second.len()).any(|window| window == body_of_second),
        "NeoMutt read another body:\n{}",
        String::from_utf8_lossy(&copied)
    );
    let flags = imap.ok("FETCH 1:* FLAGS")?;
    ensure!(flags.find("\\Flagged").is_some(), "NeoMutt's flag is not there: {:?}", flags.untagged);
    Ok(())
}
