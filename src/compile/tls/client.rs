//! `tls` of a DestinationRule to a spec (specification section 4.6).

use super::{
    TlsInputs,
    credential::Credential,
    parameters,
    secrets::{Needs, SecretUse},
};
use crate::{
    compile::{
        clusters::PolicyPlace,
        origin::title,
        report::Report,
        services::{Service, ServicePort},
        validate::Protocol,
    },
    config::{
        Diagnostic, Span, Spanned,
        resources::{ClientTlsMode as Mode, ClientTlsSettings},
    },
    table::{ClientTlsId, ServerName, UpstreamTls},
    tls::{
        AuthoritySource, CertificateSource, ClientSpec, NameRule, Parameters, SecretName, ServerVerification,
    },
};
use std::collections::HashMap;

/// What is offered to sidecars with HTTP in it, as Istio's own proxies do.
const ALPN_MESH_HTTP: &[&[u8]] = &[b"istio-http/1.1", b"istio", b"http/1.1"];
/// The same for TCP, without `istio-peer-exchange`: that would begin with messages of the proxies about themselves.
const ALPN_MESH_TCP: &[&[u8]] = &[b"istio"];

/// What is offered where HTTP/2 goes (specification section 4.6).
const ALPN_HTTP2: &[&[u8]] = &[b"h2"];
/// The same to sidecars.
const ALPN_MESH_HTTP2: &[&[u8]] = &[b"istio-h2", b"istio", b"h2"];

/// Makes the specs of destinations; equal ones once.
pub(in crate::compile) struct ClientTls<'r, 'w> {
    inputs: TlsInputs<'r, 'w>,
    specs: Vec<ClientSpec>,
    /// By the names of the specs: few share one.
    by_name: HashMap<Box<str>, Vec<ClientTlsId>>,
    uses: Vec<SecretUse>,
    /// What is said of settings that do less than they seem to.
    warnings: Vec<(Span, Diagnostic)>,
}

/// A destination whose DestinationRule has `tls`.
pub(in crate::compile) struct Upstream<'a, 'r> {
    pub(in crate::compile) tls: &'r Spanned<ClientTlsSettings>,
    pub(in crate::compile) place: PolicyPlace<'r>,
    pub(in crate::compile) service: &'a Service<'r>,
    pub(in crate::compile) port: &'a ServicePort<'r>,
    pub(in crate::compile) subset: &'a str,
}

impl Upstream<'_, '_> {
    fn mode(&self) -> Mode {
        self.tls.mode.as_ref().map(|mode| mode.value).unwrap_or_default()
    }
}

impl<'r, 'w> ClientTls<'r, 'w> {
    pub(in crate::compile) fn new(inputs: TlsInputs<'r, 'w>) -> ClientTls<'r, 'w> {
        ClientTls {
            inputs,
            specs: Vec::new(),
            by_name: HashMap::new(),
            uses: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The specs, and the Secrets that they name.
    pub(in crate::compile) fn finish(self, report: &mut Report) -> (Vec<ClientSpec>, Vec<SecretUse>) {
        for (span, warning) in self.warnings {
            report.add(warning.code, span, || warning);
        }
        (self.specs, self.uses)
    }

    /// Whether the name in a certificate is only checked against that of the request's host.
    pub(in crate::compile) fn needs_server_name(&self, tls: &UpstreamTls) -> bool {
        let verify = self.specs.get(tls.context.0 as usize).map(|spec| &spec.verify);
        let by_name = matches!(verify, Some(ServerVerification::Chain { names: NameRule::ServerName, .. }));
        by_name && tls.server_name == ServerName::FromAuthority
    }

    /// How TLS is spoken to a destination; nothing for `DISABLE`.
    ///
    /// # Errors
    /// It can't be had: `... has no endpoints: {this}`.
    pub(in crate::compile) fn of(&mut self, to: &Upstream<'_, 'r>) -> Result<Option<UpstreamTls>, String> {
        let (certificate, verify) = match to.mode() {
            Mode::Disable => return Ok(None),
            Mode::Simple => (None, self.verification(to)?),
            Mode::Mutual => (Some(self.certificate(to)?), self.verification(to)?),
            Mode::IstioMutual => self.of_mesh(to)?,
        };
        let is_mesh = to.mode() == Mode::IstioMutual;
        let alpn: &[&[u8]] = match is_mesh {
            true if is_tcp(to.port) => ALPN_MESH_TCP,
            true => ALPN_MESH_HTTP,
            false => &[],
        };
        let alpn_http2 = if is_mesh { ALPN_MESH_HTTP2 } else { ALPN_HTTP2 };
        let rule_title = title(&to.place.rule.object);
        let context = self.share(ClientSpec {
            name: (*rule_title).into(),
            place: super::place(self.inputs.origins, &rule_title, to.tls.span, to.place.path.clone()),
            certificate,
            verify,
            parameters: match is_mesh {
                true => Parameters::default(),
                false => parameters::of_client(self.inputs.mesh.tls_defaults()),
            },
            alpn: alpn.iter().map(|name| Box::from(*name)).collect(),
            alpn_http2: alpn_http2.iter().map(|name| Box::from(*name)).collect(),
        });
        let server_name = match (text(&to.tls.sni), is_mesh) {
            (Some(name), _) => ServerName::Fixed(name.to_ascii_lowercase().into()),
            (None, true) => {
                let (port, subset, host) = (to.port.number, to.subset, &to.service.host);
                ServerName::Fixed(format!("outbound_.{port}_.{subset}_.{host}").into())
            }
            (None, false) => ServerName::FromAuthority,
        };
        Ok(Some(UpstreamTls { context, server_name }))
    }

    fn share(&mut self, spec: ClientSpec) -> ClientTlsId {
        let ids = self.by_name.entry(spec.name.clone()).or_default();
        let known = ids.iter().find(|id| self.specs.get(id.0 as usize) == Some(&spec));
        if let Some(known) = known {
            return *known;
        }
        let id = ClientTlsId(self.specs.len() as u32);
        ids.push(id);
        self.specs.push(spec);
        id
    }

    /// `ISTIO_MUTUAL`: both sides show identities of one mesh.
    fn of_mesh(
        &self,
        to: &Upstream<'_, '_>,
    ) -> Result<(Option<CertificateSource>, ServerVerification), String> {
        let Some(identity) = self.inputs.identity else {
            return Err(
                "its DestinationRule says ISTIO_MUTUAL, which uses the gateway's own identity in the mesh; name its files with --identity-cert, --identity-key and --identity-ca"
                    .to_owned(),
            );
        };
        let names = match listed(to) {
            Some(names) => NameRule::Listed(names),
            None => NameRule::Any,
        };
        let authorities = AuthoritySource::Files { authorities: identity.authorities.clone(), revoked: None };
        let verify = ServerVerification::Chain { authorities: Some(authorities), names };
        Ok((Some(super::of_identity(identity)), verify))
    }

    /// The gateway's own certificate.
    fn certificate(&mut self, to: &Upstream<'_, '_>) -> Result<CertificateSource, String> {
        if let Some(written) = text(&to.tls.credential_name) {
            let needs = if skips_verification(to) { Needs::Certificate } else { Needs::Both };
            return self.secret(written, needs, to).map(CertificateSource::Secret);
        }
        match (text(&to.tls.client_certificate), text(&to.tls.private_key)) {
            (Some(certificate), Some(key)) => Ok(CertificateSource::Files {
                certificate: certificate.as_str().into(),
                key: key.as_str().into(),
            }),
            // `validate` has refused the whole object.
            _ => Err("its DestinationRule says MUTUAL without a certificate".to_owned()),
        }
    }

    fn verification(&mut self, to: &Upstream<'_, '_>) -> Result<ServerVerification, String> {
        if skips_verification(to) {
            return Ok(ServerVerification::None);
        }
        let tls = to.tls;
        let revoked = text(&tls.ca_crl).map(|file| file.as_str().into());
        let authorities = match (text(&tls.credential_name), text(&tls.ca_certificates)) {
            (Some(written), _) => {
                let needs = if to.mode() == Mode::Mutual { Needs::Both } else { Needs::Authorities };
                Some(AuthoritySource::Secret(self.secret(written, needs, to)?))
            }
            (None, Some(file)) => Some(AuthoritySource::Files { authorities: file.as_str().into(), revoked }),
            (None, None) if revoked.is_some() => {
                return Err(
                    "its DestinationRule has `caCrl` without `caCertificates`, and the operating system's authorities go without lists of what they have revoked"
                        .to_owned(),
                );
            }
            (None, None) => None,
        };
        let names = match (listed(to), text(&tls.sni)) {
            (Some(names), _) => NameRule::Listed(names),
            (None, None) => NameRule::ServerName,
            (None, Some(sni)) => {
                let message = format!(
                    "certificates of any name are accepted, not only of `{}`: with `sni` set, only those in `subjectAltNames` are compared",
                    sni.value
                );
                let warning = Diagnostic::warning("name-not-checked", message)
                    .about(&to.place.rule.object)
                    .field(format!("{}.sni", to.place.path))
                    .help("add `subjectAltNames`, or leave `sni` out where it is the request's host anyway");
                self.warnings.push((sni.span, warning));
                NameRule::Any
            }
        };
        Ok(ServerVerification::Chain { authorities, names })
    }

    fn secret(
        &mut self,
        written: &Spanned<String>,
        needs: Needs,
        to: &Upstream<'_, '_>,
    ) -> Result<SecretName, String> {
        let name = Credential::parse(written).secret(&self.inputs.workload.namespace);
        let name =
            name.map_err(|(why, help)| format!("its DestinationRule has `credentialName`: {why}; {help}"))?;
        self.uses.push(SecretUse {
            name: name.clone(),
            object: to.place.rule.object.clone(),
            field: format!("{}.credentialName", to.place.path),
            span: written.span,
            needs,
            outcome: "connections to its destinations will fail, and requests are answered 503 (UF)",
        });
        Ok(name)
    }
}

/// `subjectAltNames` of the rule, else those of the ServiceEntry.
fn listed(to: &Upstream<'_, '_>) -> Option<Vec<Box<str>>> {
    let own = to.tls.subject_alt_names.as_slice();
    let list = if own.is_empty() { to.port.subject_alt_names() } else { own };
    (!list.is_empty()).then(|| list.iter().map(|name| name.as_str().into()).collect())
}

fn skips_verification(to: &Upstream<'_, '_>) -> bool {
    to.tls.insecure_skip_verify.as_ref().is_some_and(|switch| switch.value)
}

/// Whether the port carries bytes, not HTTP.
fn is_tcp(port: &ServicePort<'_>) -> bool {
    port.protocol.is_some_and(|protocol| !protocol.is_http() && protocol != Protocol::Https)
}

fn text(field: &Option<Spanned<String>>) -> Option<&Spanned<String>> {
    field.as_ref().filter(|text| !text.is_empty())
}
