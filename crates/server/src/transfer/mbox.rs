//! mbox files (RFC 4155), the mboxo and mboxrd habits: a `From ` line begins a message, `>From ` inside one was `From `.

use std::io::BufRead;

use super::{Octets, Record, RecordError, RecordFlags};

/// Octets of one message in an mbox; a larger one is skipped and told. The same bound as a message by SMTP, roomily.
pub const MESSAGE_OCTETS_MAX: usize = 128 * 1024 * 1024;

/// Reads the messages of one mbox in order.
pub struct Reader<R> {
    input: R,
    mailbox: String,
    offset: u64,
    /// The `From ` line that began the next message, when it was already read.
    separator: Option<Vec<u8>>,
    begun: bool,
}

impl<R: BufRead> Reader<R> {
    /// Messages of `input` are said to be in `mailbox`.
    pub fn new(input: R, mailbox: &str) -> Reader<R> {
        Reader { input, mailbox: mailbox.to_owned(), offset: 0, separator: None, begun: false }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        let mut line = Vec::new();
        let octets = self
            .input
            .read_until(b'\n', &mut line)
            .map_err(|source| RecordError::Io { path: self.mailbox.clone().into(), source })?;
        self.offset += octets as u64;
        Ok(Some(line).filter(|line| !line.is_empty()))
    }

    fn message(&mut self) -> Result<Option<Record>, RecordError> {
        let separator = match self.separator.take() {
            Some(separator) => separator,
            None if self.begun => return Ok(None),
            None => {
                self.begun = true;
                match self.first_separator()? {
                    Some(separator) => separator,
                    None => return Ok(None),
                }
            }
        };
        let begins = self.offset;
        let mut octets = Vec::new();
        let mut too_large = false;
        let mut blank = false;
        while let Some(line) = self.line()? {
            if is_separator(&line) && (blank || octets.is_empty()) {
                self.separator = Some(line);
                break;
            }
            blank = line == b"\n" || line == b"\r\n";
            too_large |= octets.len() + line.len() > MESSAGE_OCTETS_MAX;
            if !too_large {
                octets.extend_from_slice(unquoted(&line));
            }
        }
        if too_large {
            return Err(RecordError::TooLarge { offset: begins });
        }
        // The empty line before the next `From ` belongs to the format, not to the message.
        if blank {
            let tail = if octets.ends_with(b"\r\n") { 2 } else { 1 };
            octets.truncate(octets.len().saturating_sub(tail));
        }
        let flags = flags(&octets);
        Ok(Some(Record {
            mailbox: self.mailbox.clone(),
            flags,
            internal_date: separator_date(&separator),
            octets: Octets::Memory(octets),
        }))
    }

    fn first_separator(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        loop {
            let offset = self.offset;
            match self.line()? {
                None => return Ok(None),
                Some(line) if line.starts_with(b"From ") => return Ok(Some(line)),
                Some(line) if line.trim_ascii().is_empty() => {}
                Some(_) => return Err(RecordError::NoMbox { offset }),
            }
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.message().transpose();
        if matches!(next, Some(Err(RecordError::Io { .. } | RecordError::NoMbox { .. }))) {
            self.separator = None; // nothing can be read after these
        }
        next
    }
}

/// `From sender date`: a body line that merely begins with `From ` ends in no date. RFC 4155 asks writers to quote it,
/// many do not.
fn is_separator(line: &[u8]) -> bool {
    line.starts_with(b"From ") && separator_date(line).is_some()
}

/// `>From `, `>>From `: one `>` less (mboxrd).
fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|octet| **octet == b'>').count();
    match line.get(quotes..) {
        Some(rest) if quotes > 0 && rest.starts_with(b"From ") => line.get(1..).unwrap_or(line),
        _ => line,
    }
}

/// `Status: RO`, `X-Status: AFTD` (mutt, Dovecot, elm) and `X-Mozilla-Status: 0001` (Thunderbird).
fn flags(message: &[u8]) -> RecordFlags {
    const MOZILLA_READ: u32 = 0x0001;
    const MOZILLA_REPLIED: u32 = 0x0002;
    const MOZILLA_MARKED: u32 = 0x0004;
    const MOZILLA_EXPUNGED: u32 = 0x0008;
    let mut flags = RecordFlags::default();
    for line in message.split(|octet| *octet == b'\n').take_while(|line| !line.trim_ascii().is_empty()) {
        let Some((name, value)) = line.iter().position(|octet| *octet == b':').and_then(|at| line.split_at_checked(at))
        else {
            continue;
        };
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"Status") || name.eq_ignore_ascii_case(b"X-Status") {
            flags.seen |= value.contains(&b'R');
            flags.answered |= value.contains(&b'A');
            flags.flagged |= value.contains(&b'F');
            flags.draft |= value.contains(&b'T');
            flags.deleted |= value.contains(&b'D');
        } else if name.eq_ignore_ascii_case(b"X-Keywords") {
            flags.keywords.extend(String::from_utf8_lossy(value).split_ascii_whitespace().map(str::to_owned));
        } else if name.eq_ignore_ascii_case(b"X-Mozilla-Status") {
            let bits = std::str::from_utf8(value).ok().and_then(|text| u32::from_str_radix(text, 16).ok()).unwrap_or(0);
            flags.seen |= bits & MOZILLA_READ != 0;
            flags.answered |= bits & MOZILLA_REPLIED != 0;
            flags.flagged |= bits & MOZILLA_MARKED != 0;
            flags.deleted |= bits & MOZILLA_EXPUNGED != 0;
        }
    }
    flags
}

/// The asctime date after the sender in a `From ` line, in UTC (RFC 4155 appendix A). Thunderbird writes `From - date`,
/// some programs a zone after the date.
fn separator_date(separator: &[u8]) -> Option<i64> {
    const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let text = String::from_utf8_lossy(separator);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let begins = words.iter().position(|word| WEEKDAYS.contains(word))?;
    let date = words.get(begins..begins + 5)?.join(" ");
    jiff::civil::DateTime::strptime("%a %b %d %H:%M:%S %Y", &date)
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Record, String>> {
        Reader::new(text.as_bytes(), "INBOX").map(|record| record.map_err(|error| error.to_string())).collect()
    }

    fn bodies(text: &str) -> Vec<String> {
        read(text)
            .into_iter()
            .map(|record| match record.unwrap().octets {
                Octets::Memory(octets) => String::from_utf8(octets).unwrap(),
                Octets::File(_) => unreachable!(),
            })
            .collect()
    }

    #[test]
    fn messages_are_split_where_a_from_line_follows_an_empty_one() {
        let text = "From a@b Thu Nov 20 14:54:38 2025\nSubject: one\n\nFrom here on\n>From quoted\n>>From twice\n\n\
                    From c@d Thu Nov 20 14:54:38 2025\nSubject: two\n\nbody\n";
        assert_eq!(
            bodies(text),
            ["Subject: one\n\nFrom here on\nFrom quoted\n>From twice\n", "Subject: two\n\nbody\n"]
        );
    }

    #[test]
    fn a_from_line_gives_the_date() {
        let records = read("From a@b Thu Nov 20 14:54:38 2025\nSubject: one\n\nx\n");
        assert_eq!(records[0].as_ref().unwrap().internal_date, Some(1_763_650_478));
    }

    #[test]
    fn status_fields_give_the_flags() {
        let records = read(
            "From a Thu Nov 20 14:54:38 2025\nStatus: RO\nX-Status: AF\nX-Keywords: urgent $Forwarded\n\nx\n\n\
             From - Thu Nov 20 14:54:38 2025\nX-Mozilla-Status: 0005\n\ny\n",
        );
        let first = &records[0].as_ref().unwrap().flags;
        assert!(first.seen && first.answered && first.flagged && !first.deleted);
        assert_eq!(first.keywords, ["urgent", "$Forwarded"]);
        let second = &records[1].as_ref().unwrap().flags;
        assert!(second.seen && second.flagged && !second.answered);
    }

    #[test]
    fn a_file_that_is_no_mbox_is_said_to_be_none() {
        assert_eq!(read("\nhello\n"), [Err("no line beginning with `From ` at octet 1: this is no mbox".to_owned())]);
        assert!(read("").is_empty());
    }
}
