//! Parameters of MIME fields (RFC 2045 §5.1, RFC 2231).
