//! `Gateway`: the ports that are open, with hosts and TLS.

use crate::config::{
    Spanned,
    decode::{Map, choice, object},
};

object! {
    /// `Gateway` (networking.istio.io): servers on ports, for the workloads that it selects.
    pub struct Gateway {
        /// The servers; the order decides conflicts.
        servers: Vec<Spanned<Server>> = "servers",
        /// The labels that a gateway workload must have; none: every workload.
        selector: Map<String> = "selector",
    }
}

object! {
    /// One port with the hosts on it.
    pub struct Server {
        /// The port.
        port: Option<Spanned<Port>> = "port",
        /// The address to listen on, or `unix://` and a path.
        bind: Option<Spanned<String>> = "bind",
        /// `[namespace/]host` for each host.
        hosts: Vec<Spanned<String>> = "hosts",
        /// TLS, and the redirect to it.
        tls: Option<Spanned<ServerTlsSettings>> = "tls",
        /// In the API, implemented by nobody.
        default_endpoint: Option<Spanned<String>> = "defaultEndpoint",
        /// A name for statistics.
        name: Option<Spanned<String>> = "name",
    }
}

object! {
    /// A port of a [`Server`].
    pub struct Port {
        /// 1 to 65535; 0 with a `unix://` bind.
        number: Option<Spanned<u32>> = "number",
        /// `HTTP`, `HTTPS`, `TLS`, `TCP` and others, in any case.
        protocol: Option<Spanned<String>> = "protocol",
        /// Unique within the Gateway.
        name: Option<Spanned<String>> = "name",
        /// Deprecated: has no meaning on a Gateway.
        target_port: Option<Spanned<u32>> = "targetPort",
    }
}

object! {
    /// How TLS is done on a port (`ServerTLSSettings`).
    pub struct ServerTlsSettings {
        /// Plain HTTP is answered with 301 to `https://`.
        https_redirect: Option<Spanned<bool>> = "httpsRedirect",
        /// Whether TLS ends here, and what is asked of the client. Absent is `PASSTHROUGH`.
        mode: Option<Spanned<ServerTlsMode>> = "mode",
        /// The file with the server's certificate chain.
        server_certificate: Option<Spanned<String>> = "serverCertificate",
        /// The file with the server's private key.
        private_key: Option<Spanned<String>> = "privateKey",
        /// The file with the authorities that client certificates must come from.
        ca_certificates: Option<Spanned<String>> = "caCertificates",
        /// The file with revoked client certificates.
        ca_crl: Option<Spanned<String>> = "caCrl",
        /// The Secret with certificate and key, in the gateway workload's namespace.
        credential_name: Option<Spanned<String>> = "credentialName",
        /// Two Secrets, for certificates with different kinds of keys.
        credential_names: Vec<Spanned<String>> = "credentialNames",
        /// The Secret or ConfigMap with the authorities for client certificates.
        ca_cert_credential_name: Option<Spanned<String>> = "caCertCredentialName",
        /// Several certificates and keys in files.
        tls_certificates: Vec<Spanned<ServerTlsCertificate>> = "tlsCertificates",
        /// The names of which a client certificate must have one.
        subject_alt_names: Vec<Spanned<String>> = "subjectAltNames",
        /// Base64 SHA-256 of the public keys that clients may have.
        verify_certificate_spki: Vec<Spanned<String>> = "verifyCertificateSpki",
        /// Hexadecimal SHA-256 of the certificates that clients may have.
        verify_certificate_hash: Vec<Spanned<String>> = "verifyCertificateHash",
        /// The lowest version of TLS; absent is 1.2.
        min_protocol_version: Option<Spanned<TlsProtocol>> = "minProtocolVersion",
        /// The highest version of TLS; absent is 1.3.
        max_protocol_version: Option<Spanned<TlsProtocol>> = "maxProtocolVersion",
        /// The cipher suites up to TLS 1.2, by OpenSSL's names.
        cipher_suites: Vec<Spanned<String>> = "cipherSuites",
        /// The curves for the key exchange.
        ecdh_curves: Vec<Spanned<String>> = "ecdhCurves",
        /// A client certificate that can't be verified is accepted all the same.
        insecure_skip_verify: Option<Spanned<bool>> = "insecureSkipVerify",
    }
}

object! {
    /// One certificate of several (`ServerTLSSettings.TLSCertificate`).
    pub struct ServerTlsCertificate {
        /// The file with the certificate chain.
        server_certificate: Option<Spanned<String>> = "serverCertificate",
        /// The file with the private key.
        private_key: Option<Spanned<String>> = "privateKey",
        /// In the API, without effect here.
        ca_certificates: Option<Spanned<String>> = "caCertificates",
    }
}

choice! {
    /// `ServerTLSSettings.TLSmode`.
    pub enum ServerTlsMode {
        /// TLS is not ended here: connections are routed by SNI.
        Passthrough = "PASSTHROUGH" (0),
        /// TLS ends here; no client certificate is asked for.
        Simple = "SIMPLE" (1),
        /// TLS ends here; a client certificate is required.
        Mutual = "MUTUAL" (2),
        /// As `PASSTHROUGH`, and the destination is in the SNI.
        AutoPassthrough = "AUTO_PASSTHROUGH" (3),
        /// As `MUTUAL`, with the mesh's own identity.
        IstioMutual = "ISTIO_MUTUAL" (4),
        /// TLS ends here; a client certificate is asked for, and must be good if there is one.
        OptionalMutual = "OPTIONAL_MUTUAL" (5),
    }
}

choice! {
    /// A version of TLS (`ServerTLSSettings.TLSProtocol`).
    pub enum TlsProtocol {
        /// The default.
        Auto = "TLS_AUTO" (0),
        /// 1.0
        V1_0 = "TLSV1_0" (1),
        /// 1.1
        V1_1 = "TLSV1_1" (2),
        /// 1.2
        V1_2 = "TLSV1_2" (3),
        /// 1.3
        V1_3 = "TLSV1_3" (4),
    }
}
