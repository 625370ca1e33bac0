//! Distinguished names, compared as the trust space needs it.
//!
//! The white list and certificates spell the same name in many ways: other order, other case, quotes, blanks inside and
//! at the ends, text types of ASN.1. Two [`Dn`] are equal when their attributes are the same multiset of type and value,
//! each value prepared as RFC 4518 says for `caseIgnoreMatch`. Nothing else is forgiven: never is one attribute enough.

mod attribute;
mod der;
mod text;
mod value;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

pub use attribute::AttributeType;
pub use value::Value;

/// A distinguished name (RFC 4514, X.501). Cheap to clone. Equality, order and hash are those of the normal form;
/// `Display` keeps the spelling it was read in.
#[derive(Clone)]
pub struct Dn(Arc<Parts>);

struct Parts {
    /// As read, in the order of RFC 4514: the most significant last.
    written: Vec<Rdn>,
    /// All attributes, prepared and sorted.
    normal: Vec<(AttributeType, Value)>,
}

/// A relative distinguished name: usually one attribute, several when joined by `+`.
pub type Rdn = Vec<(AttributeType, Value)>;

/// Why something is no distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnError {
    /// No attribute at all: such a name would name anybody.
    #[error("the name is empty")]
    Empty,
    /// More than [`Dn::OCTETS_MAX`] octets.
    #[error("the name has more than {max} octets", max = Dn::OCTETS_MAX)]
    TooLong,
    /// More than [`Dn::ATTRIBUTES_MAX`] attributes.
    #[error("the name has more than {max} attributes", max = Dn::ATTRIBUTES_MAX)]
    TooManyAttributes,
    /// Neither a short name we know nor an OID.
    #[error("\"{0}\" is no attribute type")]
    AttributeType(String),
    /// No `=` after an attribute type.
    #[error("an attribute has no value")]
    NoValue,
    /// Quotes without end, a text after them, an escape that is none, octets that are no UTF-8.
    #[error("a value is not written as RFC 4514 has it")]
    Value,
    /// A control character in a value: never in an honest name.
    #[error("a value holds a control character")]
    Control,
    /// Not the DER of a name, or a text of it is not what its type promises.
    #[error("the name is not valid DER")]
    Der,
}

impl Dn {
    /// Octets of a name, written or encoded; real ones have under 200.
    pub const OCTETS_MAX: usize = 4_096;
    /// Attributes of a name; real ones have five.
    pub const ATTRIBUTES_MAX: usize = 64;

    /// From relative names in the order of RFC 4514: the most significant last.
    fn from_written(written: Vec<Rdn>) -> Result<Dn, DnError> {
        let mut normal = Vec::new();
        for (kind, value) in written.iter().flatten() {
            normal.push((kind.clone(), value.prepared()?));
        }
        match normal.len() {
            0 => return Err(DnError::Empty),
            1..=Dn::ATTRIBUTES_MAX => normal.sort_unstable(),
            _ => return Err(DnError::TooManyAttributes),
        }
        Ok(Dn(Arc::new(Parts { written, normal })))
    }

    /// From the DER of a `Name` (RFC 5280 §4.1.2.4), as `subject` and `issuer` hold it.
    ///
    /// # Errors
    /// Not a name, or one that is empty or beyond the limits.
    pub fn from_der(der: &[u8]) -> Result<Dn, DnError> {
        der::read(der).and_then(Dn::from_written)
    }

    /// The relative names as read, the most significant last.
    pub fn relative_names(&self) -> &[Rdn] {
        &self.0.written
    }

    /// The normal form as a text: equal names have the same, others never. Kept on disk by those who look names up: it must
    /// not change. `oid=value` sorted and joined by commas; in values `\` stands before `,`, `\` and a first `#`, which
    /// else begins the hexadecimal digits of what is no text.
    pub fn normal_form(&self) -> String {
        let mut form = String::new();
        for (kind, value) in &self.0.normal {
            if !form.is_empty() {
                form.push(',');
            }
            form.push_str(kind.oid());
            form.push('=');
            match value {
                Value::Text(text) => {
                    for (place, character) in text.char_indices() {
                        if matches!(character, ',' | '\\') || (place == 0 && character == '#') {
                            form.push('\\');
                        }
                        form.push(character);
                    }
                }
                Value::Der(octets) => {
                    form.push('#');
                    form.extend(octets.iter().map(|octet| format!("{octet:02x}")));
                }
            }
        }
        form
    }

    /// The first common name, as written: for logs and host names, never for a decision.
    pub fn common_name(&self) -> Option<&str> {
        let mut attributes = self.0.written.iter().flatten();
        attributes.find_map(|(kind, value)| if kind.is_common_name() { value.text() } else { None })
    }
}

impl FromStr for Dn {
    type Err = DnError;

    fn from_str(text: &str) -> Result<Dn, DnError> {
        text::read(text).and_then(Dn::from_written)
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(&self.0.written, f)
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dn({self})")
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Dn) -> bool {
        self.0.normal == other.0.normal
    }
}

impl Eq for Dn {}

impl PartialOrd for Dn {
    fn partial_cmp(&self, other: &Dn) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dn {
    fn cmp(&self, other: &Dn) -> Ordering {
        self.0.normal.cmp(&other.0.normal)
    }
}

impl Hash for Dn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.normal.hash(state);
    }
}
