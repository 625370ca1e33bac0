//! Printing for people, who may stop listening: `sceau demo | head` must not end the server, as `println!` would.

/// Writes a line to standard output, and goes on when nobody reads it any more.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _nobody_listens = writeln!(std::io::stdout(), $($argument)*);
    }};
}
