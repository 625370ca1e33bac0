//! Reverse-paths and forward-paths (RFC 5321 §4.1.2).

use mail::{Address, AddressError, ForwardPath, ReversePath};

use crate::limits::PATH_OCTETS_MAX;

/// Why a path is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Over [`PATH_OCTETS_MAX`].
    #[error("over {PATH_OCTETS_MAX} octets")]
    TooLong,
    /// `<>` where a recipient is wanted.
    #[error("empty")]
    Empty,
    /// A source route that is not `@domain,@domain:`.
    #[error("malformed source route")]
    SourceRoute,
    /// Not `local-part@domain`.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// Splits `<path> rest` behind the first `>` outside quotes: (path without brackets, rest). `None` without brackets.
///
/// Quotes are honoured so that `<"a> NOTIFY=NEVER <b"@b.example>` stays one address and brings no parameter.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('<')?;
    let mut quoted = false;
    let mut escaped = false;
    for (at, octet) in inside.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some((inside.get(..at)?, inside.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// Reads a sender.
pub(super) fn reverse(path: &str) -> Result<ReversePath, PathError> {
    match path {
        "" => Ok(ReversePath::Null),
        path => address(path).map(ReversePath::Address),
    }
}

/// Reads a recipient. `Postmaster` without a domain is taken in any case (RFC 5321 §4.1.1.3).
pub(super) fn forward(path: &str) -> Result<ForwardPath, PathError> {
    match path {
        "" => Err(PathError::Empty),
        path if path.eq_ignore_ascii_case("postmaster") => Ok(ForwardPath::Postmaster),
        path => address(path).map(ForwardPath::Address),
    }
}

fn address(path: &str) -> Result<Address, PathError> {
    if path.len() + 2 > PATH_OCTETS_MAX {
        return Err(PathError::TooLong);
    }
    Ok(without_route(path)?.parse()?)
}

/// A source route MUST be accepted and SHOULD be ignored (RFC 5321 §4.1.1.3, appendix C).
fn without_route(path: &str) -> Result<&str, PathError> {
    if !path.starts_with('@') {
        return Ok(path);
    }
    let (route, address) = path.split_once(':').ok_or(PathError::SourceRoute)?;
    let is_hop = |hop: &str| hop.strip_prefix('@').is_some_and(|domain| domain.parse::<mail::Domain>().is_ok());
    match route.split(',').all(is_hop) {
        true => Ok(address),
        false => Err(PathError::SourceRoute),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> Option<String> {
        forward(path).ok().map(|path| path.to_string())
    }

    #[test]
    fn paths_end_at_the_first_bracket_outside_quotes() {
        assert_eq!(split("<a@b> SIZE=1"), Some(("a@b", " SIZE=1")));
        assert_eq!(split("<>"), Some(("", "")));
        assert_eq!(split(r#"<"a> NOTIFY=NEVER <b"@b.fr>"#), Some((r#""a> NOTIFY=NEVER <b"@b.fr"#, "")));
        assert_eq!(split(r#"<"a\">b"@c> X"#), Some((r#""a\">b"@c"#, " X")));
        for bad in ["", "a@b", " <a@b>", "<a@b", "<\"a@b>"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[test]
    fn recipients_are_addresses_or_postmaster() {
        assert_eq!(forward("Postmaster"), Ok(ForwardPath::Postmaster));
        assert_eq!(forward("POSTMASTER"), Ok(ForwardPath::Postmaster));
        assert_eq!(forward(""), Err(PathError::Empty));
        assert_eq!(text("postmaster@B.example").as_deref(), Some("<postmaster@b.example>"));
        assert_eq!(text("@a.example,@b.example:c@d.example").as_deref(), Some("<c@d.example>"));
        assert_eq!(text(r#""x@evil.example"@b.fr"#).as_deref(), Some(r#"<"x@evil.example"@b.fr>"#));
        assert_eq!(text(r#""a> NOTIFY=NEVER <b"@b.fr"#).as_deref(), Some(r#"<"a> NOTIFY=NEVER <b"@b.fr>"#));
        for bad in
            ["a", "a@", "@b", "a.@b.fr", ".a@b.fr", "a b@c.fr", "@a,b:c@d.fr", "@a:c", "a@b@c.fr", "a@[127.0.0.1]"]
        {
            assert_eq!(text(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_path_may_have_256_octets() {
        // 64 octets before the @, the rest in labels.
        let path = |octets: usize| {
            let domain = format!("{}.fr", ["a".repeat(62).as_str(); 3].join("."));
            let route = "@a:";
            let local_part = "l".repeat(octets - 2 - route.len() - 1 - domain.len());
            format!("{route}{local_part}@{domain}")
        };
        assert!(forward(&path(256)).is_ok());
        assert_eq!(forward(&path(257)), Err(PathError::TooLong));
    }
}
