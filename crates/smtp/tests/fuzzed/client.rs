//! The client side, against a server that says anything.

use std::time::Instant;

use auth::sasl::Secret;
use mail::envelope::Recipient;
use mail::{BodyKind, Envelope, ForwardPath, ReversePath};
use smtp::client::{Action, ClientConfig, Credentials, Input, Session, Tls, Transfer};

/// A client and a server's octets: the first octet chooses what the client wants, the second how the rest is cut. Lines
/// that come whole and lines that come octet by octet are answered the same.
pub fn client(octets: &[u8]) {
    let [choice, piece, stream @ ..] = octets else { return };
    let _ = converse(*choice, stream.chunks(usize::from(*piece) + 1));
    let lines = converse(*choice, stream.split_inclusive(|octet| *octet == b'\n'));
    assert_eq!(lines, converse(*choice, stream.chunks(1)));
}

/// What the client did, in words.
fn converse<'a>(choice: u8, pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut server = Server::new(choice);
    for piece in pieces {
        server.says(piece);
    }
    server.done
}

struct Server {
    client: Session,
    tls: bool,
    over: bool,
    messages: u32,
    done: String,
    now: Instant,
}

impl Server {
    fn new(choice: u8) -> Server {
        // The only clock of these tests.
        #[allow(clippy::disallowed_methods, reason = "a starting point")]
        let now = Instant::now();
        let tls = match choice & 3 {
            0 => Tls::Never,
            1 => Tls::Implicit,
            _ => Tls::StartTls,
        };
        let credentials = Credentials { login: "ann".into(), password: Secret::new("secret".into()) };
        let config = ClientConfig {
            name: "client.example.net".parse().expect("a name"),
            tls,
            credentials: (choice & 4 != 0).then_some(credentials),
            transfer: if choice & 8 == 0 { Transfer::Data } else { Transfer::Chunks },
        };
        let client = Session::new(config, now);
        Server { client, tls: tls == Tls::Implicit, over: false, messages: 0, done: String::new(), now }
    }

    fn says(&mut self, octets: &[u8]) {
        if self.over {
            return;
        }
        self.client.handle(Input::Received(octets), self.now);
        while let Some(action) = self.client.poll() {
            assert!(!self.over, "an action after Close: {action:?}");
            match action {
                Action::Send(sent) => {
                    let sent = String::from_utf8(sent).expect("text");
                    assert!(sent.ends_with("\r\n") && !sent.replace("\r\n", "").contains(['\r', '\n']), "{sent:?}");
                    assert!(self.tls || !sent.starts_with("AUTH"), "a password in the clear");
                    self.done.push_str(&sent);
                }
                Action::StartTls => {
                    assert!(!std::mem::replace(&mut self.tls, true), "TLS twice");
                    self.client.handle(Input::TlsEstablished, self.now);
                }
                Action::Ready => self.next(),
                Action::Done(outcome) => {
                    let (recipients, code) = (outcome.recipients, outcome.message.code);
                    assert!((200..600).contains(&code) && recipients.len() <= 2);
                    assert!(code / 100 != 2 || recipients.iter().any(|recipient| recipient.is_positive()));
                    let codes: Vec<_> = recipients.iter().map(|recipient| recipient.code).collect();
                    self.done.push_str(&format!("done {code} {codes:?}\r\n"));
                    self.next();
                }
                Action::WantBody => {
                    for piece in [&b".a\r\n"[..], b"b\r\n"] {
                        self.client.handle(Input::Body(piece), self.now);
                    }
                    self.client.handle(Input::BodyEnd, self.now);
                }
                Action::Failed(failure) => self.done.push_str(&format!("{failure}\r\n")),
                Action::Close => {
                    self.over = true;
                    self.done.push_str("closed\r\n");
                }
            }
        }
    }

    /// Two messages, then QUIT.
    fn next(&mut self) {
        self.messages += 1;
        let recipient = |text: &str| Recipient::new(ForwardPath::Address(text.parse().expect("an address")));
        let mut recipients = vec![recipient("bob@a.example"), recipient("zoé@b.example")];
        let envelope = Envelope {
            recipients: recipients.split_off(if self.messages == 1 { 0 } else { 1 }),
            body: if self.messages == 1 { BodyKind::SevenBit } else { BodyKind::EightBitMime },
            declared_octets: Some(7),
            ..Envelope::new(ReversePath::Null)
        };
        match self.messages {
            1 | 2 => self.client.handle(Input::Message(Box::new(envelope)), self.now),
            _ => self.client.handle(Input::Quit, self.now),
        }
    }
}
