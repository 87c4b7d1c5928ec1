//! Certificate and key of the API: read and checked at the start, and again when their files change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use conserver_core::config::settings::TlsFiles;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// What a client of this server gets to see. Cheap to clone; clones share a renewal.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    seen: Arc<Mutex<Seen>>,
    acceptor: TlsAcceptor,
}

/// The certificate for the next connection.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().expect("no panic while held").clone())
    }
}

/// By what a file is known to be the same: changed when, which one, how large.
type Seen = [Option<(i64, i64, u64, u64)>; 2];

impl Tls {
    /// Reads and checks certificate and key.
    ///
    /// # Errors
    /// In words, with the file that is to blame: it cannot be read, holds something else, does not fit to the other, or the
    /// certificate's time has passed or not begun.
    pub fn new(files: &TlsFiles) -> Result<Self, String> {
        let seen = look(files);
        let current = Arc::new(Current(RwLock::new(Arc::new(read(files)?))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files: files.clone(), current, seen: Arc::new(Mutex::new(seen)), acceptor })
    }

    /// Takes up files that have changed: `true` if there were any. Connections that stand keep what they have.
    ///
    /// # Errors
    /// As for [`new`](Self::new), once for each change; the old certificate stays.
    pub fn renew(&self) -> Result<bool, String> {
        let now = look(&self.files);
        if std::mem::replace(&mut *self.seen.lock().expect("no panic while held"), now) == now {
            return Ok(false);
        }
        *self.current.0.write().expect("no panic while held") = Arc::new(read(&self.files)?);
        Ok(true)
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

fn look(files: &TlsFiles) -> Seen {
    let of = |file: Metadata| (file.mtime(), file.mtime_nsec(), file.ino(), file.len());
    [&files.cert, &files.key].map(|path| std::fs::metadata(path).ok().map(of))
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, String> {
    let bad = |file: &Path, says: &str| format!("`{}`: {says}", file.display());
    let pem = |file: &Path, what: &str, error: pem::Error| match error {
        pem::Error::NoItemsFound => bad(file, &format!("holds no {what} in PEM")),
        pem::Error::Io(error) => bad(file, &error.to_string()),
        error => bad(file, &error.to_string()),
    };
    let of_cert = |error| pem(&files.cert, "certificate", error);
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect).map_err(of_cert)?;
    let Some(own) = chain.first() else { return Err(of_cert(pem::Error::NoItemsFound)) };
    in_time(own).map_err(|says| bad(&files.cert, &says))?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| pem(&files.key, "private key", error))?;
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).map_err(|error| match error
    {
        rustls::Error::InconsistentKeys(_) => {
            bad(&files.key, &format!("is not the key of the certificate in `{}`", files.cert.display()))
        }
        error => bad(&files.key, &error.to_string()),
    })
}

/// Whether a client could take it today. Nobody's signature is looked at: the authority may be one that only clients know.
fn in_time(certificate: &CertificateDer<'_>) -> Result<(), String> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| error.to_string())?;
    let none = RootCertStore::empty();
    let verified = verify_server_cert_signed_by_trust_anchor(&parsed, &none, &[], UnixTime::now(), &[]);
    let days = |from: UnixTime, to: UnixTime| to.as_secs().saturating_sub(from.as_secs()) / 86_400;
    match verified {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after })) => {
            Err(format!("the certificate has expired, {} days ago; renew it", days(not_after, time)))
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before })) => {
            Err(format!(
                "the certificate is valid in {} days only; look at the clock",
                days(time, not_before)
            ))
        }
        _ => Ok(()),
    }
}
