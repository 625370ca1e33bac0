//! The PROXY protocol, version 2: a proxy in front of us says who is really there.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, §2.2. The header is read exactly, never beyond, since
//! the client's first octets (a TLS hello, perhaps) follow at once. Only configured sources may send one; from them it
//! is required, so that nobody is counted under the proxy's own address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The twelve octets that begin every header.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Octets before the addresses: signature, version and command, family, length.
pub const PREFIX_OCTETS: usize = 16;

/// Octets after the prefix, addresses and TLVs: the protocol allows 65,535; certificates in TLVs stay far below this.
pub const REST_OCTETS_MAX: usize = 4_096;

/// Time a proxy has to send its header; it has it ready when it connects.
pub const HEADER_TIME_MAX: Duration = Duration::from_secs(5);

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The proxy relays this client.
    Client(SocketAddr),
    /// The proxy speaks for itself (`LOCAL`, a health check), or for a family without addresses (`UNSPEC`).
    Proxy,
}

/// Why a header was not understood; the connection is closed without an answer (§2).
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The signature is missing: the source is configured as a proxy but does not speak the protocol.
    #[error("no PROXY protocol header of version 2")]
    NoSignature,
    /// A version other than 2, or a command other than LOCAL and PROXY.
    #[error("unknown PROXY protocol version or command {0:#04x}")]
    UnknownCommand(u8),
    /// More octets than [`REST_OCTETS_MAX`], or fewer than the addresses of the family take.
    #[error("a PROXY protocol header of {0} octets")]
    Length(usize),
    /// The header did not come in [`HEADER_TIME_MAX`].
    #[error("the PROXY protocol header took too long")]
    TooSlow,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The first 16 octets: what follows, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    command: Command,
    family: u8,
    rest: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Local,
    Proxy,
}

/// Reads one header, and not an octet more.
///
/// # Errors
/// [`ProxyError`]: close the connection.
pub async fn read_header<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Source, ProxyError> {
    let reading = async {
        let mut prefix = [0; PREFIX_OCTETS];
        stream.read_exact(&mut prefix).await?;
        let prefix = Prefix::parse(&prefix)?;
        let mut rest = vec![0; prefix.rest()];
        stream.read_exact(&mut rest).await?;
        prefix.source(&rest)
    };
    tokio::time::timeout(HEADER_TIME_MAX, reading).await.map_err(|_| ProxyError::TooSlow)?
}

impl Prefix {
    /// Reads the first [`PREFIX_OCTETS`].
    ///
    /// # Errors
    /// [`ProxyError::NoSignature`], [`ProxyError::UnknownCommand`], [`ProxyError::Length`].
    pub fn parse(octets: &[u8; PREFIX_OCTETS]) -> Result<Prefix, ProxyError> {
        let [signature @ .., command, family, high, low] = octets;
        if *signature != SIGNATURE {
            return Err(ProxyError::NoSignature);
        }
        let command = match command {
            0x20 => Command::Local,
            0x21 => Command::Proxy,
            other => return Err(ProxyError::UnknownCommand(*other)),
        };
        let rest = usize::from(u16::from_be_bytes([*high, *low]));
        match rest <= REST_OCTETS_MAX {
            true => Ok(Prefix { command, family: *family, rest }),
            false => Err(ProxyError::Length(rest)),
        }
    }

    /// Octets that follow: at most [`REST_OCTETS_MAX`].
    pub fn rest(&self) -> usize {
        self.rest
    }

    /// Reads the addresses from the octets that follow; TLVs behind them are skipped (§2.2: a receiver may ignore them).
    ///
    /// # Errors
    /// [`ProxyError::Length`] when the addresses are cut short.
    pub fn source(&self, rest: &[u8]) -> Result<Source, ProxyError> {
        // The low half names the transport; a TCP proxy says STREAM (1), and what else it says changes nothing for us.
        let source = match (self.command, self.family >> 4) {
            (Command::Proxy, 1) => {
                let ([address, _destination], ports) = quarters::<4>(rest)?;
                SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), ports)
            }
            (Command::Proxy, 2) => {
                let ([address, _destination], ports) = quarters::<16>(rest)?;
                SocketAddr::new(IpAddr::V6(Ipv6Addr::from(address)).to_canonical(), ports)
            }
            (Command::Local, _) | (Command::Proxy, _) => return Ok(Source::Proxy),
        };
        Ok(Source::Client(source))
    }
}

/// Source and destination addresses of `N` octets each, and the source port behind them.
fn quarters<const N: usize>(rest: &[u8]) -> Result<([[u8; N]; 2], u16), ProxyError> {
    let read = || {
        let (source, rest) = rest.split_first_chunk::<N>()?;
        let (destination, rest) = rest.split_first_chunk::<N>()?;
        let (ports, _) = rest.split_first_chunk::<4>()?;
        let [high, low, ..] = ports;
        Some(([*source, *destination], u16::from_be_bytes([*high, *low])))
    };
    read().ok_or(ProxyError::Length(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        header.extend(rest);
        header
    }

    async fn read(octets: &[u8]) -> (Result<Source, ProxyError>, Vec<u8>) {
        let mut stream = octets;
        let result = read_header(&mut stream).await;
        (result, stream.to_vec())
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 25];

    #[tokio::test]
    async fn the_client_of_a_proxy_is_named_and_its_first_octets_are_left() {
        let mut octets = header(0x21, 0x11, &IPV4);
        octets.extend(b"EHLO");
        let (source, left) = read(&octets).await;
        assert_eq!(source.unwrap(), Source::Client("192.0.2.7:8080".parse().unwrap()));
        assert_eq!(left, b"EHLO");
    }

    #[tokio::test]
    async fn ipv6_and_tlvs_are_read() {
        let mut rest = Ipv6Addr::LOCALHOST.octets().to_vec();
        rest.extend(Ipv6Addr::LOCALHOST.octets());
        rest.extend([0, 99, 0, 25]);
        rest.extend([0x04, 0, 1, 0]); // PP2_TYPE_NOOP
        let (source, left) = read(&header(0x21, 0x21, &rest)).await;
        assert_eq!(source.unwrap(), Source::Client("[::1]:99".parse().unwrap()));
        assert!(left.is_empty());
    }

    #[tokio::test]
    async fn a_health_check_is_the_proxy_itself() {
        assert_eq!(read(&header(0x20, 0x00, &[])).await.0.unwrap(), Source::Proxy);
        assert_eq!(read(&header(0x21, 0x00, &[1, 2])).await.0.unwrap(), Source::Proxy);
        assert_eq!(read(&header(0x21, 0x31, &[0; 216])).await.0.unwrap(), Source::Proxy);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let too_long = [header(0x21, 0x11, &[0; 5000])].concat();
        let cases: [(&str, &[u8], &str); 6] = [
            ("version 1", b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 25\r\n", "no PROXY protocol header of version 2"),
            ("no header", b"EHLO client.example.net\r\n", "no PROXY protocol header of version 2"),
            ("version 3", &header(0x31, 0x11, &IPV4), "unknown PROXY protocol version or command 0x31"),
            ("a third command", &header(0x22, 0x11, &IPV4), "unknown PROXY protocol version or command 0x22"),
            ("addresses cut short", &header(0x21, 0x11, &[192, 0, 2, 7]), "a PROXY protocol header of 4 octets"),
            ("too long", &too_long, "a PROXY protocol header of 5000 octets"),
        ];
        for (name, octets, expected) in cases {
            assert_eq!(read(octets).await.0.unwrap_err().to_string(), expected, "{name}");
        }
        assert!(matches!(read(&SIGNATURE).await.0, Err(ProxyError::Io(_))), "cut off");
    }

    #[test]
    fn no_header_panics() {
        for family in 0..=255 {
            for length in 0..64 {
                let mut prefix = [0; PREFIX_OCTETS];
                prefix[..12].copy_from_slice(&SIGNATURE);
                prefix[12] = 0x21;
                prefix[13] = family;
                prefix[15] = length;
                let prefix = Prefix::parse(&prefix).unwrap();
                let _ = prefix.source(&vec![0; usize::from(length)]);
            }
        }
    }
}
