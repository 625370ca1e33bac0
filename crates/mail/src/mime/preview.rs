//! The first characters of a message's text (RFC 8970).

use super::{Part, TransferEncoding};
use crate::decode::{HtmlText, TextDecoder};

/// Characters in a preview (RFC 8970 §3.1 advises 200).
pub const PREVIEW_CHARACTERS: usize = 200;

/// Octets of a body looked at for a preview: HTML may open with a long style sheet.
const PREVIEW_OCTETS_MAX: usize = 128 * 1024;

/// The previews of a message: of its first text/plain, and of its first text/html, which serves where there is no other.
#[derive(Debug, Default)]
pub(super) struct Previews {
    plain: Preview,
    html: Preview,
}

/// Which preview a body feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampled {
    No,
    Plain,
    Html,
}

/// A preview not begun, being gathered, or gathered.
#[derive(Debug, Default)]
enum Preview {
    #[default]
    None,
    Gathering(Box<Sampler>),
    Done(String),
}

impl Previews {
    /// The body of a part begins: the first text of each kind that is no attachment gives the preview.
    pub(super) fn begin(&mut self, part: &Part) -> Sampled {
        let is_attachment = part.disposition.as_ref().is_some_and(|disposition| disposition.kind == "attachment");
        let charset = part.parameter("charset");
        match part.subtype.as_str() {
            _ if part.media_type != "text" || is_attachment => Sampled::No,
            "plain" if matches!(self.plain, Preview::None) => {
                self.plain = Preview::Gathering(Box::new(Sampler::plain(&part.encoding, charset)));
                Sampled::Plain
            }
            "html" if matches!(self.html, Preview::None) => {
                self.html = Preview::Gathering(Box::new(Sampler::html(&part.encoding, charset)));
                Sampled::Html
            }
            _ => Sampled::No,
        }
    }

    pub(super) fn feed(&mut self, sampled: Sampled, octets: &[u8]) {
        if let Some(Preview::Gathering(sampler)) = self.of(sampled) {
            sampler.feed(octets);
        }
    }

    /// The body is whole.
    pub(super) fn end(&mut self, sampled: Sampled) {
        if let Some(preview) = self.of(sampled)
            && let Preview::Gathering(sampler) = std::mem::take(preview)
        {
            *preview = Preview::Done(sampler.finish());
        }
    }

    /// The preview of the message; every body is whole.
    pub(super) fn finish(self) -> String {
        let texts = [self.plain, self.html].into_iter().filter_map(|preview| match preview {
            Preview::Done(text) if !text.is_empty() => Some(text),
            _ => None,
        });
        texts.into_iter().next().unwrap_or_default()
    }

    fn of(&mut self, sampled: Sampled) -> Option<&mut Preview> {
        match sampled {
            Sampled::No => None,
            Sampled::Plain => Some(&mut self.plain),
            Sampled::Html => Some(&mut self.html),
        }
    }
}

/// Gathers the preview of one text part.
#[derive(Debug)]
pub(super) struct Sampler {
    decoder: TextDecoder,
    octets_left: usize,
    is_html: bool,
    html: HtmlText,
    decoded: String,
    text: Gathered,
}

/// The text so far: white space folded, controls gone.
#[derive(Debug, Default)]
struct Gathered {
    text: String,
    characters: usize,
    space_pending: bool,
}

impl Sampler {
    pub(super) fn plain(encoding: &TransferEncoding, charset: Option<&str>) -> Sampler {
        Sampler {
            decoder: TextDecoder::new(encoding, charset),
            octets_left: PREVIEW_OCTETS_MAX,
            is_html: false,
            html: HtmlText::default(),
            decoded: String::new(),
            text: Gathered::default(),
        }
    }

    pub(super) fn html(encoding: &TransferEncoding, charset: Option<&str>) -> Sampler {
        Sampler { is_html: true, ..Sampler::plain(encoding, charset) }
    }

    pub(super) fn feed(&mut self, octets: &[u8]) {
        let mut rest = octets.get(..self.octets_left.min(octets.len())).unwrap_or_default();
        self.octets_left -= rest.len();
        while !rest.is_empty() && !self.text.is_full() {
            let (piece, after) = rest.split_at(rest.len().min(PIECE_OCTETS));
            rest = after;
            self.decoded.clear();
            self.decoder.feed(piece, &mut self.decoded);
            self.take();
        }
    }

    pub(super) fn finish(mut self) -> String {
        if !self.text.is_full() {
            self.decoded.clear();
            self.decoder.finish(&mut self.decoded);
            self.take();
            self.html.finish(&mut |character| self.text.push(character));
        }
        self.text.text
    }

    fn take(&mut self) {
        for character in self.decoded.chars() {
            match self.is_html {
                true => self.html.push(character, &mut |character| self.text.push(character)),
                false => self.text.push(character),
            }
        }
    }
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.characters >= PREVIEW_CHARACTERS
    }

    fn push(&mut self, character: char) {
        if self.is_full() {
            return;
        }
        // Invisible fillers that newsletters put after their hidden first line, and the byte order mark.
        let is_filler = matches!(character, '\u{200b}'..='\u{200f}' | '\u{34f}' | '\u{feff}' | '\u{ad}');
        if character.is_whitespace() || character.is_control() {
            self.space_pending = !self.text.is_empty();
        } else if !is_filler {
            if std::mem::take(&mut self.space_pending) {
                self.text.push(' ');
                self.characters += 1;
            }
            if !self.is_full() {
                self.text.push(character);
                self.characters += 1;
            }
        }
    }
}

const PIECE_OCTETS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str, size: usize) -> String {
        let mut sampler = Sampler::html(&TransferEncoding::EightBit, Some("utf-8"));
        text.as_bytes().chunks(size).for_each(|chunk| sampler.feed(chunk));
        sampler.finish()
    }

    #[test]
    fn html_becomes_text() {
        for (page, text) in [
            (
                "<p>Bonjour <b>Do</b>cteur,</p><p>R&eacute;sultat &#233; &#xe9;&nbsp;!</p>",
                "Bonjour Docteur, Résultat é é !",
            ),
            ("<html><head><title>x</title><style>p > a { }</style></head><body>a<br>b", "a b"),
            ("a<!-- <p> -- > x ---->b", "ab"),
            ("a & b &unknown; c&d", "a & b &unknown; c&d"),
            ("<script>if (a<b) {}</script>x", "x"),
            ("1 < 2 <3", "1 < 2 <3"),
            ("<p", ""),
        ] {
            for size in 1..=page.len() {
                assert_eq!(html(page, size), text, "{page} in {size}");
            }
        }
    }

    #[test]
    fn text_is_folded_and_cut() {
        let mut sampler = Sampler::plain(&TransferEncoding::SevenBit, None);
        sampler.feed(format!("\r\n\r\n a \t b\r\n{}", "é".repeat(500)).as_bytes());
        let preview = sampler.finish();
        assert!(preview.starts_with("a b é"));
        assert_eq!(preview.chars().count(), PREVIEW_CHARACTERS);
    }
}
