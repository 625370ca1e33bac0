//! What people type to sign in: an address of theirs.

use auth::preparation::user_name;
use mail::Address;

/// Reads a login into the address to look up. `None` for what can be nobody's; treat it as an unknown login.
///
/// Spaces around it are a slip of the hand; the domain may be typed in Unicode, and accents as macOS types them.
pub fn address(typed: &str) -> Option<Address> {
    let prepared = user_name(typed.trim_matches([' ', '\t'])).ok()?;
    prepared.trim_matches(' ').parse::<Address>().ok().map(|address| address.canonical())
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
            ("\u{a0}ann@a.example\t", Some("ann@a.example")),
            ("ann@\u{65}\u{301}te.example", Some("ann@xn--te-9ia.example")),
            ("an\u{ad}n@a.example", None),
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
