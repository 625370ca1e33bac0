//! What is announced, by state (RFC 9051 §6.1.1). Nothing is announced that does not work.

use auth::sasl::Mechanism;

/// Known before sign-in. LITERAL- (RFC 7888 §5): small literals only, until we know who sends them; `Session::literal` holds
/// clients to it.
const BEFORE_SIGN_IN: &str = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL- ID ENABLE";

/// After sign-in.
const AFTER_SIGN_IN: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE ESEARCH \
                             SEARCHRES BINARY LIST-EXTENDED LIST-STATUS SPECIAL-USE STATUS=SIZE CONDSTORE";

/// Before sign-in, in the clear: TLS is the only way on.
pub(super) fn in_clear() -> String {
    format!("{BEFORE_SIGN_IN} STARTTLS LOGINDISABLED")
}

/// Before sign-in, under TLS: the mechanisms to announce.
pub(super) fn under_tls(mechanisms: impl Iterator<Item = Mechanism>) -> String {
    let mut capabilities = BEFORE_SIGN_IN.to_owned();
    for mechanism in mechanisms {
        capabilities.push_str(" AUTH=");
        capabilities.push_str(mechanism.name());
    }
    capabilities
}

/// After sign-in.
pub(super) fn signed_in(append_octets_max: u64) -> String {
    format!("{AFTER_SIGN_IN} APPENDLIMIT={append_octets_max}")
}
