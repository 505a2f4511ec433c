//! Certificates for tests: made anew in every run, by authorities that exist only there.

// The tests of this crate and those of the whole gateway both use it, each a part.
#![allow(dead_code, unreachable_pub)]

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, CustomExtension,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

/// An authority, which can make certificates and revoke them.
pub struct Authority {
    name: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    above: Vec<String>,
}

/// A certificate with its key and its chain, in PEM.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate, and those of the authorities between it and the root.
    pub chain: String,
    /// PKCS#8
    pub key: String,
    /// The certificate.
    pub der: Vec<u8>,
}

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl KeyKind {
    /// A new key.
    pub fn make(self) -> KeyPair {
        KeyPair::generate_for(match self {
            KeyKind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
            KeyKind::Rsa => &rcgen::PKCS_RSA_SHA256,
        })
        .unwrap()
    }
}

impl Authority {
    /// A root.
    pub fn new(name: &str) -> Authority {
        Authority::with_key(name, KeyKind::P256)
    }

    /// A root with a key of this kind.
    pub fn with_key(name: &str, key: KeyKind) -> Authority {
        let issuer = CertifiedIssuer::self_signed(Authority::params(name), key.make()).unwrap();
        Authority { name: name.to_owned(), issuer, above: Vec::new() }
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str) -> Authority {
        let params = Authority::params(name);
        let issuer = CertifiedIssuer::signed_by(params, KeyKind::P256.make(), &self.issuer).unwrap();
        let mut above = vec![issuer.pem()];
        above.extend(self.above.iter().cloned());
        Authority { name: name.to_owned(), issuer, above }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these alternative names (with `://` a URI, with `@` an email address).
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.make(LeafParams::new(names))
    }

    /// A certificate as described.
    pub fn make(&self, made: LeafParams) -> Leaf {
        let key = made.key.make();
        let certificate = made.params.signed_by(&key, &self.issuer).unwrap();
        let chain = certificate.pem() + &self.above.concat();
        Leaf { chain, key: key.serialize_pem(), der: certificate.der().to_vec() }
    }

    /// A list of what it has revoked, by serial number.
    pub fn revoked(&self, serials: &[u8]) -> String {
        let revoked = |serial: &u8| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&[*serial]),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2124, 1, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// What a certificate is to be like.
pub struct LeafParams {
    params: CertificateParams,
    key: KeyKind,
}

impl LeafParams {
    /// With these alternative names.
    pub fn new(names: &[&str]) -> LeafParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) if name.contains("://") => SanType::URI((*name).try_into().unwrap()),
                Err(_) if name.contains('@') => SanType::Rfc822Name((*name).try_into().unwrap()),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        LeafParams { params, key: KeyKind::P256 }
    }

    /// With a key of this kind.
    pub fn key(mut self, key: KeyKind) -> LeafParams {
        self.key = key;
        self
    }

    /// With this serial number.
    pub fn serial(mut self, serial: u8) -> LeafParams {
        self.params.serial_number = Some(SerialNumber::from_slice(&[serial]));
        self
    }

    /// With this organization in its subject.
    pub fn organization(mut self, name: &str) -> LeafParams {
        self.params.distinguished_name.push(DnType::OrganizationName, name);
        self
    }

    /// For servers only.
    pub fn for_servers(mut self) -> LeafParams {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self
    }

    /// Held from one year to another.
    pub fn years(mut self, from: i32, to: i32) -> LeafParams {
        self.params.not_before = date_time_ymd(from, 1, 1);
        self.params.not_after = date_time_ymd(to, 1, 1);
        self
    }

    /// With an extension that nobody knows, of this many bytes.
    pub fn padded(mut self, bytes: usize) -> LeafParams {
        let content = [&[4, 0x83][..], &(bytes as u32).to_be_bytes()[1..], &vec![7; bytes]].concat();
        self.params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], content));
        self
    }

    /// Signed by its own key, as an authority's.
    pub fn self_signed(mut self) -> Leaf {
        self.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = self.key.make();
        let certificate = self.params.self_signed(&key).unwrap();
        Leaf { chain: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }
}
