//! Versions, suites and groups.

use crate::tls::{Group, Parameters, Suite};
use rustls::{
    SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{cipher_suite, default_provider, kx_group},
    },
    version,
};
use std::sync::Arc;

/// Which cipher comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    /// The fastest where the processor has instructions for it. 128 bits are as strong as anybody needs.
    Aes,
    /// The fastest where it has none.
    Chacha20,
}

/// Suites of TLS 1.3.
const SUITES_13: [SupportedCipherSuite; 3] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];

/// Suites of TLS 1.2.
const SUITES_12: [Suite; 6] = [
    Suite::EcdsaAes128,
    Suite::EcdsaAes256,
    Suite::EcdsaChacha20,
    Suite::RsaAes128,
    Suite::RsaAes256,
    Suite::RsaChacha20,
];

/// Groups: post-quantum first.
const GROUPS: [Group; 4] = [Group::X25519MlKem768, Group::X25519, Group::P256, Group::P384];

/// The cryptography that these parameters leave. Suites that were chosen stay in the order in which they were.
pub(super) fn provider(parameters: &Parameters, first: Cipher) -> Arc<CryptoProvider> {
    let (mut thirteen, mut twelve) = (SUITES_13.to_vec(), SUITES_12.to_vec());
    if first == Cipher::Chacha20 {
        thirteen.rotate_right(1);
        twelve.sort_by_key(|suite| !matches!(suite, Suite::EcdsaChacha20 | Suite::RsaChacha20));
    }
    let suites = or(&parameters.suites, &twelve).iter().map(|suite| suite_12(*suite));
    let groups = or(&parameters.groups, &GROUPS).iter().map(|group| kx_group(*group));
    Arc::new(CryptoProvider {
        cipher_suites: thirteen.into_iter().chain(suites).collect(),
        kx_groups: groups.collect(),
        ..default_provider()
    })
}

/// The versions that these parameters leave.
pub(super) fn versions(parameters: &Parameters) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(parameters.tls13, &version::TLS13), (parameters.tls12, &version::TLS12)];
    all.into_iter().filter(|(is_spoken, _)| *is_spoken).map(|(_, version)| version).collect()
}

fn or<'a, T>(chosen: &'a [T], all: &'a [T]) -> &'a [T] {
    if chosen.is_empty() { all } else { chosen }
}

fn suite_12(suite: Suite) -> SupportedCipherSuite {
    match suite {
        Suite::EcdsaAes128 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Suite::EcdsaAes256 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Suite::EcdsaChacha20 => cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Suite::RsaAes128 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Suite::RsaAes256 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Suite::RsaChacha20 => cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

fn kx_group(group: Group) -> &'static dyn SupportedKxGroup {
    match group {
        Group::X25519MlKem768 => kx_group::X25519MLKEM768,
        Group::X25519 => kx_group::X25519,
        Group::P256 => kx_group::SECP256R1,
        Group::P384 => kx_group::SECP384R1,
    }
}
