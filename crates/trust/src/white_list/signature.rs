//! What the signature of a list claims, and whether it claims enough (XML Signature, W3C 2013).
//!
//! A signature that verifies may still cover another element, another version of the text, or nothing. So its form is
//! fixed here, before anyone computes: one `Signature`, a child of the root, one `Reference` to the whole document,
//! the enveloped-signature transform and at most one canonicalization, algorithms of a short list. The computation itself
//! is left to a verifier that is given exactly the key found here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::{DEPTH_MAX, OCTETS_MAX};

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

const CANONICALIZATIONS: &[&str] =
    &["http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2006/12/xml-c14n11", EXCLUSIVE];
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const SIGNATURES: &[&str] = &[
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
];
const DIGESTS: &[&str] = &[
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];

/// Elements of a signature; a real one has about 20.
const ELEMENTS_MAX: usize = 200;
/// Octets of text in an element of it: a certificate.
const TEXT_OCTETS_MAX: usize = 64 << 10;
/// Certificates in it.
const CERTIFICATES_MAX: usize = 10;

/// What a list claims about who signed it. Nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The certificates of its `KeyInfo`, DER, in the order written.
    pub certificates: Vec<Vec<u8>>,
}

/// Why a signature cannot be enough.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// There is none.
    #[error("the list is not signed")]
    Unsigned,
    /// There are several, or it stands elsewhere than below the root.
    #[error("the list has a Signature that is not the only one, or not a child of the root")]
    Place,
    /// Not well-formed, or beyond the bounds.
    #[error("the signature cannot be read: {0}")]
    Malformed(&'static str),
    /// An element is missing, or there too often, or should not be there.
    #[error("the signature is not of the form required: {0}")]
    Form(&'static str),
    /// An algorithm that is not on our list; SHA-1 is not.
    #[error("the signature uses {0}, which is not accepted")]
    Algorithm(String),
}

/// Reads what a list claims.
///
/// # Errors
/// It is not signed, or in a form that could mislead.
pub fn claim(xml: &[u8]) -> Result<Claim, ClaimError> {
    if xml.len() > OCTETS_MAX {
        return Err(ClaimError::Malformed("too large"));
    }
    let text = std::str::from_utf8(xml).map_err(|_| ClaimError::Malformed("not UTF-8"))?;
    let signature = find(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    signature.only_children(&["SignedInfo", "SignatureValue", "KeyInfo"])?;
    signature.one("SignatureValue")?;
    let signed_info = signature.one("SignedInfo")?;
    signed_info.only_children(&["CanonicalizationMethod", "SignatureMethod", "Reference"])?;
    signed_info.one("CanonicalizationMethod")?.algorithm(CANONICALIZATIONS)?;
    signed_info.one("SignatureMethod")?.algorithm(SIGNATURES)?;
    let reference = signed_info.one("Reference")?;
    // Present and empty: the document itself. Absent would leave it to the application.
    if reference.attribute("URI") != Some("") {
        return Err(ClaimError::Form("the Reference is not to the whole document (URI=\"\")"));
    }
    reference.only_children(&["Transforms", "DigestMethod", "DigestValue"])?;
    reference.one("DigestMethod")?.algorithm(DIGESTS)?;
    reference.one("DigestValue")?;
    let transforms = reference.one("Transforms")?;
    transforms.only_children(&["Transform"])?;
    match transforms.children.as_slice() {
        [first] => first.algorithm(&[ENVELOPED])?,
        [first, second] => {
            first.algorithm(&[ENVELOPED])?;
            second.algorithm(CANONICALIZATIONS)?;
        }
        _ => {
            return Err(ClaimError::Form(
                "the transforms are not enveloped-signature and at most one canonicalization",
            ));
        }
    }
    let key_info = signature.one("KeyInfo")?;
    // The others are ignored by the verifier, which is told to; a RetrievalMethod would make it look elsewhere.
    key_info.only_children(&["X509Data", "KeyName", "KeyValue"])?;
    let mut certificates = Vec::new();
    for data in key_info.children.iter().filter(|child| child.name == "X509Data") {
        for certificate in data.children.iter().filter(|child| child.is_dsig && child.name == "X509Certificate") {
            let base64: String = certificate.text.split_ascii_whitespace().collect();
            let der = STANDARD.decode(base64).map_err(|_| ClaimError::Malformed("a certificate"))?;
            certificates.push(der);
        }
    }
    match certificates.len() {
        0 => Err(ClaimError::Form("KeyInfo holds no certificate")),
        1..=CERTIFICATES_MAX => Ok(Claim { certificates }),
        _ => Err(ClaimError::Form("KeyInfo holds too many certificates")),
    }
}

/// An element of the signature.
#[derive(Debug, Default)]
struct Node {
    is_dsig: bool,
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Node>,
}

impl Node {
    /// The only child of this name.
    fn one(&self, name: &'static str) -> Result<&Node, ClaimError> {
        let mut found = self.children.iter().filter(|child| child.is_dsig && child.name == name);
        match (found.next(), found.next()) {
            (Some(child), None) => Ok(child),
            _ => Err(ClaimError::Form(name)),
        }
    }

    fn only_children(&self, names: &[&'static str]) -> Result<(), ClaimError> {
        let known = |child: &Node| child.is_dsig && names.contains(&child.name.as_str());
        if self.children.iter().all(known) {
            Ok(())
        } else {
            Err(ClaimError::Form("an element that does not belong there"))
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Its algorithm is one of these, without parameters but the prefixes of exclusive canonicalization.
    fn algorithm(&self, accepted: &[&str]) -> Result<(), ClaimError> {
        let algorithm = self.attribute("Algorithm").unwrap_or_default();
        if !accepted.contains(&algorithm) {
            return Err(ClaimError::Algorithm(algorithm.chars().take(100).collect()));
        }
        let parameters_are_fine = match self.children.as_slice() {
            [] => true,
            [only] => algorithm == EXCLUSIVE && !only.is_dsig && only.name == "InclusiveNamespaces",
            _ => false,
        };
        if parameters_are_fine { Ok(()) } else { Err(ClaimError::Form("an algorithm has parameters")) }
    }
}

/// The one Signature of a document, a child of its root.
fn find(text: &str) -> Result<Node, ClaimError> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut depth = 0_usize;
    let mut found = None;
    loop {
        let (namespace, event) =
            reader.read_resolved_event().map_err(|_| ClaimError::Malformed("the list is not well-formed"))?;
        match event {
            Event::Start(start) => {
                let is_dsig = namespace == ResolveResult::Bound(Namespace(DSIG));
                if is_dsig && start.local_name().as_ref() == "Signature" {
                    if depth != 1 || found.is_some() {
                        return Err(ClaimError::Place);
                    }
                    let root = node(is_dsig, &start)?;
                    found = Some(tree(&mut reader, root)?);
                    continue;
                }
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(ClaimError::Malformed("elements are nested too deeply"));
                }
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::DocType(_) => return Err(ClaimError::Malformed("the list has a document type")),
            Event::Eof => return found.ok_or(ClaimError::Unsigned),
            _ => {}
        }
    }
}

/// What is inside the element that just began, up to its end.
fn tree(reader: &mut NsReader<&[u8]>, root: Node) -> Result<Node, ClaimError> {
    let mut open = vec![root];
    let mut elements = 0;
    loop {
        let (namespace, event) =
            reader.read_resolved_event().map_err(|_| ClaimError::Malformed("it is not well-formed"))?;
        match event {
            Event::Start(start) => {
                let is_dsig = namespace == ResolveResult::Bound(Namespace(DSIG));
                if is_dsig && start.local_name().as_ref() == "Signature" {
                    return Err(ClaimError::Place);
                }
                elements += 1;
                if elements > ELEMENTS_MAX || open.len() > DEPTH_MAX {
                    return Err(ClaimError::Malformed("it has too many elements"));
                }
                open.push(node(is_dsig, &start)?);
            }
            Event::End(_) => {
                let Some(done) = open.pop() else {
                    return Err(ClaimError::Malformed("it is not well-formed"));
                };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Ok(done),
                }
            }
            Event::Text(text) => {
                let Some(within) = open.last_mut() else { continue };
                if within.text.len() + text.len() > TEXT_OCTETS_MAX {
                    return Err(ClaimError::Malformed("it is too large"));
                }
                within.text.push_str(&text);
            }
            // Legal, and in no honest signature: what they make of base64 and of names is not worth knowing.
            Event::CData(_) | Event::GeneralRef(_) | Event::PI(_) | Event::DocType(_) => {
                return Err(ClaimError::Malformed("it holds CDATA, references or instructions"));
            }
            Event::Comment(_) | Event::Decl(_) | Event::Empty(_) => {}
            Event::Eof => return Err(ClaimError::Malformed("it has no end")),
        }
    }
}

fn node(is_dsig: bool, start: &BytesStart<'_>) -> Result<Node, ClaimError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| ClaimError::Malformed("an attribute"))?;
        let (key, value) = (attribute.key.as_ref().to_owned(), attribute.value.to_string());
        if value.contains('&') && !key.starts_with("xmlns") {
            return Err(ClaimError::Malformed("an attribute holds a reference"));
        }
        attributes.push((key, value));
    }
    let name = start.local_name().as_ref().to_owned();
    Ok(Node { is_dsig, name, attributes, text: String::new(), children: Vec::new() })
}
