//! Versions, cipher suites and groups: what the mesh says, then what the server says, field by field (specification
//! section 1.6). What is not known, and what can't be had, `validate` has reported; here it is left out.

use crate::{
    config::{
        Spanned,
        resources::{MeshTlsConfig, MeshTlsProtocol, ServerTlsSettings, TlsProtocol},
    },
    tls::{Group, Parameters, Suite},
};

/// A version of TLS that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Tls12,
    Tls13,
}

/// No version is left: for a message, what the bounds are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoVersion {
    pub(super) lowest: &'static str,
    pub(super) highest: &'static str,
}

/// What holds for a server. `mesh` is nothing for `ISTIO_MUTUAL`, whose servers have the default.
pub(super) fn parameters(
    tls: &ServerTlsSettings,
    mesh: Option<&MeshTlsConfig>,
) -> Result<Parameters, NoVersion> {
    let of_mesh = mesh.and_then(|mesh| mesh.min_protocol_version.as_ref()).map(|version| version.value);
    let of_mesh = match of_mesh {
        None | Some(MeshTlsProtocol::Auto) => TlsProtocol::V1_2,
        Some(MeshTlsProtocol::V1_2) => TlsProtocol::V1_2,
        Some(MeshTlsProtocol::V1_3) => TlsProtocol::V1_3,
    };
    let chosen = |version: &Option<Spanned<TlsProtocol>>, default| {
        let written = version.as_ref().map(|version| version.value);
        written.filter(|version| *version != TlsProtocol::Auto).unwrap_or(default)
    };
    let (lowest, highest) =
        (chosen(&tls.min_protocol_version, of_mesh), chosen(&tls.max_protocol_version, TlsProtocol::V1_3));
    let least = at_least(lowest);
    let Some(most) = exactly(highest).filter(|most| *most >= least) else {
        return Err(NoVersion { lowest: lowest.name(), highest: highest.name() });
    };
    let list = |own: &[Spanned<String>], of_mesh: Option<&[Spanned<String>]>| -> Vec<String> {
        let list = if own.is_empty() { of_mesh.unwrap_or_default() } else { own };
        list.iter().map(|name| name.value.clone()).collect()
    };
    let suites = list(&tls.cipher_suites, mesh.map(|mesh| mesh.cipher_suites.as_slice()));
    let groups = list(&tls.ecdh_curves, mesh.map(|mesh| mesh.ecdh_curves.as_slice()));
    Ok(Parameters {
        tls12: least == Version::Tls12,
        tls13: most == Version::Tls13,
        suites: self::suites(&suites),
        groups: self::groups(&groups),
    })
}

/// What holds for a destination: the mesh's suites and groups (its lowest version is for servers).
pub(super) fn of_client(mesh: Option<&MeshTlsConfig>) -> Parameters {
    let list = |list: &[Spanned<String>]| list.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
    let Some(mesh) = mesh else { return Parameters::default() };
    Parameters {
        suites: suites(&list(&mesh.cipher_suites)),
        groups: groups(&list(&mesh.ecdh_curves)),
        ..Parameters::default()
    }
}

/// What is below 1.2 is not spoken at all.
fn at_least(version: TlsProtocol) -> Version {
    if version == TlsProtocol::V1_3 { Version::Tls13 } else { Version::Tls12 }
}

fn exactly(version: TlsProtocol) -> Option<Version> {
    match version {
        TlsProtocol::V1_2 => Some(Version::Tls12),
        TlsProtocol::V1_3 | TlsProtocol::Auto => Some(Version::Tls13),
        TlsProtocol::V1_0 | TlsProtocol::V1_1 => None,
    }
}

/// The suites of a list; none: all. OpenSSL's words: `ALL`, and `!`, `-` and `+` before a name, which take it out or put
/// it behind all others.
fn suites(list: &[String]) -> Vec<Suite> {
    let mut suites: Vec<Suite> = Vec::new();
    for entry in list {
        let (operator, name) = match entry.split_at_checked(1) {
            Some((operator @ ("!" | "-" | "+"), name)) => (operator, name),
            _ => ("", entry.as_str()),
        };
        if name == "ALL" && operator.is_empty() {
            let more: Vec<Suite> = Suite::ALL.into_iter().filter(|suite| !suites.contains(suite)).collect();
            suites.extend(more);
            continue;
        }
        let Some(suite) = Suite::parse(name) else { continue };
        let was_there = suites.contains(&suite);
        match operator {
            "" if was_there => {}
            "" => suites.push(suite),
            _ => {
                suites.retain(|known| *known != suite);
                suites.extend((operator == "+" && was_there).then_some(suite));
            }
        }
    }
    suites
}

fn groups(list: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for group in list.iter().filter_map(|name| Group::parse(name)) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &str) -> Vec<String> {
        names.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn lists_of_suites() {
        use Suite::*;
        assert_eq!(suites(&list("ECDHE-RSA-AES256-GCM-SHA384 fake AES128-SHA")), [RsaAes256]);
        assert_eq!(suites(&list("ALL")), Suite::ALL);
        assert_eq!(suites(&list("ALL !ECDHE-RSA-CHACHA20-POLY1305")).len(), Suite::ALL.len() - 1);
        let moved = suites(&list("ALL +ECDHE-ECDSA-AES128-GCM-SHA256"));
        assert_eq!((moved.len(), moved.last()), (Suite::ALL.len(), Some(&EcdsaAes128)));
        let twice = "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256";
        assert_eq!(suites(&list(twice)), [RsaAes128, EcdsaAes128]);
        assert_eq!(suites(&list("AES128-SHA  -")), []);
    }

    #[test]
    fn lists_of_groups() {
        assert_eq!(groups(&list("P-521 P-384 X25519Kyber768Draft00 P-384")), [Group::P384]);
    }
}
