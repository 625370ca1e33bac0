//! Whatever a client sends, an exchange ends or goes on, and nobody is let in without the directory's word.

use auth::sasl::{
    Answer, ChannelBindings, Exchange, Failure, Mechanism, Progress, Question, ScramCredentials, TokenRefusal,
    TokenStatus,
};
use proptest::prelude::*;

fn mechanism() -> impl Strategy<Value = Mechanism> {
    proptest::sample::select(Mechanism::ALL.to_vec())
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let near = proptest::sample::select(vec![
        b"".to_vec(),
        b"\0ann\0pencil".to_vec(),
        b"n,,n=ann,r=abc".to_vec(),
        b"n,a=ann,\x01auth=Bearer t\x01\x01".to_vec(),
        b"user=ann\x01auth=Bearer t\x01\x01".to_vec(),
        b"\x01".to_vec(),
        b"p=tls-exporter,,n=ann,r=abc".to_vec(),
        b"c=biws,r=abc,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_vec(),
    ]);
    prop_oneof![near, proptest::collection::vec(any::<u8>(), 0..64)]
}

proptest! {
    #[test]
    fn no_response_lets_anybody_in(
        mechanism in mechanism(),
        bound in any::<bool>(),
        initial in proptest::option::of(response()),
        responses in proptest::collection::vec(response(), 0..6),
    ) {
        let exporter = bound.then_some([7; 32]);
        let bindings = ChannelBindings { tls_exporter: exporter, ..ChannelBindings::default() };
        let mut exchange = Exchange::new(mechanism, &bindings, [1; 18]);
        let mut progress = exchange.step(initial.as_deref());
        for response in responses {
            progress = match progress {
                Progress::Challenge(_) => exchange.step(Some(&response)),
                Progress::Ask(Question::ScramCredentials { .. }) => {
                    let (salt, iterations) = (vec![1; 16], 4_096);
                    let credentials = ScramCredentials { salt, iterations, stored_key: [2; 32], server_key: [3; 32] };
                    exchange.answered(Answer::Scram(credentials))
                }
                Progress::Ask(Question::Authorize { .. }) => panic!("a proof was made up"),
                Progress::Ask(Question::Token { .. }) => {
                    let (scope, discovery) = (String::new(), String::new());
                    exchange.answered(Answer::TokenRefused(TokenRefusal {
                        status: TokenStatus::InvalidToken,
                        scope,
                        discovery,
                    }))
                }
                Progress::Ask(Question::Certificate { .. }) => {
                    exchange.answered(Answer::Refused(Failure::Certificate(mail::TrustCause::NoCertificate)))
                }
                Progress::Ask(Question::Password { .. } | Question::WrongProof { .. }) => {
                    exchange.answered(Answer::Refused(Failure::Credentials))
                }
                Progress::Done(outcome) => {
                    prop_assert!(outcome.is_err());
                    exchange.step(Some(&response))
                }
            };
        }
    }

    #[test]
    fn names_of_mechanisms_read_back(mechanism in mechanism()) {
        prop_assert_eq!(Mechanism::from_name(&mechanism.name().to_lowercase()), Some(mechanism));
    }

    #[test]
    fn stored_texts_never_panic(kind in "password|scram-sha-256|.*", text in ".*") {
        let _ = auth::password::StoredCredential::parse(&kind, &text);
    }
}
