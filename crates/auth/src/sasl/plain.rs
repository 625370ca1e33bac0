//! `PLAIN` (RFC 4616): `[authzid] NUL authcid NUL passwd`, in one response.

use super::{FIELD_OCTETS_MAX, Failure, Question, Secret};

/// Reads the one message of the mechanism (RFC 4616 §2).
///
/// An authorisation identity equal to the login names nobody else: several clients always send it.
pub(super) fn question(message: &[u8]) -> Result<Question, Failure> {
    let text = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
    let mut fields = text.split('\0');
    let (Some(acting_for), Some(login), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Failure::Malformed);
    };
    let too_long = [acting_for, login, password].iter().any(|field| field.len() > FIELD_OCTETS_MAX);
    // authcid and passwd are `1*SAFE`.
    if too_long || login.is_empty() || password.is_empty() {
        return Err(Failure::Malformed);
    }
    Ok(Question::Password {
        login: login.to_owned(),
        acting_for: (!acting_for.is_empty() && acting_for != login).then(|| acting_for.to_owned()),
        password: Secret::new(password.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_login_password_and_the_box_acted_for() {
        for (message, acting_for) in [
            (&b"\0ann@a.example\0pencil"[..], None),
            (b"ann@a.example\0ann@a.example\0pencil", None),
            (b"ward@a.example\0ann@a.example\0pencil", Some("ward@a.example".to_owned())),
        ] {
            let login = "ann@a.example".to_owned();
            let password = Secret::new("pencil".into());
            assert_eq!(question(message), Ok(Question::Password { login, acting_for, password }));
        }
    }

    #[test]
    fn other_shapes_are_malformed() {
        let long = [b"\0ann\0".as_slice(), &[b'x'; FIELD_OCTETS_MAX + 1]].concat();
        let messages: [&[u8]; 8] =
            [b"", b"ann", b"ann\0pw", b"\0\0pw", b"\0ann\0", b"\0ann\0pw\0", b"\0ann\0p\xff", &long];
        for message in messages {
            assert_eq!(question(message), Err(Failure::Malformed), "{message:?}");
        }
    }
}
