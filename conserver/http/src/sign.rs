//! A signature of the body, as GitHub makes it, and as the conserver's own API checks it: `sha256=<hex>`.

use bytes::Bytes;
use conserver_core::Secret;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderValue;
use sha2::Sha256;

/// HMAC-SHA256 of the body with this secret, as the value of a header.
pub fn signature(secret: &Secret, body: &Bytes) -> HeaderValue {
    let key = secret.expose().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(body);
    HeaderValue::try_from(format!("sha256={}", hex(&mac.finalize().into_bytes())))
        .expect("hexadecimal digits stand in headers")
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_rfc() {
        // RFC 4231, test case 2.
        let value = signature(&Secret::new("Jefe"), &Bytes::from_static(b"what do ya want for nothing?"));
        assert_eq!(value, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
