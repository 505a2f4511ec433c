//! `tls` of a Gateway's server to a spec (specification sections 1.6 and 1.8).

use super::{
    TlsInputs,
    credential::Credential,
    parameters::{NoVersion, parameters},
    secrets::{Needs, SecretUse},
};
use crate::{
    compile::{merge::MergedServer, report::Report, select::SelectedGateway, validate::Protocol},
    config::{
        Diagnostic, ObjectRef, Span, Spanned,
        resources::{Bytes, ServerTlsMode as Mode, ServerTlsSettings},
    },
    table::ServerTlsId,
    tls::{
        AuthoritySource, CertificateSource, ClientAuthentication, Parameters, Pins, SecretName, ServerSpec,
    },
};

/// What is offered to clients, whether HTTP or anything else is in it (specification section 1.4). There is no field to
/// change it.
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];
/// What TLS between workloads of a mesh offers where it is not HTTPS. Istio's gateways also offer `istio-peer-exchange`, which means that each
/// side begins with a message about itself; a client that agrees on it here would send one, and nobody would take it out
/// of the stream.
const ALPN_MESH_TCP: &[&[u8]] = &[b"istio", b"h2", b"http/1.1"];

/// Makes the specs of servers.
pub(in crate::compile) struct ServerTls<'r, 'w> {
    inputs: TlsInputs<'r, 'w>,
    specs: Vec<ServerSpec>,
    uses: Vec<SecretUse>,
}

/// One server, for messages.
#[derive(Clone, Copy)]
struct Site<'a> {
    object: &'a ObjectRef,
    position: usize,
    tls: &'a Spanned<ServerTlsSettings>,
}

impl Site<'_> {
    fn field(&self, name: &str) -> String {
        let dot = if name.is_empty() { "" } else { "." };
        format!("spec.servers[{}].tls{dot}{name}", self.position)
    }
}

impl<'r, 'w> ServerTls<'r, 'w> {
    pub(in crate::compile) fn new(inputs: TlsInputs<'r, 'w>) -> ServerTls<'r, 'w> {
        ServerTls { inputs, specs: Vec::new(), uses: Vec::new() }
    }

    /// The specs, and the Secrets that they name.
    pub(in crate::compile) fn finish(self) -> (Vec<ServerSpec>, Vec<SecretUse>) {
        (self.specs, self.uses)
    }

    /// Adds the spec of a server that ends TLS. `None`: it has an error, which is reported.
    pub(in crate::compile) fn add(
        &mut self,
        server: &MergedServer<'_>,
        gateway: &SelectedGateway<'_>,
        report: &mut Report,
    ) -> Option<ServerTlsId> {
        let object = &gateway.resource.object;
        let site = Site { object, position: server.position, tls: server.server.tls.as_ref()? };
        let mode = site.tls.mode.as_ref().map(|mode| mode.value).unwrap_or_default();
        let is_mesh = mode == Mode::IstioMutual;
        let (certificates, client) = match is_mesh {
            true => self.of_mesh(site, report)?,
            false => (self.certificates(mode, site, report)?, self.client(mode, site, report)?),
        };
        let alpn = match (server.protocol, is_mesh) {
            (Protocol::Https, _) | (_, false) => ALPN,
            (_, true) => ALPN_MESH_TCP,
        };
        let spec = ServerSpec {
            name: server_name(gateway, server).into(),
            place: super::place(self.inputs.origins, &gateway.title, site.tls.span, site.field("")),
            certificates,
            client,
            parameters: match is_mesh {
                true => Parameters::default(),
                false => self.parameters(site, report)?,
            },
            alpn: alpn.iter().map(|name| Box::from(*name)).collect(),
        };
        self.specs.push(spec);
        Some(ServerTlsId((self.specs.len() - 1) as u32))
    }

    /// `ISTIO_MUTUAL`: the gateway's own identity, and clients with one of the same mesh.
    fn of_mesh(
        &self,
        site: Site<'_>,
        report: &mut Report,
    ) -> Option<(Vec<CertificateSource>, ClientAuthentication)> {
        let Some(identity) = self.inputs.identity else {
            let place = site.tls.mode.as_ref().map_or(site.tls.span, |mode| mode.span);
            report.add("no-identity", place, || {
                super::no_identity("this server is left out").about(site.object).field(site.field("mode"))
            });
            return None;
        };
        let client = ClientAuthentication::Certificate {
            required: true,
            authorities: AuthoritySource::Files {
                authorities: identity.authorities.clone(),
                revoked: text(&site.tls.ca_crl).map(|file| file.value.as_str().into()),
            },
            names: names(site.tls),
            pins: Pins::default(),
            accept_untrusted: false,
        };
        Some((vec![super::of_identity(identity)], client))
    }

    /// At least one; where the files or names are missing, `validate` has said so.
    fn certificates(
        &mut self,
        mode: Mode,
        site: Site<'_>,
        report: &mut Report,
    ) -> Option<Vec<CertificateSource>> {
        let tls = site.tls;
        let mut sources = Vec::new();
        for (position, (field, written)) in credentials(tls).enumerate() {
            // Of several only the first gives the authorities for clients.
            let gives_authorities =
                is_mutual(mode) && position == 0 && text(&tls.ca_cert_credential_name).is_none();
            let needs = if gives_authorities { Needs::Both } else { Needs::Certificate };
            sources.push(CertificateSource::Secret(self.secret((field, written), needs, site, report)?));
        }
        if !sources.is_empty() {
            return Some(sources);
        }
        let pair = |certificate: &Option<Spanned<String>>, key: &Option<Spanned<String>>| {
            Some(CertificateSource::Files {
                certificate: text(certificate)?.as_str().into(),
                key: text(key)?.as_str().into(),
            })
        };
        if tls.tls_certificates.is_empty() {
            return Some(vec![pair(&tls.server_certificate, &tls.private_key)?]);
        }
        tls.tls_certificates.iter().map(|entry| pair(&entry.server_certificate, &entry.private_key)).collect()
    }

    fn client(&mut self, mode: Mode, site: Site<'_>, report: &mut Report) -> Option<ClientAuthentication> {
        if !is_mutual(mode) {
            return Some(ClientAuthentication::None);
        }
        let tls = site.tls;
        let first = credentials(tls).next().map(|(_, written)| written);
        let authorities = match (text(&tls.ca_cert_credential_name), first) {
            (Some(written), _) => {
                let named = ("caCertCredentialName", written);
                AuthoritySource::Exactly(self.secret(named, Needs::AuthoritiesAlone, site, report)?)
            }
            (None, Some(written)) => {
                let name = Credential::parse(written).secret(&self.inputs.workload.namespace);
                AuthoritySource::Secret(name.ok()?)
            }
            (None, None) => AuthoritySource::Files {
                authorities: text(&tls.ca_certificates)?.as_str().into(),
                revoked: text(&tls.ca_crl).map(|file| file.as_str().into()),
            },
        };
        Some(ClientAuthentication::Certificate {
            required: mode == Mode::Mutual,
            authorities,
            names: names(tls),
            pins: if first.is_some() { pins(tls) } else { Pins::default() },
            accept_untrusted: tls.insecure_skip_verify.as_ref().is_some_and(|switch| switch.value),
        })
    }

    fn secret(
        &mut self,
        (field, written): (&str, &Spanned<String>),
        needs: Needs,
        site: Site<'_>,
        report: &mut Report,
    ) -> Option<SecretName> {
        match Credential::parse(written).secret(&self.inputs.workload.namespace) {
            Ok(name) => {
                self.uses.push(SecretUse {
                    name: name.clone(),
                    object: site.object.clone(),
                    field: site.field(field),
                    span: written.span,
                    needs,
                    outcome: "TLS handshakes of this server will fail",
                });
                Some(name)
            }
            Err((why, help)) => {
                report.add("bad-credential", written.span, || {
                    Diagnostic::error("bad-credential", format!("{why}; this server is left out"))
                        .about(site.object)
                        .field(site.field(field))
                        .help(help)
                });
                None
            }
        }
    }

    fn parameters(&self, site: Site<'_>, report: &mut Report) -> Option<Parameters> {
        let NoVersion { lowest, highest } = match parameters(site.tls, self.inputs.mesh.tls_defaults()) {
            Ok(parameters) => return Some(parameters),
            Err(bounds) => bounds,
        };
        let at = |field: &'static str, version: Option<Span>| version.map(|span| (field, span));
        let place = at("maxProtocolVersion", site.tls.max_protocol_version.as_ref().map(|v| v.span))
            .or_else(|| at("minProtocolVersion", site.tls.min_protocol_version.as_ref().map(|v| v.span)));
        let (field, span) = place.unwrap_or(("maxProtocolVersion", site.tls.span));
        report.add("no-tls-version", span, || {
            let message = format!(
                "no version of TLS from {lowest} to {highest} is spoken here; this server is left out"
            );
            Diagnostic::error("no-tls-version", message)
                .about(site.object)
                .field(site.field(field))
                .help("there are TLSV1_2 and TLSV1_3; meshConfig.tlsDefaults sets the lowest where a server sets none")
        });
        None
    }
}

/// A server for people: `Gateway infra/public servers[1]`.
pub(in crate::compile) fn server_name(gateway: &SelectedGateway<'_>, server: &MergedServer<'_>) -> String {
    format!("{} servers[{}]", gateway.title, server.position)
}

fn is_mutual(mode: Mode) -> bool {
    matches!(mode, Mode::Mutual | Mode::OptionalMutual)
}

/// The Secrets with certificates that a server names.
fn credentials(tls: &ServerTlsSettings) -> impl Iterator<Item = (&'static str, &Spanned<String>)> {
    let one = tls.credential_name.iter().map(|name| ("credentialName", name));
    let several = tls.credential_names.iter().map(|name| ("credentialNames", name));
    one.chain(several).filter(|(_, name)| !name.is_empty())
}

fn text(field: &Option<Spanned<String>>) -> Option<&Spanned<String>> {
    field.as_ref().filter(|text| !text.is_empty())
}

fn names(tls: &ServerTlsSettings) -> Vec<Box<str>> {
    tls.subject_alt_names.iter().map(|name| name.as_str().into()).collect()
}

/// `validate` has refused what is no SHA-256.
fn pins(tls: &ServerTlsSettings) -> Pins {
    let key = |pin: &Spanned<String>| Bytes::from_base64(pin)?.0.try_into().ok();
    Pins {
        keys: tls.verify_certificate_spki.iter().filter_map(key).collect(),
        certificates: tls.verify_certificate_hash.iter().filter_map(|pin| sha256(pin)).collect(),
    }
}

/// Hexadecimal, with or without `:` between the bytes.
fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    let nibble = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(nibble(*high)? * 16 + nibble(*low)?).ok(),
        _ => None,
    };
    digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_in_hexadecimal() {
        let mut expected = [0xab; 32];
        expected[31] = 0x01;
        let plain = format!("{}01", "aB".repeat(31));
        assert_eq!(sha256(&plain), Some(expected));
        assert_eq!(sha256(&format!("{}01", "AB:".repeat(31))), Some(expected));
        assert_eq!(sha256(&plain[1..]), None);
        assert_eq!(sha256(&plain[2..]), None);
    }
}
