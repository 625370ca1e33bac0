//! Maildir and Maildir++ folders, as Dovecot, Courier, mutt and mbsync keep them.
//!
//! Read: Maildir++ (`.Sent.2024`, names in modified UTF-7) and nested folders (`Sent/2024`). Written: Maildir++, each file
//! whole in `tmp`, synced, then renamed into `cur`, with keywords in Dovecot's `dovecot-keywords` list.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Octets, Record, RecordError, RecordFlags};

/// Keywords a Maildir file name can carry: the letters `a` to `z`.
pub const KEYWORDS_MAX: usize = 26;

/// Folders within folders when reading the nested layout.
const DEPTH_MAX: usize = 16;

/// A mailbox found in a Maildir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Name with `/` between levels; `INBOX` for the top.
    pub mailbox: String,
    /// The folder that holds `cur` and `new`.
    pub path: PathBuf,
}

/// The mailboxes under `root`, INBOX first, then by name. Folder names are decoded by `decode` (modified UTF-7).
///
/// # Errors
/// The root cannot be listed.
pub fn folders(root: &Path, decode: impl Fn(&str) -> Option<String>) -> io::Result<Vec<Folder>> {
    let mut found = Vec::new();
    if root.join("cur").is_dir() || root.join("new").is_dir() {
        found.push(Folder { mailbox: "INBOX".into(), path: root.to_owned() });
    }
    collect(root, "", &decode, 0, &mut found)?;
    found.sort_by(|a, b| (a.mailbox != "INBOX", &a.mailbox).cmp(&(b.mailbox != "INBOX", &b.mailbox)));
    Ok(found)
}

fn collect(
    at: &Path,
    prefix: &str,
    decode: &impl Fn(&str) -> Option<String>,
    depth: usize,
    found: &mut Vec<Folder>,
) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Ok(());
    }
    for item in fs::read_dir(at)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        if !item.file_type()?.is_dir() || matches!(name.as_str(), "cur" | "new" | "tmp") {
            continue; // links are not followed: they may lead anywhere
        }
        let level = match name.strip_prefix('.') {
            Some(dotted) if depth == 0 => dotted.replace('.', "/"),
            Some(_) => continue,
            None => name,
        };
        let readable = level.split('/').map(|part| decode(part).unwrap_or_else(|| part.to_owned())).collect::<Vec<_>>();
        let mailbox = format!("{prefix}{}", readable.join("/"));
        if item.path().join("cur").is_dir() || item.path().join("new").is_dir() {
            found.push(Folder { mailbox: mailbox.clone(), path: item.path() });
        }
        collect(&item.path(), &format!("{mailbox}/"), decode, depth + 1, found)?;
    }
    Ok(())
}

/// The messages of one folder in the order of their arrival (modification time, then name).
pub fn records(folder: &Folder) -> Vec<Result<Record, RecordError>> {
    let keywords = keyword_list(&folder.path);
    let mut dated = Vec::new();
    let mut failed = Vec::new();
    for (sub_folder, is_new) in [("new", true), ("cur", false)] {
        let path = folder.path.join(sub_folder);
        let listing = match fs::read_dir(&path) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => {
                failed.push(Err(RecordError::Io { path, source }));
                continue;
            }
        };
        for item in listing {
            match item.and_then(|item| Ok((item.metadata()?, item))) {
                Ok((metadata, item)) if metadata.is_file() => {
                    let name = item.file_name().to_string_lossy().into_owned();
                    if name.starts_with('.') {
                        continue;
                    }
                    let flags = if is_new { RecordFlags::default() } else { flags_of_name(&name, &keywords) };
                    let date = metadata.modified().ok().and_then(seconds);
                    dated.push((date, name, item.path(), flags));
                }
                Ok(_) => {}
                Err(source) => failed.push(Err(RecordError::Io { path: path.clone(), source })),
            }
        }
    }
    dated.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let records = dated.into_iter().map(|(internal_date, _, path, flags)| {
        Ok(Record { mailbox: folder.mailbox.clone(), flags, internal_date, octets: Octets::File(path) })
    });
    records.chain(failed).collect()
}

fn seconds(time: std::time::SystemTime) -> Option<i64> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// `name:2,FRSa`: the letters after `2,`.
fn flags_of_name(name: &str, keywords: &BTreeMap<char, String>) -> RecordFlags {
    let mut flags = RecordFlags::default();
    let letters = name.rsplit_once(":2,").or_else(|| name.rsplit_once(";2,")).map_or("", |(_, letters)| letters);
    for letter in letters.chars() {
        match letter {
            'S' => flags.seen = true,
            'R' => flags.answered = true,
            'F' => flags.flagged = true,
            'T' => flags.deleted = true,
            'D' => flags.draft = true,
            'P' => flags.keywords.push("$Forwarded".into()), // "passed"
            other => flags.keywords.extend(keywords.get(&other).cloned()),
        }
    }
    flags
}

/// Lines `0 name`, `1 name`, … of Dovecot's list: the letters `a`, `b`, ….
fn keyword_list(folder: &Path) -> BTreeMap<char, String> {
    let text = fs::read_to_string(folder.join("dovecot-keywords")).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (number, name) = line.split_once(' ')?;
            let number: u8 = number.parse().ok().filter(|number| usize::from(*number) < KEYWORDS_MAX)?;
            Some((char::from(b'a' + number), name.trim().to_owned()))
        })
        .collect()
}

/// Writes one mailbox as a Maildir++ folder.
pub struct Writer {
    folder: PathBuf,
    keywords: Vec<String>,
    written: u64,
}

impl Writer {
    /// Makes `cur`, `new` and `tmp` under `root`, for the top or for the folder `name` (levels by `/`, encoded by `encode`).
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn create(root: &Path, mailbox: &str, encode: impl Fn(&str) -> String) -> io::Result<Writer> {
        let folder = match mailbox {
            "INBOX" => root.to_owned(),
            // A dot inside a level would split it: Dovecot's escape is its storage name, ours the fullwidth-free `&AC4-`.
            other => {
                let levels = other.split('/').map(|level| encode(level).replace('.', "&AC4-")).collect::<Vec<_>>();
                root.join(format!(".{}", levels.join(".")))
            }
        };
        for part in ["cur", "new", "tmp"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(part))?;
        }
        if mailbox != "INBOX" {
            fs::write(folder.join("maildirfolder"), b"")?;
        }
        Ok(Writer { folder, keywords: Vec::new(), written: 0 })
    }

    /// Writes one message: `octets` fills the file. `unique` names it within the folder (a UID does).
    ///
    /// # Errors
    /// The file cannot be written; nothing of it stays in `cur`.
    pub fn write(
        &mut self,
        unique: u64,
        internal_date: i64,
        flags: &RecordFlags,
        octets: impl FnOnce(&mut dyn Write) -> io::Result<u64>,
    ) -> io::Result<()> {
        // Read back, messages of one second keep their order by this name.
        let base = format!("{internal_date}.U{unique:010}.sceau");
        let temporary = self.folder.join("tmp").join(&base);
        let written = (|| {
            let private =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            let mut file = io::BufWriter::new(private);
            let size = octets(&mut file)?;
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            let date =
                std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(internal_date).unwrap_or(0));
            file.set_modified(date)?;
            file.sync_all()?;
            let name = format!("{base},S={size}:2,{}", self.letters(flags));
            fs::rename(&temporary, self.folder.join("cur").join(name))
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary); // what is left there is no message
        }
        self.written += u64::from(written.is_ok());
        written
    }

    /// Writes the keyword list and syncs the folder. Returns how many messages were written.
    ///
    /// # Errors
    /// The list cannot be written, or a sync failed.
    pub fn finish(self) -> io::Result<u64> {
        if !self.keywords.is_empty() {
            let lines: String = self.keywords.iter().enumerate().map(|(at, name)| format!("{at} {name}\n")).collect();
            fs::write(self.folder.join("dovecot-keywords"), lines)?;
        }
        fs::File::open(self.folder.join("cur"))?.sync_all()?;
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(self.written)
    }

    /// Flag letters in ASCII order, as the format asks; keywords past the 26th have no letter and are left out.
    fn letters(&mut self, flags: &RecordFlags) -> String {
        let system =
            [('D', flags.draft), ('F', flags.flagged), ('R', flags.answered), ('S', flags.seen), ('T', flags.deleted)];
        let mut letters: Vec<char> = system.into_iter().filter(|(_, set)| *set).map(|(letter, _)| letter).collect();
        for keyword in &flags.keywords {
            let at = self.keywords.iter().position(|known| known == keyword).unwrap_or_else(|| {
                self.keywords.push(keyword.clone());
                self.keywords.len() - 1
            });
            match u8::try_from(at) {
                Ok(at) if usize::from(at) < KEYWORDS_MAX => letters.push(char::from(b'a' + at)),
                _ => self.keywords.truncate(KEYWORDS_MAX),
            }
        }
        letters.sort_unstable();
        letters.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        let root = tempfile::tempdir().unwrap();
        let flags =
            RecordFlags { seen: true, flagged: true, keywords: vec!["urgent".into()], ..RecordFlags::default() };
        for mailbox in ["INBOX", "Archives/2024"] {
            let mut writer = Writer::create(root.path(), mailbox, str::to_owned).unwrap();
            let write = |file: &mut dyn Write| file.write_all(b"Subject: x\r\n\r\nbody\r\n").map(|()| 20);
            writer.write(7, 1_700_000_000, &flags, write).unwrap();
            assert_eq!(writer.finish().unwrap(), 1);
        }
        let found = folders(root.path(), |name| Some(name.to_owned())).unwrap();
        let names: Vec<&str> = found.iter().map(|folder| folder.mailbox.as_str()).collect();
        assert_eq!(names, ["INBOX", "Archives/2024"]);
        for folder in &found {
            let records = records(folder);
            assert_eq!(records.len(), 1);
            let record = records[0].as_ref().unwrap();
            assert_eq!(record.flags, flags);
            assert_eq!(record.internal_date, Some(1_700_000_000));
            let Octets::File(path) = &record.octets else { panic!("in a file") };
            assert!(path.to_string_lossy().ends_with(",S=20:2,FSa"), "{}", path.display());
        }
    }

    #[test]
    fn messages_of_one_second_keep_their_order_and_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(root.path(), "INBOX", str::to_owned).unwrap();
        for uid in [1, 2, 10, 100] {
            let write = |file: &mut dyn Write| file.write_all(format!("{uid}").as_bytes()).map(|()| 1);
            writer.write(uid, 1_577_865_600, &RecordFlags::default(), write).unwrap();
        }
        writer.finish().unwrap();
        let found = folders(root.path(), |name| Some(name.to_owned())).unwrap();
        let read: Vec<String> = records(&found[0])
            .into_iter()
            .map(|record| {
                let Octets::File(path) = record.unwrap().octets else { panic!("in a file") };
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
                fs::read_to_string(path).unwrap()
            })
            .collect();
        assert_eq!(read, ["1", "2", "10", "100"]);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(root.path(), "INBOX", str::to_owned).unwrap();
        let failed = writer.write(1, 0, &RecordFlags::default(), |_| Err(io::Error::other("no octets")));
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(root.path().join("cur")).unwrap().count(), 0);
    }

    #[test]
    fn nested_folders_and_new_messages_are_read() {
        let root = tempfile::tempdir().unwrap();
        for part in ["cur", "new", "Sent/cur", "Sent/2024/new"] {
            fs::create_dir_all(root.path().join(part)).unwrap();
        }
        fs::write(root.path().join("new/1.a"), b"x").unwrap();
        fs::write(root.path().join("Sent/2024/new/2.b:2,S"), b"y").unwrap();
        let found = folders(root.path(), |name| Some(name.to_owned())).unwrap();
        let names: Vec<&str> = found.iter().map(|folder| folder.mailbox.as_str()).collect();
        assert_eq!(names, ["INBOX", "Sent", "Sent/2024"]);
        assert_eq!(records(&found[0]).len(), 1);
        assert_eq!(records(&found[2])[0].as_ref().unwrap().flags, RecordFlags::default(), "new means unseen");
    }
}
