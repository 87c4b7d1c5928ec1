//! Where a request goes.

use std::fmt;

use reqwest::Url;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A URL of `http` or `https`. Printed, it is scheme, host, port and path: user, password and query may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// A sentence for the operator, which does not quote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim())
            .map_err(|error| format!("this is no URL ({error}); write `https://host/path`"))?;
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            scheme => Err(format!("`{scheme}:` is not spoken here; write `https://host/path`")),
        }
    }

    /// The URL, whole.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}", self.0.scheme())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let address = Address::parse("https://me:hunter2@Example.com:8443/hooks/1?token=abc#part").unwrap();
        assert_eq!(format!("{address}"), "https://example.com:8443/hooks/1");
        assert_eq!(format!("{address:?}"), "https://example.com:8443/hooks/1");
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_without_quoting_it() {
        for text in ["", "hunter2", "//example.com", "https://", "ftp://u:hunter2@example.com", "file:///etc"]
        {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains("write `https://host/path`") && !error.contains("hunter2"), "{error}");
        }
    }
}
