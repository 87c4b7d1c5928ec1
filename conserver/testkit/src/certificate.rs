//! A certificate authority and a server certificate for `localhost` and 127.0.0.1, made anew for each server.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The files of one authority and one server.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The authority's certificate, PEM: what a client has to trust.
    pub ca: PathBuf,
    /// The server's certificate, PEM.
    pub cert: PathBuf,
    /// The server's key, PEM, readable by its owner only.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes both and writes them into this folder.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn write_to(folder: &Path) -> Self {
        Self::write(folder, 4096)
    }

    /// The same, with a certificate that ended in 2001.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn write_expired_to(folder: &Path) -> Self {
        Self::write(folder, 2001)
    }

    fn write(folder: &Path, until: i32) -> Self {
        let files = Self {
            ca: folder.join("ca.pem"),
            cert: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        files.make(until).expect("certificates can be made and written");
        files
    }

    fn make(&self, until: i32) -> Result<(), Box<dyn std::error::Error>> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut cert = CertificateParams::new(names)?;
        cert.not_after = rcgen::date_time_ymd(until, 1, 1);
        let cert = cert.signed_by(&key, &authority)?;

        std::fs::write(&self.ca, authority.pem())?;
        std::fs::write(&self.cert, cert.pem())?;
        std::fs::write(&self.key, key.serialize_pem())?;
        std::fs::set_permissions(&self.key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(())
    }
}
