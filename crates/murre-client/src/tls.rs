//! Whom a `wss://` client trusts.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// A configuration that trusts `extra_pem`'s certificates and the system's; where the system has none, those of the
/// web's public authorities.
///
/// # Errors
/// What is wrong with `extra_pem`, for people.
pub(crate) fn client_config(extra_pem: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(extra_pem) {
        let certificate =
            certificate.map_err(|error| format!("the given certificates are no PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a given certificate can't be used: {error}"))?;
    }
    if !extra_pem.is_empty() && roots.is_empty() {
        return Err("the given PEM has no certificate".into());
    }
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::debug!(%error, "some of the system's certificates can't be read");
    }
    let (usable, _) = roots.add_parsable_certificates(system.certs);
    if usable == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_someone_to_trust() {
        assert!(client_config(b"").is_ok());
    }

    #[test]
    fn a_file_without_a_certificate_is_an_error() {
        assert_eq!(client_config(b"hello").unwrap_err(), "the given PEM has no certificate");
    }
}
