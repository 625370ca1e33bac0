//! Protocol tests as transcripts that anyone who knows the RFC can read and write.
//!
//! ```text
//! # A comment.
//! C: EHLO client.example          the client sends this line and CRLF
//! C~ a\r\nb\x00\{3000*x}          the client sends exactly this: escapes are read, no CRLF is added
//! S: 250-mx.example.org           the server sends this line and CRLF, and nothing else
//! S: 250 2.0.0 accepted as …      `…` stands for anything
//! -- 5 minutes pass               time passes
//! -- tls established              any other event is the endpoint's own
//! -- closed                       the server has closed the connection
//! ```
//! Consecutive `C` lines travel together. Replies are compared where the next `C` or `--` line, or the end, comes.
//! [`check`] plays a transcript whole, then with the client's octets cut at every position, then octet by octet: the
//! server must answer the same.

use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The server side of a dialogue.
pub trait Endpoint {
    /// Octets arrive from the client.
    fn receive(&mut self, octets: &[u8]);

    /// What was sent to the client since the last call.
    fn sent(&mut self) -> Vec<u8>;

    /// Time passes.
    fn pass(&mut self, duration: Duration);

    /// True once the server has closed the connection.
    fn is_closed(&self) -> bool;

    /// Any other `--` line. The default knows none.
    ///
    /// # Errors
    /// Says why the event is not known, or what it found that it should not have.
    fn event(&mut self, event: &str) -> Result<(), String> {
        Err(format!("no such event: {event}"))
    }
}

/// A transcript that was read.
#[derive(Clone, Debug)]
pub struct Dialogue {
    steps: Vec<(usize, Step)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Client(Vec<u8>),
    Server(String),
    Pass(Duration),
    Closed,
    Event(String),
}

/// Where the client's octets are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Nowhere,
    /// Before this octet, counted over the whole dialogue.
    At(usize),
    Everywhere,
}

/// Where a dialogue went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the transcript, from 1.
    pub line: usize,
    /// What was expected and what came.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Plays a transcript whole and in every cutting, each time with a fresh endpoint.
///
/// # Panics
/// When the server answers anything else than what is written, naming the line and the cut.
pub fn check<E: Endpoint>(name: &str, transcript: &str, mut open: impl FnMut() -> E) {
    let dialogue = Dialogue::parse(transcript).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    for cut in dialogue.cuts() {
        if let Err(failure) = dialogue.play(&mut open(), cut) {
            panic!("{name}: {failure} (cut: {cut:?})");
        }
    }
}

/// Every `*.txt` of a folder as (name, transcript), sorted by name.
///
/// # Panics
/// When the folder cannot be read or holds none.
pub fn transcripts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    let mut transcripts: Vec<_> = entries
        .map(|entry| entry.unwrap_or_else(|error| panic!("reading {}: {error}", folder.display())).path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.display().to_string(), text)
        })
        .collect();
    transcripts.sort();
    assert!(!transcripts.is_empty(), "no transcripts in {}", folder.display());
    transcripts
}

impl Dialogue {
    /// Reads a transcript.
    ///
    /// # Errors
    /// On a line that is none of the forms above.
    pub fn parse(transcript: &str) -> Result<Dialogue, Failure> {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for (line, text) in (1..).zip(transcript.lines()) {
            let text = text.trim_start();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let step = parse_step(text).ok_or_else(|| Failure { line, what: format!("what is this? {text:?}") })?;
            match (steps.last_mut(), step) {
                (Some((_, Step::Client(before))), Step::Client(octets)) => before.extend_from_slice(&octets),
                (_, step) => steps.push((line, step)),
            }
        }
        Ok(Dialogue { steps })
    }

    fn client_octets(&self) -> usize {
        self.steps.iter().map(|(_, step)| if let Step::Client(octets) = step { octets.len() } else { 0 }).sum()
    }

    fn cuts(&self) -> Vec<Cut> {
        let octets = self.client_octets();
        let stride = octets.div_ceil(CUTS_MAX).max(1);
        let at = (1..octets).step_by(stride).map(Cut::At);
        [Cut::Nowhere, Cut::Everywhere].into_iter().chain(at).collect()
    }

    fn play(&self, endpoint: &mut impl Endpoint, cut: Cut) -> Result<(), Failure> {
        let mut output = Vec::new();
        let mut octets_before = 0;
        // Events before the first line set the endpoint up: it is not asked to speak before them.
        let mut begun = false;
        for (line, step) in &self.steps {
            let line = *line;
            begun |= !matches!(step, Step::Event(_));
            if begun {
                output.extend(endpoint.sent());
            }
            let fail = |what: String| Err(Failure { line, what });
            match step {
                Step::Server(expected) => match take_line(&mut output) {
                    Some(found) if matches(expected, &found) => {}
                    Some(found) => return fail(format!("expected {expected:?}, got {found:?}")),
                    None => return fail(format!("expected {expected:?}, got nothing")),
                },
                Step::Closed if endpoint.is_closed() => {}
                Step::Closed => return fail("expected the connection to be closed".into()),
                _ if !output.is_empty() => return fail(format!("before this, unexpected {}", show(&output))),
                Step::Client(octets) => {
                    feed(endpoint, octets, octets_before, cut);
                    octets_before += octets.len();
                }
                Step::Pass(duration) => endpoint.pass(*duration),
                Step::Event(event) => endpoint.event(event).or_else(fail)?,
            }
        }
        output.extend(endpoint.sent());
        match output.is_empty() {
            true => Ok(()),
            false => Err(Failure {
                line: self.steps.last().map_or(0, |(line, _)| *line),
                what: format!("after this, unexpected {}", show(&output)),
            }),
        }
    }
}

/// Cuttings tried on one dialogue; longer ones are sampled evenly.
const CUTS_MAX: usize = 2_000;

fn feed(endpoint: &mut impl Endpoint, octets: &[u8], octets_before: usize, cut: Cut) {
    match cut {
        Cut::Nowhere => endpoint.receive(octets),
        Cut::Everywhere => octets.chunks(1).for_each(|octet| endpoint.receive(octet)),
        Cut::At(position) => match position.checked_sub(octets_before).and_then(|at| octets.split_at_checked(at)) {
            Some((left, right)) if !left.is_empty() && !right.is_empty() => {
                endpoint.receive(left);
                endpoint.receive(right);
            }
            _ => endpoint.receive(octets),
        },
    }
}

fn take_line(output: &mut Vec<u8>) -> Option<String> {
    let end = output.windows(2).position(|pair| pair == b"\r\n")?;
    let line = output.drain(..end + 2).take(end).collect::<Vec<u8>>();
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// Equal, `…` standing for anything.
fn matches(expected: &str, found: &str) -> bool {
    let Some((before, after)) = expected.split_once('…') else { return expected == found };
    let Some(rest) = found.strip_prefix(before) else { return false };
    rest.char_indices()
        .map(|(at, _)| at)
        .chain([rest.len()])
        .any(|at| rest.get(at..).is_some_and(|rest| matches(after, rest)))
}

fn show(output: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(output))
}

fn parse_step(text: &str) -> Option<Step> {
    let (mark, rest) = text.split_at_checked(2)?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    match mark {
        "C:" => Some(Step::Client(format!("{rest}\r\n").into_bytes())),
        "C~" => Some(Step::Client(unescape(rest)?)),
        "S:" => Some(Step::Server(rest.to_owned())),
        "--" => Some(match rest.trim_end() {
            "closed" => Step::Closed,
            event => parse_duration(event).map_or_else(|| Step::Event(event.to_owned()), Step::Pass),
        }),
        _ => None,
    }
}

/// `5 minutes pass`, `1 hour passes`.
fn parse_duration(event: &str) -> Option<Duration> {
    let words: Vec<&str> = event.split(' ').collect();
    let [number, unit, "pass" | "passes"] = words.as_slice() else { return None };
    let seconds = match unit.trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// Reads `\r \n \t \\ \xNN`, and `\{COUNT*TEXT}` for repetition. `None` for any other escape.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        octets.extend_from_slice(rest.get(..at)?.as_bytes());
        rest = rest.get(at + 1..)?;
        let kind = rest.chars().next()?;
        rest = rest.get(kind.len_utf8()..)?;
        match kind {
            'r' => octets.push(b'\r'),
            'n' => octets.push(b'\n'),
            't' => octets.push(b'\t'),
            '\\' => octets.push(b'\\'),
            'x' => {
                octets.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                rest = rest.get(2..)?;
            }
            '{' => {
                let (repetition, after) = rest.split_once('}')?;
                let (count, repeated) = repetition.split_once('*')?;
                octets.extend(unescape(repeated)?.repeat(count.parse().ok()?));
                rest = after;
            }
            _ => return None,
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every line with itself, closes after a minute, and after "bye".
    #[derive(Default)]
    struct Echo {
        received: Vec<u8>,
        sent: Vec<u8>,
        closed: bool,
        careless: bool,
    }

    impl Endpoint for Echo {
        fn receive(&mut self, octets: &[u8]) {
            self.received.extend_from_slice(octets);
            if self.careless && octets.len() == 1 {
                self.sent.extend_from_slice(b"?\r\n");
            }
            while let Some(line) = take_line(&mut self.received) {
                self.closed |= line == "bye";
                self.sent.extend(format!("{line}\r\n").bytes());
            }
        }

        fn sent(&mut self) -> Vec<u8> {
            std::mem::take(&mut self.sent)
        }

        fn pass(&mut self, duration: Duration) {
            self.closed |= duration >= Duration::from_secs(60);
        }

        fn is_closed(&self) -> bool {
            self.closed
        }
    }

    fn play(transcript: &str) -> Result<(), String> {
        let dialogue = Dialogue::parse(transcript).map_err(|failure| failure.to_string())?;
        dialogue.play(&mut Echo::default(), Cut::Nowhere).map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_is_written_is_what_must_happen() {
        assert_eq!(
            play("C: a\nC: b\nS: a\nS: b\n  C~ x\\x41\\{2*yz}\\r\\n\nS: xAyzyz\n-- 1 minute passes\n-- closed"),
            Ok(())
        );
        assert_eq!(play("C: id 17 ok\nS: id … ok"), Ok(()));
        assert_eq!(play("C: a\nS: b"), Err("line 2: expected \"b\", got \"a\"".into()));
        assert_eq!(play("C: a\n\n-- 5 seconds pass"), Err("line 3: before this, unexpected \"a\\r\\n\"".into()));
        assert_eq!(play("C: a"), Err("line 1: after this, unexpected \"a\\r\\n\"".into()));
        assert_eq!(play("S: a"), Err("line 1: expected \"a\", got nothing".into()));
        assert_eq!(play("-- closed"), Err("line 1: expected the connection to be closed".into()));
        assert_eq!(play("-- the moon rises"), Err("line 1: no such event: the moon rises".into()));
        assert_eq!(play("X: a"), Err("line 1: what is this? \"X: a\"".into()));
    }

    #[test]
    fn every_cut_is_tried() {
        check("echo", "C: hello\nC: bye\nS: hello\nS: bye\n-- closed", Echo::default);
    }

    #[test]
    #[should_panic(expected = "Everywhere")]
    fn a_server_that_answers_pieces_is_found_out() {
        check("careless", "C: hello\nS: hello", || Echo { careless: true, ..Echo::default() });
    }
}
