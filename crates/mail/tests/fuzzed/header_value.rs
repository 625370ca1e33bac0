//! Values of header fields.

use mail::Address;
use mail::header::{self, AddressListItem, NamedAddress};

/// A header value: every reader gives something bounded, and nothing decoded can end a line when printed again.
pub fn header_value(octets: &[u8]) {
    let value = header::unfold(octets);
    assert!(!value.contains(['\r', '\n', '\0']));
    let text = header::decode_words(&value);
    assert!(!text.contains(['\r', '\n', '\0']));
    assert!(text.len() <= 4 * value.len(), "words that grow");
    addresses(&value);
    parameters(&value);
    let ids = header::message_ids(&value, 100);
    assert!(ids.len() <= 100 && ids.iter().all(|id| !id.is_empty() && value.len() >= id.len()));
    let base = header::base_subject(&text);
    assert_eq!(header::base_subject(&base.text).text, base.text);
    if let Some(date) = header::DateTime::parse(&value) {
        assert_eq!(header::DateTime::parse(&date.to_string()), Some(date));
    }
    let printed = header::unstructured_field("Subject", &text);
    one_clean_field(&printed);
    let again = header::decode_words(&header::unfold(field_value(&printed)));
    assert_eq!(words(&again), words(&text));
}

/// Each valid address prints and reads back, alone and with the name it came with.
fn addresses(value: &str) {
    let list = header::parse_addresses(value, 100);
    assert!(list.len() <= 101);
    let mut depth = 0;
    for item in &list {
        match item {
            AddressListItem::GroupStart(_) => depth += 1,
            AddressListItem::GroupEnd => depth -= 1,
            AddressListItem::Mailbox(named) => mailbox(named),
        }
        assert!((0..=1).contains(&depth), "groups do not pair: {list:?}");
    }
    assert_eq!(depth, 0, "an open group: {list:?}");
}

fn mailbox(named: &NamedAddress) {
    let Some(address) = named.address() else { return };
    assert_eq!(address.to_string().parse::<Address>().as_ref(), Ok(&address));
    let name = named.decoded_name();
    let printed = header::address_field("To", &[(name.as_deref(), &address)]);
    let value = header::unfold(field_value(&printed));
    assert_eq!(header::fields(printed.as_bytes()).count(), 1);
    let list = header::parse_addresses(&value, 9);
    let [AddressListItem::Mailbox(again)] = list.as_slice() else { panic!("{printed:?} is {list:?}") };
    assert_eq!(again.address(), Some(address), "{printed:?}");
    assert_eq!(words(&again.decoded_name().unwrap_or_default()), words(&name.unwrap_or_default()), "{printed:?}");
}

fn parameters(value: &str) {
    let parsed = header::parse_parameterised(value);
    assert!(parsed.parameters.len() <= header::parameters::PARAMETERS_MAX);
    for parameter in &parsed.parameters {
        assert!(parameter.value.len() <= 4 * value.len(), "a value that grows");
        let (name, printed) = header::ascii_parameter("name", &parameter.value);
        assert!(printed.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\t')));
        if name == "name*" {
            let again = header::parse_parameterised(&format!("text/plain; {name}={printed}"));
            let clean: String = parameter.value.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
            assert_eq!(again.parameters.first().map(|again| &again.value), Some(&clean));
        }
    }
}

fn one_clean_field(printed: &str) {
    assert_eq!(header::fields(printed.as_bytes()).count(), 1);
    assert!(printed.is_ascii() && !printed.trim_end().replace("\r\n", "").contains(['\r', '\n', '\0']));
    assert!(printed.lines().all(|line| line.len() <= 998));
}

fn field_value(printed: &str) -> &[u8] {
    header::fields(printed.as_bytes()).next().expect("a field").value
}

/// White space and controls are not kept apart.
fn words(text: &str) -> Vec<&str> {
    text.split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect()
}
