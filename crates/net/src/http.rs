//! Fetching by HTTP, for lists that are published: GET and POST, one request per connection, no redirects, no cookies.
//!
//! An `https` address is believed only under the authorities given, never under those of the system.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::{CertificateFiles, crypto_provider};

/// Fetches under some authorities.
#[derive(Clone)]
pub struct HttpClient {
    tls: Option<Arc<ClientConfig>>,
}

/// How much of an answer is taken, and how long it may take in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Octets of the body.
    pub octets_max: usize,
    /// From the look-up of the name to the last octet.
    pub time_max: Duration,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not an `http` or `https` address with a host.
    #[error("\"{0}\" is no http or https address")]
    Url(String),
    /// `https`, and no authority is given under which it could be believed.
    #[error("no authority is configured for https")]
    NoAuthority,
    /// The authorities given cannot be used.
    #[error("an authority cannot be used: {0}")]
    Authority(String),
    /// The certificate we are to show cannot be used.
    #[error("our certificate cannot be used: {0}")]
    Certificate(String),
    /// It took longer than [`HttpLimits::time_max`].
    #[error("no whole answer in time")]
    TooSlow,
    /// Name, connection or handshake.
    #[error("connecting: {0}")]
    Connection(#[from] std::io::Error),
    /// The exchange itself.
    #[error("the exchange broke off: {0}")]
    Exchange(String),
    /// Any status but 200.
    #[error("the server answers {0}")]
    Status(StatusCode),
    /// More than [`HttpLimits::octets_max`].
    #[error("the answer has more than {0} octets")]
    TooLarge(usize),
}

impl HttpClient {
    /// Believes servers under these authorities (DER); without any, `https` cannot be fetched.
    ///
    /// # Errors
    /// [`HttpError::Authority`].
    pub fn new(authorities: &[Vec<u8>]) -> Result<HttpClient, HttpError> {
        HttpClient::showing(authorities, None)
    }

    /// [`HttpClient::new`], showing a certificate of ours to servers that ask for one. Its files are read once.
    ///
    /// # Errors
    /// [`HttpError::Authority`]; [`HttpError::Certificate`].
    pub fn showing(authorities: &[Vec<u8>], certificate: Option<&CertificateFiles>) -> Result<HttpClient, HttpError> {
        if authorities.is_empty() {
            return Ok(HttpClient { tls: None });
        }
        let refused = |error: rustls::Error| HttpError::Authority(error.to_string());
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(CertificateDer::from(authority.clone())).map_err(refused)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(crypto_provider()))
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(roots);
        let config = match certificate {
            None => config.with_no_client_auth(),
            Some(files) => {
                let certified = files.certified().map_err(|error| HttpError::Certificate(error.to_string()))?;
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        Ok(HttpClient { tls: Some(Arc::new(config)) })
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn get(&self, url: &str, limits: HttpLimits) -> Result<Vec<u8>, HttpError> {
        self.exchange(Method::GET, url, None, None, limits).await
    }

    /// Sends a document of this media type, and takes the answer.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn post(
        &self,
        url: &str,
        media_type: &'static str,
        body: Vec<u8>,
        limits: HttpLimits,
    ) -> Result<Vec<u8>, HttpError> {
        self.exchange(Method::POST, url, Some((media_type, body)), None, limits).await
    }

    /// [`HttpClient::post`] as somebody: `authorization` is the value of the header of that name (RFC 9110 §11.6.2).
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn post_authorized(
        &self,
        url: &str,
        media_type: &'static str,
        body: Vec<u8>,
        authorization: &str,
        limits: HttpLimits,
    ) -> Result<Vec<u8>, HttpError> {
        self.exchange(Method::POST, url, Some((media_type, body)), Some(authorization), limits).await
    }

    async fn exchange(
        &self,
        method: Method,
        url: &str,
        body: Option<(&'static str, Vec<u8>)>,
        authorization: Option<&str>,
        limits: HttpLimits,
    ) -> Result<Vec<u8>, HttpError> {
        let no_url = || HttpError::Url(url.chars().take(200).collect());
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        let authority = uri.authority().ok_or_else(no_url)?.clone();
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(no_url()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder().method(method).uri(path).header(HOST, authority.as_str());
        request = request.header(USER_AGENT, "sceau");
        if let Some((media_type, _)) = &body {
            request = request.header(CONTENT_TYPE, *media_type);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let body = Full::new(Bytes::from(body.map(|(_, octets)| octets).unwrap_or_default()));
        let request = request.body(body).map_err(|_| no_url())?;
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let whole = async {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            match (secure, &self.tls) {
                (false, _) => answer(stream, request, limits.octets_max).await,
                (true, None) => Err(HttpError::NoAuthority),
                (true, Some(config)) => {
                    let name = ServerName::try_from(host.clone()).map_err(|_| no_url())?;
                    let stream = TlsConnector::from(config.clone()).connect(name, stream).await?;
                    answer(stream, request, limits.octets_max).await
                }
            }
        };
        // Boxed: the futures of TLS and HTTP are large, and those who fetch wait long.
        tokio::time::timeout(limits.time_max, Box::pin(whole)).await.map_err(|_| HttpError::TooSlow)?
    }
}

async fn answer<S>(stream: S, request: Request<Full<Bytes>>, octets_max: usize) -> Result<Vec<u8>, HttpError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let broke = |error: hyper::Error| HttpError::Exchange(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broke)?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), octets_max).collect().await;
        match body {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(HttpError::TooLarge(octets_max)),
            Err(error) => Err(HttpError::Exchange(error.to_string())),
        }
    };
    // The connection works only while it is polled; it may end before the last octets of the body are taken up.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        outcome = &mut exchange => outcome,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broke(error)),
        },
    }
}
