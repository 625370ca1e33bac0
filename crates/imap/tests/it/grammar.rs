//! Properties of the parser.

use imap::command::{Command, FetchItem, Operation, print};
use imap::parse::{self, Problem, Spelling};
use proptest::prelude::*;

use crate::any;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_parses_back(tag in any::tag(), command in any::command()) {
        let octets = print(&tag, &command);
        let parsed = parse::command(&octets, Spelling::Ascii);
        prop_assert_eq!(parsed, Ok((tag, command)), "{}", String::from_utf8_lossy(&octets));
    }

    #[test]
    fn a_command_cut_short_is_refused_or_another(tag in any::tag(), command in any::command(), cut in 0usize..200) {
        let octets = print(&tag, &command);
        let _ = parse::command(&octets[..cut.min(octets.len())], Spelling::Ascii);
    }

    #[test]
    fn nothing_panics(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse::command(&octets, Spelling::Utf8);
        let _ = parse::command(&[b"a ", octets.as_slice()].concat(), Spelling::Ascii);
    }

    #[test]
    fn nothing_near_a_command_panics(
        tag in any::tag(),
        command in any::command(),
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
    ) {
        let mut octets = print(&tag, &command);
        let at = at.index(octets.len());
        octets[at] = octet;
        if let Ok((tag, command)) = parse::command(&octets, Spelling::Ascii) {
            let printed = print(&tag, &command);
            prop_assert_eq!(parse::command(&printed, Spelling::Ascii), Ok((tag, command)));
        }
    }
}

fn problem(text: &str) -> Option<Problem> {
    parse::command(text.as_bytes(), Spelling::Ascii).err().map(|error| error.problem)
}

#[test]
fn counts_have_bounds_on_each_side() {
    let headers = |count: usize| format!("a FETCH 1 BODY[HEADER.FIELDS ({})]", vec!["X"; count].join(" "));
    let items = |count: u32| {
        let items: Vec<String> = (1..=count).map(|part| format!("BINARY[{part}]")).collect();
        format!("a FETCH 1 ({})", items.join(" "))
    };
    let keys = |count: usize| format!("a SEARCH {}", vec!["ALL"; count].join(" "));
    let nested = |depth: usize| format!("a SEARCH {}ALL{}", "(".repeat(depth), ")".repeat(depth));
    let nots = |depth: usize| format!("a SEARCH {}ALL", "NOT ".repeat(depth));
    let ors = |depth: usize| format!("a SEARCH {}ALL", "OR ALL ".repeat(depth));
    let part = |steps: usize| format!("a FETCH 1 BODY[{}]", vec!["1"; steps].join("."));
    let patterns = |count: usize| format!("a LIST \"\" ({})", vec!["x"; count].join(" "));
    let ranges = |count: usize| format!("a UID EXPUNGE {}", vec!["1"; count].join(","));
    let fields = |count: usize| format!("a ID ({})", vec!["\"x\" NIL"; count].join(" "));
    let keywords = |count: usize| {
        let keywords: Vec<String> = (0..count).map(|number| format!("k{number}")).collect();
        format!("a STORE 1 FLAGS ({})", keywords.join(" "))
    };
    let cases = [
        (headers(parse::HEADER_NAMES_MAX), headers(parse::HEADER_NAMES_MAX + 1)),
        (items(parse::FETCH_ITEMS_MAX as u32), items(parse::FETCH_ITEMS_MAX as u32 + 1)),
        (keys(parse::SEARCH_KEYS_MAX), keys(parse::SEARCH_KEYS_MAX + 1)),
        (nested(parse::DEPTH_MAX - 1), nested(parse::DEPTH_MAX)),
        (nots(parse::DEPTH_MAX - 1), nots(parse::DEPTH_MAX)),
        (ors(parse::DEPTH_MAX - 1), ors(parse::DEPTH_MAX)),
        (part(parse::PART_STEPS_MAX), part(parse::PART_STEPS_MAX + 1)),
        (patterns(parse::PATTERNS_MAX), patterns(parse::PATTERNS_MAX + 1)),
        (ranges(imap::sequence::RANGES_MAX), ranges(imap::sequence::RANGES_MAX + 1)),
        (fields(parse::ID_FIELDS_MAX), fields(parse::ID_FIELDS_MAX + 1)),
        (keywords(imap::flag::KEYWORDS_MAX), keywords(imap::flag::KEYWORDS_MAX + 1)),
    ];
    for (within, beyond) in cases {
        assert_eq!(problem(&within), None, "{}", &within[..40.min(within.len())]);
        let found = problem(&beyond);
        assert!(matches!(found, Some(Problem::TooMany(_))), "{found:?}: {}", &beyond[..40.min(beyond.len())]);
    }
}

#[test]
fn the_names_of_commands_have_no_case() {
    for text in ["a uid fetch 1 body.peek[header.fields (X)]", "a UID Fetch 1 Body.Peek[Header.Fields (X)]"] {
        let Ok((_, Command::Operation(Operation::Fetch { items, .. }))) =
            parse::command(text.as_bytes(), Spelling::Ascii)
        else {
            panic!("{text}");
        };
        assert!(matches!(items.as_slice(), [FetchItem::Uid, FetchItem::BodySection { .. }]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_session_answers_the_same_however_it_is_cut(
        commands in proptest::collection::vec(session_octets(), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let octets = [b"a LOGIN a b\r\n".to_vec(), commands.concat()].concat();
        crate::properties::session_holds(&octets, cut.index(octets.len()), std::time::Instant::now());
    }

    #[test]
    fn names_hold(text in "[a-zé日&*%/+,-]{0,20}") {
        crate::properties::name_holds(&text);
    }
}

/// Commands, their messages, and things that are neither.
fn session_octets() -> impl Strategy<Value = Vec<u8>> {
    let command = (any::tag(), any::command()).prop_map(|(tag, command)| {
        let mut octets = print(&tag, &command);
        if let Command::Append(append) = command {
            octets.truncate(octets.len() - 1);
            octets.extend_from_slice(b"+}\r\n");
            octets.extend(b"x".repeat(append.message.octets.min(3_000) as usize));
        }
        octets.extend_from_slice(b"\r\n");
        octets
    });
    prop_oneof![
        8 => command,
        1 => Just(b"DONE\r\n".to_vec()),
        1 => "[ -~\r\n]{0,30}".prop_map(String::into_bytes),
        1 => "b [A-Z]{3,6} [{][0-9]{1,3}[+]?[}]\r\n".prop_map(String::into_bytes),
    ]
}
