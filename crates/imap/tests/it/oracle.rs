//! Our parser and imap-codec on generated commands.

use imap::command::{Command, print};
use imap::parse::{self, Spelling};
use proptest::prelude::*;

use crate::any;
use crate::codec::{agrees, retold, within_its_grammar};

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// What we print the codec reads, and what it says of it we read as the same command.
    #[test]
    fn the_codec_understands_what_we_mean(tag in any::tag(), command in any::command()) {
        prop_assume!(within_its_grammar(&command));
        let octets = print(&tag, &command);
        let told = retold(&octets);
        prop_assert!(told.is_ok(), "{:?}: {}", told, String::from_utf8_lossy(&octets));
        let told = told.unwrap_or_default();
        let parsed = parse::command(&told, Spelling::Ascii);
        prop_assert_eq!(parsed, Ok((tag, command)), "{}", String::from_utf8_lossy(&told));
    }

    /// What the codec refuses we refuse, and the other way round, near any command it knows.
    #[test]
    fn the_codec_refuses_what_we_refuse(
        tag in any::tag(),
        command in any::command(),
        at in any::<prop::sample::Index>(),
        octet in prop::sample::select(b" ()[]<>{}\"\\*%:,.+-~$0a\x00\r\x7f\xc3".to_vec()),
    ) {
        prop_assume!(within_its_grammar(&command) && !matches!(command, Command::Login { .. }));
        let mut octets = print(&tag, &command);
        let at = at.index(octets.len());
        octets[at] = octet;
        agrees(&octets);
    }
}
