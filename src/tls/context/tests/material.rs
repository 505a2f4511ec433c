//! What is wrong with files and Secrets, in words.

use super::support::*;
use crate::tls::{
    AuthorityMaterial, Cache, CertificateMaterial, Material, Problem, ServerContext, ServerSpec, TicketSecret,
};
use std::sync::Arc;

fn problems(spec: &ServerSpec, material: &Material) -> Vec<String> {
    let built = ServerContext::build(spec, material, &TicketSecret::new().unwrap(), &Cache::default());
    assert_eq!(built.context.is_none(), built.problems.iter().any(|problem| problem.kind.is_fatal()));
    built.problems.iter().map(Problem::to_string).collect()
}

fn of(chain: &str, key: &str) -> Vec<String> {
    let certificate = CertificateMaterial { chain: bytes("c", chain), key: bytes("k", key), staple: None };
    problems(&simple(), &Material { certificates: vec![certificate], ..Material::default() })
}

#[test]
fn certificates_and_keys() {
    let root = Authority::new("root");
    let (leaf, other) = (root.leaf(&["a"]), root.leaf(&["a"]));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIB\n-----END RSA \
                 PRIVATE KEY-----\n";
    let no_certificate = "`c` has no certificate in it (`-----BEGIN CERTIFICATE-----`)";
    let is_encrypted =
        "`k` is an encrypted key, for which there is no passphrase: decrypt it with `openssl pkey`";
    let unusable = "`k` is not a key that can be used: RSA with 2048 to 8192 bits, ECDSA with P-256, P-384 or P-521, or \
                    Ed25519";
    let junk_key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    let junk = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for (chain, key, expected) in [
        (leaf.chain.as_str(), leaf.key.as_str(), None),
        (&(leaf.chain.clone() + &root.pem()), &("text before\n".to_owned() + &leaf.key), None),
        ("", &leaf.key, Some(no_certificate)),
        (&leaf.key, &leaf.key, Some(no_certificate)),
        ("\u{30}\u{1}", &leaf.key, Some(no_certificate)),
        (&leaf.chain, "", Some("`k` has no key in it (`-----BEGIN PRIVATE KEY-----`)")),
        (&leaf.chain, &other.key, Some("`k` is not the key of the first certificate in `c`")),
        (&(root.pem() + &leaf.chain), &leaf.key, Some("`k` is not the key of the first certificate in `c`")),
        (&leaf.chain, encrypted, Some(is_encrypted)),
        (&leaf.chain, older, Some(is_encrypted)),
        (&leaf.chain, junk_key, Some(unusable)),
        (junk, &leaf.key, Some("`c` begins with a certificate that is malformed")),
        (&leaf.chain[..200], &leaf.key, Some("`c` has a section without its `-----END ...-----` line")),
        (&leaf.chain.replace('M', "!"), &leaf.key, Some("`c` has a section that is not Base64")),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(of(chain, key), expected, "{chain} {key}");
    }
    assert_eq!(of("", "").len(), 2, "all at once");
}

#[test]
fn sizes() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["a"]);
    let chain = leaf.chain.clone() + &root.pem().repeat(16);
    assert!(of(&chain, &leaf.key)[0].contains("has 17 certificates of"));
    let large = root.make(LeafParams::new(&["a"]).padded(61 << 10));
    assert!(of(&large.chain, &large.key)[0].contains("which is too long for a chain"));
    let comment = "#".repeat((256 << 10) + 1);
    assert_eq!(of(&comment, &leaf.key), ["`c` has more than 262144 bytes"]);
    assert_eq!(of(&leaf.chain, &comment), ["`k` has more than 262144 bytes"]);
}

#[test]
fn authorities_and_lists() {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let junk = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let broken_list = "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n";
    let with = |material: AuthorityMaterial| {
        let certificates = vec![certificate(&root.leaf(&["a"]))];
        problems(
            &mutual(true),
            &Material { certificates, authorities: Some(material), ..Material::default() },
        )
    };
    let both = root.pem() + &other.pem();
    assert!(with(authorities(&both, Some(&root.revoked(&[1])))).is_empty());
    let partly = with(authorities(&(root.pem() + junk), None));
    assert_eq!(partly, ["`ca.crt` has 1 of 2 certificates that are malformed, and not used"]);
    let none = with(authorities(junk, None));
    assert_eq!(none, ["`ca.crt` has 1 of 1 certificates that are malformed, and not used"]);
    let missing = with(authorities("", None));
    assert_eq!(missing, ["`ca.crt` has no certificate in it (`-----BEGIN CERTIFICATE-----`)"]);
    let list = with(authorities(&root.pem(), Some("")));
    assert_eq!(list, ["`ca.crl` has no list of revoked certificates in it (`-----BEGIN X509 CRL-----`)"]);
    let list = with(authorities(&root.pem(), Some(broken_list)));
    assert!(
        list[0].starts_with("`ca.crl` has a list of revoked certificates that can't be used: "),
        "{list:?}"
    );
    let certificates = vec![certificate(&root.leaf(&["a"]))];
    let nobody = problems(&mutual(true), &Material { certificates, ..Material::default() });
    assert_eq!(
        nobody,
        ["Gateway infra/public servers[0] has no authorities for the certificates of clients"]
    );
}

#[test]
fn what_is_shared_is_read_once() {
    let (root, theirs) = (Authority::new("root"), Authority::new("theirs"));
    let list = theirs.revoked(&[1]);
    let make = |place: &str| Material {
        certificates: vec![CertificateMaterial {
            chain: bytes(place, &root.leaf(&["a"]).chain),
            ..certificate(&root.leaf(&["a"]))
        }],
        authorities: Some(authorities(&theirs.pem(), Some(&list))),
        ..Material::default()
    };
    let (material, other) = (make("c"), make("other"));
    let cache = Cache::default();
    let first = cache.authorities(material.authorities.as_ref().unwrap()).0.unwrap();
    let again = cache.authorities(other.authorities.as_ref().unwrap()).0.unwrap();
    assert!(Arc::ptr_eq(&first.clients().unwrap(), &again.clients().unwrap()));
    // The same problem in another place is another one.
    let said = |material: &Material| cache.certified(&material.certificates[0]).1[0].to_string();
    assert_eq!(said(&material), "`tls.key` is not the key of the first certificate in `c`");
    assert_eq!(said(&other), "`tls.key` is not the key of the first certificate in `other`");
    assert_ne!(material.digest(), other.digest());
    assert_eq!(material.digest(), material.clone().digest());
}

#[test]
fn nothing_tells_a_key() {
    let root = Authority::new("root");
    let material = certificate(&root.leaf(&["a"]));
    let text = format!("{material:?}");
    assert!(!text.contains("PRIVATE") && !text.contains("MI"), "{text}");
}
