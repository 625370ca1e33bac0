//! The XML of the white list.
//!
//! Text is what canonical XML makes of it (comments count for nothing, CDATA is text), so that what a signature covers is
//! what is read here; what stands inside the `Signature` element, which an enveloped signature does not cover, is passed over.

use mail::Domain;
use quick_xml::NsReader;
use quick_xml::events::{BytesDecl, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::{
    DEPTH_MAX, ENTRIES_MAX, FAULTS_MAX, Fault, FaultReason, NAMESPACE, OCTETS_MAX, Parsed, TEXT_OCTETS_MAX, WhiteList,
    WhiteListError,
};
use crate::dn::Dn;
use crate::timestamp;

pub(super) fn parse(xml: &[u8]) -> Result<Parsed, WhiteListError> {
    if xml.len() > OCTETS_MAX {
        return Err(WhiteListError::TooLarge);
    }
    let text = std::str::from_utf8(xml).map_err(|error| {
        let before = xml.get(..error.valid_up_to()).unwrap_or_default();
        WhiteListError::Malformed { line: 1 + newlines(before), reason: "not UTF-8".to_owned() }
    })?;
    let mut document = Document::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut found = Found::default();
    document.root(&mut found)?;
    let mut list = found.list;
    list.generated = found.generated.ok_or(WhiteListError::Generated)?;
    if list.domains.is_empty() {
        return Err(WhiteListError::Empty);
    }
    Ok(Parsed { list, faults: found.faults, faulty: found.faulty, repeated: found.repeated })
}

fn newlines(octets: &[u8]) -> usize {
    octets.iter().filter(|octet| **octet == b'\n').count()
}

#[derive(Default)]
struct Found {
    generated: Option<i64>,
    list: WhiteList,
    lists: usize,
    entries: usize,
    faults: Vec<Fault>,
    faulty: usize,
    repeated: usize,
}

impl Found {
    fn fault(&mut self, fault: Fault) {
        self.faulty += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

/// The elements we know; anything else is passed over with what is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Root,
    Generated,
    Domains,
    Domain,
    Name,
    Dn,
    Other,
}

enum Item {
    Open(Element),
    Close,
    Text(String),
    End,
}

struct Document<'x> {
    text: &'x str,
    reader: NsReader<&'x [u8]>,
    depth: usize,
    /// Octets up to which lines are counted.
    counted: usize,
    line: usize,
}

impl<'x> Document<'x> {
    fn new(text: &'x str) -> Document<'x> {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Document { text, reader, depth: 0, counted: 0, line: 1 }
    }

    fn malformed(&self, reason: impl ToString) -> WhiteListError {
        let reason = reason.to_string().chars().take(200).collect();
        WhiteListError::Malformed { line: self.line, reason }
    }

    /// What comes next, comments and instructions aside.
    fn next(&mut self) -> Result<Item, WhiteListError> {
        loop {
            self.count_lines();
            let line = self.line;
            let event = self.reader.read_resolved_event();
            let (namespace, event) = match event {
                Ok(read) => read,
                Err(error) => {
                    let reason = error.to_string();
                    return Err(self.malformed(reason));
                }
            };
            match event {
                Event::Start(start) => {
                    let element = element(&namespace, start.local_name().as_ref());
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(WhiteListError::TooDeep { line });
                    }
                    return Ok(Item::Open(element));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Item::Close);
                }
                Event::Text(text) => return Ok(Item::Text(text.xml10_content().into_owned())),
                Event::CData(text) => return Ok(Item::Text(text.xml10_content().into_owned())),
                Event::GeneralRef(reference) => {
                    let character = character(&reference).ok_or(WhiteListError::Entity { line })?;
                    return Ok(Item::Text(character.to_string()));
                }
                Event::DocType(_) => return Err(WhiteListError::DocumentType { line }),
                Event::Eof if self.depth > 1 => return Err(self.malformed("the file ends within an element")),
                Event::Eof => return Ok(Item::End),
                // Another encoding would be another text to who verifies the signature than to us.
                Event::Decl(declaration) if !is_plain(&declaration) => {
                    return Err(self.malformed("the declaration is not that of XML 1.0 in UTF-8"));
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => {}
            }
        }
    }

    fn count_lines(&mut self) {
        let position = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        let read = self.text.as_bytes().get(self.counted..position).unwrap_or_default();
        self.line += newlines(read);
        self.counted = self.counted.max(position);
    }

    fn root(&mut self, found: &mut Found) -> Result<(), WhiteListError> {
        let stranger = WhiteListError::NotAWhiteList("the root is not ListeBlancheMSSante of its namespace");
        loop {
            match self.next()? {
                Item::Text(text) if text.trim().is_empty() => {}
                Item::Open(Element::Root) => break,
                Item::Open(_) | Item::End => return Err(stranger),
                Item::Text(_) | Item::Close => return Err(self.malformed("a text before the root")),
            }
        }
        loop {
            match self.next()? {
                Item::Open(Element::Generated) => {
                    if found.generated.is_some() {
                        return Err(WhiteListError::Generated);
                    }
                    let text = self.text_within()?.unwrap_or_default();
                    found.generated = Some(timestamp::from_rfc3339(text.trim()).ok_or(WhiteListError::Generated)?);
                }
                Item::Open(Element::Domains) => {
                    found.lists += 1;
                    if found.lists > 1 {
                        return Err(WhiteListError::NotAWhiteList("there are two ListeDomaines"));
                    }
                    self.domains(found)?;
                }
                Item::Open(_) => self.pass_over()?,
                Item::Text(_) => {}
                Item::Close => break,
                // So ends the copy the agency published in March 2025. A signed list cannot: the verifier refuses it.
                Item::End if found.lists == 1 => {
                    found.fault(Fault { line: self.line, name: None, reason: FaultReason::RootOpen });
                    return Ok(());
                }
                Item::End => return Err(self.malformed("the file ends within an element")),
            }
        }
        match self.next()? {
            Item::End => Ok(()),
            Item::Text(text) if text.trim().is_empty() => match self.next()? {
                Item::End => Ok(()),
                _ => Err(self.malformed("something follows the root")),
            },
            _ => Err(self.malformed("something follows the root")),
        }
    }

    fn domains(&mut self, found: &mut Found) -> Result<(), WhiteListError> {
        loop {
            match self.next()? {
                Item::Open(Element::Domain) => {
                    found.entries += 1;
                    if found.entries > ENTRIES_MAX {
                        return Err(WhiteListError::TooManyEntries);
                    }
                    self.entry(found)?;
                }
                Item::Open(_) => self.pass_over()?,
                Item::Text(_) => {}
                Item::Close | Item::End => return Ok(()),
            }
        }
    }

    fn entry(&mut self, found: &mut Found) -> Result<(), WhiteListError> {
        let line = self.line;
        let (mut name, mut dn) = (Field::Missing, Field::Missing);
        loop {
            match self.next()? {
                Item::Open(Element::Name) => name.fill(self.text_within()?),
                Item::Open(Element::Dn) => dn.fill(self.text_within()?),
                Item::Open(_) => self.pass_over()?,
                Item::Text(_) => {}
                Item::Close | Item::End => break,
            }
        }
        let shown = if let Field::Once(text) = &name { Some(text.trim().to_owned()) } else { None };
        match read(name, dn) {
            Ok((domain, dn)) => found.repeated += usize::from(!found.list.insert(domain, dn)),
            Err(reason) => found.fault(Fault { line, name: shown, reason }),
        }
        Ok(())
    }

    /// The text up to the end of the element; none when there is too much of it, or elements within.
    fn text_within(&mut self) -> Result<Option<String>, WhiteListError> {
        let mut text = Some(String::new());
        loop {
            match self.next()? {
                Item::Text(more) => {
                    text = text.filter(|text| text.len() + more.len() <= TEXT_OCTETS_MAX).map(|text| text + &more);
                }
                Item::Open(_) => {
                    text = None;
                    self.pass_over()?;
                }
                Item::Close | Item::End => return Ok(text),
            }
        }
    }

    /// Up to the end of the element, whatever is in it.
    fn pass_over(&mut self) -> Result<(), WhiteListError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }
}

fn element(namespace: &ResolveResult<'_>, local_name: &str) -> Element {
    if *namespace != ResolveResult::Bound(Namespace(NAMESPACE)) {
        return Element::Other;
    }
    match local_name {
        "ListeBlancheMSSante" => Element::Root,
        "DateDeGeneration" => Element::Generated,
        "ListeDomaines" => Element::Domains,
        "Domaine" => Element::Domain,
        "Nom" => Element::Name,
        "DNCertificatOperateur" => Element::Dn,
        _ => Element::Other,
    }
}

fn is_plain(declaration: &BytesDecl<'_>) -> bool {
    let version = declaration.version().is_ok_and(|version| *version == *"1.0");
    let encoding = match declaration.encoding() {
        None => true,
        Some(encoding) => encoding.is_ok_and(|encoding| encoding.eq_ignore_ascii_case("UTF-8")),
    };
    version && encoding
}

/// The five entities of XML, and characters by number (XML 1.0 §4.1, §4.6).
fn character(reference: &str) -> Option<char> {
    let number = match reference {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        other => other.strip_prefix('#')?,
    };
    let code = match number.strip_prefix('x') {
        Some(digits) if digits.len() <= 8 => u32::from_str_radix(digits, 16).ok()?,
        None if number.len() <= 8 => number.parse().ok()?,
        _ => return None,
    };
    let character = char::from_u32(code)?;
    let allowed =
        matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    allowed.then_some(character)
}

enum Field {
    Missing,
    Once(String),
    TooLong,
    Twice,
}

impl Field {
    fn fill(&mut self, text: Option<String>) {
        *self = match (&self, text) {
            (Field::Missing, Some(text)) => Field::Once(text),
            (Field::Missing, None) => Field::TooLong,
            _ => Field::Twice,
        };
    }

    fn text(self, name: &'static str) -> Result<String, FaultReason> {
        match self {
            Field::Once(text) => Ok(text),
            Field::Missing => Err(FaultReason::Missing(name)),
            Field::Twice => Err(FaultReason::Twice(name)),
            Field::TooLong => Err(FaultReason::TooLong),
        }
    }
}

fn read(name: Field, dn: Field) -> Result<(Domain, Dn), FaultReason> {
    let domain: Domain = name.text("Nom")?.trim().parse()?;
    let dn: Dn = dn.text("DNCertificatOperateur")?.trim().parse()?;
    Ok((domain, dn))
}
