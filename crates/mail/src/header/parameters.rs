//! MIME fields with parameters (RFC 2045 §5.1, RFC 2231), read tolerantly.

use std::collections::BTreeMap;

use crate::mime::Parameter;

/// A field such as Content-Type: the token before the first `;` in lower case, and its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameterised {
    /// `text/plain`, `attachment`.
    pub value: String,
    /// In order; of a name given twice, the first. At most [`PARAMETERS_MAX`].
    pub parameters: Vec<Parameter>,
}

/// Parameters kept of one field.
pub const PARAMETERS_MAX: usize = 64;

/// Segments of RFC 2231 §3 kept of one parameter.
pub const SEGMENTS_MAX: usize = 1_000;

/// Reads an unfolded field value.
pub fn parse_parameterised(value: &str) -> Parameterised {
    let value = without_comments(value);
    let mut rest = value.as_str();
    let main = until_semicolon(&mut rest);
    let main = main.split('(').next().unwrap_or_default();
    let value: String = main.split_ascii_whitespace().collect::<String>().to_ascii_lowercase();
    let mut gathered = Gathered::default();
    while !rest.is_empty() {
        if let Some((name, value)) = parameter(&mut rest) {
            gathered.add(name, value);
        }
    }
    Parameterised { value, parameters: gathered.finish() }
}

/// Comments outside quoted strings become a space (RFC 2045 §5.1), with the `;` and `=` inside them. An unquoted file name
/// keeps its parentheses, since it is sent so; so does a `(` that is never closed.
fn without_comments(value: &str) -> String {
    let mut bare = String::with_capacity(value.len());
    let mut place = Place::Name { begins: 0 };
    let mut all_close = true;
    let mut rest = value;
    while let Some(character) = rest.chars().next() {
        if character == '(' && all_close && !matches!(place, Place::FileName | Place::Quoted { .. }) {
            match comment_octets(rest) {
                Some(octets) => {
                    bare.push(' ');
                    rest = rest.get(octets..).unwrap_or_default();
                    continue;
                }
                // Looked for once only: a value of many `(` takes linear time.
                None => all_close = false,
            }
        }
        bare.push(character);
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        place = match (place, character) {
            (Place::Quoted { escaped: false }, '\\') => Place::Quoted { escaped: true },
            (Place::Quoted { escaped: false }, '"') => Place::Value,
            (Place::Quoted { .. }, _) => Place::Quoted { escaped: false },
            (_, ';') => Place::Name { begins: bare.len() },
            (Place::Name { begins }, '=') => Place::Equals { begins },
            (Place::Equals { .. }, '"') => Place::Quoted { escaped: false },
            (Place::Equals { begins }, other) if !other.is_whitespace() => {
                let name = bare.get(begins..).unwrap_or_default().trim_start().to_ascii_lowercase();
                match name.starts_with("name") || name.starts_with("filename") {
                    true => Place::FileName,
                    false => Place::Value,
                }
            }
            (place, _) => place,
        };
    }
    bare
}

/// Where in a field [`without_comments`] is.
#[derive(Clone, Copy)]
enum Place {
    /// Before `=`; also the value before the first `;`.
    Name { begins: usize },
    /// After `=`, nothing of the value was met.
    Equals { begins: usize },
    /// In a value, or after one that was quoted.
    Value,
    /// In the unquoted value of a parameter that names a file.
    FileName,
    /// In a quoted-string.
    Quoted { escaped: bool },
}

/// Octets of the comment that the text begins with; comments nest. `None` when it is not closed.
fn comment_octets(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Takes the text up to a `;` and the `;`.
fn until_semicolon<'a>(rest: &mut &'a str) -> &'a str {
    let (taken, after) = rest.split_once(';').unwrap_or((rest, ""));
    *rest = after;
    taken
}

/// Takes one `name=value` and its `;`. `None` for anything else, taken as well.
fn parameter<'a>(rest: &mut &'a str) -> Option<(&'a str, String)> {
    let Some(equals) = rest.find(['=', ';']) else {
        *rest = "";
        return None;
    };
    if !rest.get(equals..)?.starts_with('=') {
        until_semicolon(rest);
        return None;
    }
    let (name, after) = rest.split_at_checked(equals)?;
    *rest = after.get(1..)?.trim_start();
    let value = match rest.strip_prefix('"') {
        Some(inside) => {
            let (value, after) = quoted(inside);
            *rest = after;
            until_semicolon(rest);
            value
        }
        None => token(until_semicolon(rest)).to_owned(),
    };
    Some((name.trim(), value))
}

/// A value without quotes. One with spaces is taken whole, since it is sent so; a comment at its end is not (RFC 2045 §5.1).
fn token(text: &str) -> &str {
    let text = text.trim();
    let (before, last) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let last = last.trim_start();
    if last.starts_with('(') && last.ends_with(')') { before } else { text }
}

/// The inside of a quoted-string whose opening quote is gone, and what follows it.
fn quoted(inside: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

/// Parameters by name, their segments not joined yet.
#[derive(Default)]
struct Gathered {
    order: Vec<String>,
    plain: BTreeMap<String, String>,
    segments: BTreeMap<String, BTreeMap<u32, Segment>>,
}

/// One of `name*0`, `name*1*`, …
struct Segment {
    text: String,
    is_encoded: bool,
}

impl Gathered {
    fn add(&mut self, name: &str, text: String) {
        let name = name.to_ascii_lowercase();
        let (base, number, is_encoded) = match name.split_once('*') {
            None => (name.as_str(), None, false),
            Some((base, "")) => (base, Some(0), true),
            Some((base, suffix)) => match suffix.strip_suffix('*') {
                Some(number) => (base, number.parse().ok(), true),
                None => (base, suffix.parse().ok(), false),
            },
        };
        if base.is_empty() || (name.contains('*') && number.is_none()) {
            return;
        }
        let known = self.plain.contains_key(base) || self.segments.contains_key(base);
        if !known {
            if self.order.len() >= PARAMETERS_MAX {
                return;
            }
            self.order.push(base.to_owned());
        }
        match number {
            None => {
                self.plain.entry(base.to_owned()).or_insert(text);
            }
            Some(number) => {
                let segments = self.segments.entry(base.to_owned()).or_default();
                if segments.len() < SEGMENTS_MAX {
                    segments.entry(number).or_insert(Segment { text, is_encoded });
                }
            }
        }
    }

    fn finish(mut self) -> Vec<Parameter> {
        let order = std::mem::take(&mut self.order);
        order
            .into_iter()
            .filter_map(|name| {
                // The extended form says more than the plain one beside it (RFC 6266 §4.3 for HTTP; mailers do the same).
                let extended = self.segments.remove(&name).and_then(|segments| join(&segments));
                let value = extended.or_else(|| self.plain.remove(&name))?;
                Some(Parameter { name, value })
            })
            .collect()
    }
}

/// Joins segments 0, 1, … up to the first missing one. The first names the charset (RFC 2231 §4.1).
fn join(segments: &BTreeMap<u32, Segment>) -> Option<String> {
    let first = segments.get(&0)?;
    let mut parts = first.text.splitn(3, '\'');
    let (charset, first_text) = match (first.is_encoded, parts.next(), parts.next(), parts.next()) {
        (true, Some(charset), Some(_language), Some(text)) => (charset, text),
        _ => ("utf-8", first.text.as_str()),
    };
    let mut octets = Vec::new();
    for (expected, (number, segment)) in (0_u32..).zip(segments) {
        if *number != expected {
            break;
        }
        let text = if expected == 0 { first_text } else { segment.text.as_str() };
        match segment.is_encoded {
            true => percent_decode(text.as_bytes(), &mut octets),
            false => octets.extend_from_slice(text.as_bytes()),
        }
    }
    let encoding = super::words::charset_or_utf8(charset);
    let (text, _) = encoding.decode_without_bom_handling(&octets);
    Some(text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect())
}

fn percent_decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let [octet, after @ ..] = rest {
        rest = after;
        match (octet, after) {
            (b'%', [high, low, beyond @ ..]) => match crate::decode::hexadecimal(*high, *low) {
                Some(octet) => {
                    out.push(octet);
                    rest = beyond;
                }
                None => out.push(b'%'),
            },
            (octet, _) => out.push(*octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> String {
        let Parameterised { value, parameters } = parse_parameterised(value);
        parameters.iter().fold(value, |shown, Parameter { name, value }| format!("{shown}|{name}={value}"))
    }

    #[test]
    fn parameters_of_every_kind_are_read() {
        for (value, expected) in [
            ("text/plain", "text/plain"),
            ("Text / HTML; Charset=UTF-8", "text/html|charset=UTF-8"),
            ("text/plain; charset=us-ascii (Plain text)", "text/plain|charset=us-ascii"),
            ("text/plain; charset=utf-8 (a (nested; \\) one)) ; n=1", "text/plain|charset=utf-8|n=1"),
            ("text/plain; charset=utf-8(comment)", "text/plain|charset=utf-8"),
            ("text/plain (x=1; y); (c) charset (d) = (e) \"utf-8\" (f;g); n=1", "text/plain|charset=utf-8|n=1"),
            ("a/b; name=\"x (1).pdf\" (c;d); filename*0=r(1).pdf; n=1", "a/b|name=x (1).pdf|filename=r(1).pdf|n=1"),
            ("a/b; n=1 (open; m=2", "a/b|n=1 (open|m=2"),
            ("a/b; n=\"(\\\"(\"; m=2(c)", "a/b|n=(\"(|m=2"),
            ("a/b; name=\"x;y\\\"z\"; n=1", "a/b|name=x;y\"z|n=1"),
            ("a/b; name=foo (1).pdf; n=1", "a/b|name=foo (1).pdf|n=1"),
            ("attachment; filename*=utf-8'fr'r%C3%A9sultat.pdf", "attachment|filename=résultat.pdf"),
            ("attachment; filename=r.pdf; filename*=iso-8859-1''r%E9.pdf", "attachment|filename=ré.pdf"),
            ("attachment; filename*1=b.pdf; filename*0=a", "attachment|filename=ab.pdf"),
            ("a/b; n*0*=utf-8''%C3; n*1*=%A9; n*2=%41; n*4=x", "a/b|n=é%41"),
            ("a/b; n*1=lost; m=1", "a/b|m=1"),
            ("a/b; n*0*=utf-8''a%0D%0Ab%00", "a/b|n=a  b "),
            ("a/b; n=1; N=2", "a/b|n=1"),
            ("a/b;; ; x; =y; n=", "a/b|n="),
            ("a/b; n*x=1; n*0*=no quotes%20here", "a/b|n=no quotes here"),
            ("", ""),
            ("a/b; n=1; cut sho", "a/b|n=1"),
            ("a/b; n=\"open", "a/b|n=open"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn segment_bombs_take_linear_time() {
        let segments: String = (0..100_000).map(|number| format!("; n*{number}=x")).collect();
        let parsed = parse_parameterised(&format!("a/b{segments}"));
        assert_eq!(parsed.parameters.first().map(|parameter| parameter.value.len()), Some(SEGMENTS_MAX));
        let names: String = (0..100_000).map(|number| format!("; n{number}=x")).collect();
        assert_eq!(parse_parameterised(&format!("a/b{names}")).parameters.len(), PARAMETERS_MAX);
        assert_eq!(parse_parameterised(&format!("a/b; n=1{}", "(".repeat(200_000))).parameters.len(), 1);
        assert_eq!(shown(&format!("a/b; n=1{}; m=2", "()".repeat(100_000))), "a/b|n=1|m=2");
    }
}
