//! What people type to sign in: an address of theirs.

use mail::Address;

/// Reads a login into the address to look up. `None` for what can be nobody's; treat it as an unknown login.
///
/// Spaces around it are a slip of the hand; the domain may be typed in Unicode.
pub fn address(typed: &str) -> Option<Address> {
    let trimmed = typed.trim_matches([' ', '\t']);
    trimmed.parse::<Address>().ok().map(|address| address.canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_addresses() {
        for (typed, looked_up) in [
            ("ann@a.example", Some("ann@a.example")),
            ("Ann@A.Example ", Some("ann@a.example")),
            ("a*b@a.example", Some("a*b@a.example")),
            ("ann", None),
            ("", None),
            ("ann@", None),
            ("' OR 1=1 --", None),
            ("*)(uid=*))(|(uid=*", None),
            ("ann\0@a.example", None),
        ] {
            assert_eq!(address(typed).map(|address| address.to_string()).as_deref(), looked_up, "{typed}");
        }
    }
}
