//! `tls` of a Gateway's server (specification sections 1.6 and 1.7, in the order of 1.7).

use super::{
    place::{Place, conflicting, missing, text, without_effect},
    protocol::Protocol,
    tls_parameters::{check_cipher_suites, check_curves},
};
use crate::config::{
    Diagnostic, Spanned,
    resources::{Server, ServerTlsMode as Mode, ServerTlsSettings, TlsProtocol},
};

#[cfg(test)]
mod tests;

/// The most Secrets of one server: one for each kind of key.
const CREDENTIALS_MAX: usize = 2;

/// `protocol` is the server's, if it is a good one. Where the protocol does not allow TLS, what is in `tls` is not
/// looked at: it has to go.
pub(super) fn check(server: &Server, protocol: Option<Protocol>, at: &Place<'_>) {
    let Some(tls) = &server.tls else {
        if protocol.is_some_and(Protocol::is_tls) {
            let help = "write `tls: {mode: SIMPLE, credentialName: ...}` to end TLS here, \
                        or `tls: {mode: PASSTHROUGH}` to route by SNI";
            at.absent("tls").report(missing("tls").help(help));
        }
        return;
    };
    let at = at.field("tls", tls);
    let redirect = tls.https_redirect.as_ref().filter(|redirect| ***redirect);
    if let Some(redirect) = redirect
        && protocol.is_some_and(|protocol| !protocol.is_http())
    {
        let problem = without_effect("httpsRedirect", "only a port that speaks plain HTTP can redirect");
        at.field("httpsRedirect", redirect)
            .report(problem.help("put it on the server for HTTP, usually on port 80"));
    }
    match protocol {
        Some(protocol) if protocol.is_http() && has_tls_for_http(tls) => {
            let problem = Diagnostic::error(
                "tls-on-plain-port",
                "a port that speaks plain HTTP can't have TLS settings",
            );
            at.report(problem.help("write `protocol: HTTPS`; only `httpsRedirect` goes with HTTP"));
        }
        Some(protocol) if !protocol.is_http() && !protocol.is_tls() => {
            let problem = Diagnostic::error(
                "tls-on-plain-port",
                "a port that speaks plain TCP can't have TLS settings",
            );
            at.report(problem.help("write `protocol: TLS`, or remove `tls`"));
        }
        _ => check_settings(tls, protocol, &at),
    }
}

/// `credentialName` alone is not caught here, but warned of with the mode that is then in force.
fn has_tls_for_http(tls: &ServerTlsSettings) -> bool {
    let files = [&tls.ca_certificates, &tls.private_key, &tls.server_certificate];
    !is_passthrough(mode(tls)) || files.into_iter().any(|file| text(file).is_some())
}

fn check_settings(tls: &ServerTlsSettings, protocol: Option<Protocol>, at: &Place<'_>) {
    check_versions(tls, at);
    check_cipher_suites(&tls.cipher_suites, at);
    check_curves(&tls.ecdh_curves, at);
    check_pins(tls, at);
    let mode = mode(tls);
    if mode == Mode::IstioMutual {
        return refuse_certificates(tls, at);
    }
    if is_passthrough(mode) {
        warn_of_certificates(tls, protocol, at);
    }
    if mode == Mode::Simple {
        warn_of_client_settings(tls, at);
    }
    check_one_source(tls, at);
    let is_terminating = !is_passthrough(mode);
    let is_mutual = matches!(mode, Mode::Mutual | Mode::OptionalMutual);
    if is_terminating && has_credential(tls) {
        return warn_of_files(tls, is_mutual, at);
    }
    if is_mutual && text(&tls.ca_certificates).is_none() {
        let help =
            "name the file with the authorities of client certificates, or a Secret with `credentialName`";
        let message = format!("{} needs `caCertificates`", mode.name());
        at.absent("caCertificates").report(Diagnostic::error("missing-field", message).help(help));
    }
    check_certificates(tls, is_terminating, at);
    check_revocations(tls, mode, at);
}

fn mode(tls: &ServerTlsSettings) -> Mode {
    tls.mode.as_ref().map(|mode| **mode).unwrap_or_default()
}

fn is_passthrough(mode: Mode) -> bool {
    matches!(mode, Mode::Passthrough | Mode::AutoPassthrough)
}

fn has_credential(tls: &ServerTlsSettings) -> bool {
    text(&tls.credential_name).is_some() || !tls.credential_names.is_empty()
}

fn check_versions(tls: &ServerTlsSettings, at: &Place<'_>) {
    let (min, max) = (&tls.min_protocol_version, &tls.max_protocol_version);
    if let Some(min) = min
        && matches!(**min, TlsProtocol::V1_0 | TlsProtocol::V1_1)
    {
        let message = format!("{} is not spoken: the lowest version is TLSV1_2", min.name());
        let problem = Diagnostic::warning("old-tls-version", message);
        let help = "RFC 8996 takes the older versions out of use: leave the field out";
        at.field("minProtocolVersion", min).report(problem.help(help));
    }
    let chosen = |version: &Option<Spanned<TlsProtocol>>, default| {
        version
            .as_ref()
            .map(|version| **version)
            .filter(|version| *version != TlsProtocol::Auto)
            .unwrap_or(default)
    };
    let (lowest, highest) = (chosen(min, TlsProtocol::V1_2), chosen(max, TlsProtocol::V1_3));
    if lowest as u8 > highest as u8 {
        let message =
            format!("the lowest version, {}, is above the highest, {}", lowest.name(), highest.name());
        let problem = Diagnostic::error("bad-tls-version", message).help("no client could connect");
        match (min, max) {
            (Some(min), _) => at.field("minProtocolVersion", min).report(problem),
            (None, Some(max)) => at.field("maxProtocolVersion", max).report(problem),
            (None, None) => {}
        }
    }
}

/// Pins of client certificates, which istiod hands on with Secrets only.
fn check_pins(tls: &ServerTlsSettings, at: &Place<'_>) {
    for (at, pin) in at.items("verifyCertificateSpki", &tls.verify_certificate_spki) {
        if !is_base64_sha256(pin) {
            let problem = Diagnostic::error("bad-pin", "this is not the base64 of a SHA-256 hash");
            at.report(problem.help("expected 44 characters, the last of which is `=`"));
        }
    }
    for (at, pin) in at.items("verifyCertificateHash", &tls.verify_certificate_hash) {
        if !is_hex_sha256(pin) {
            let problem = Diagnostic::error("bad-pin", "this is not the hexadecimal form of a SHA-256 hash");
            at.report(problem.help("expected 64 hexadecimal digits, or 32 pairs with `:` between them"));
        }
    }
    let is_mutual = matches!(mode(tls), Mode::Mutual | Mode::OptionalMutual);
    let pins = [
        ("verifyCertificateSpki", tls.verify_certificate_spki.first()),
        ("verifyCertificateHash", tls.verify_certificate_hash.first()),
    ];
    for (name, pin) in pins.into_iter().filter_map(|(name, pins)| Some((name, pins?))) {
        if is_mutual && !has_credential(tls) {
            let problem = without_effect(name, "certificates in files are not pinned");
            at.absent(name).pointing_at(pin.span).report(problem.help("use a Secret, with `credentialName`"));
        }
    }
}

fn is_base64_sha256(pin: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    pin.strip_suffix('=').is_some_and(|digits| digits.len() == 43 && digits.bytes().all(is_base64))
}

fn is_hex_sha256(pin: &str) -> bool {
    let digits: String = match pin.contains(':') {
        true if pin.split(':').any(|pair| pair.len() != 2) => return false,
        true => pin.split(':').collect(),
        false => pin.to_owned(),
    };
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// ISTIO_MUTUAL uses the workload's own identity: every other source is a mistake.
fn refuse_certificates(tls: &ServerTlsSettings, at: &Place<'_>) {
    for (name, span) in certificate_fields(tls) {
        let problem = Diagnostic::error("conflicting-fields", format!("`{name}` can't go with ISTIO_MUTUAL"));
        let help =
            "ISTIO_MUTUAL uses the workload's own certificate: remove the field, or write `mode: MUTUAL`";
        at.absent(name).pointing_at(span).report(problem.help(help));
    }
}

/// A missing mode is PASSTHROUGH, which is the most common mistake of all.
fn warn_of_certificates(tls: &ServerTlsSettings, protocol: Option<Protocol>, at: &Place<'_>) {
    let crl = text(&tls.ca_crl).map(|crl| ("caCrl", crl.span));
    let Some((name, span)) = certificate_fields(tls).into_iter().chain(crl).next() else { return };
    let is_plain = protocol.is_some_and(Protocol::is_http);
    let (why, help) = match &tls.mode {
        _ if is_plain => {
            ("the port speaks plain HTTP", "write `protocol: HTTPS` and `mode: SIMPLE`, or remove it")
        }
        None => (
            "`mode` is absent, and then it is PASSTHROUGH, which uses no certificates",
            "write `mode: SIMPLE` (or MUTUAL) to end TLS here",
        ),
        Some(_) => {
            ("TLS is passed through, which uses no certificates", "remove it, or write `mode: SIMPLE`")
        }
    };
    at.absent(name).pointing_at(span).report(without_effect(name, why).help(help));
}

/// The fields that name certificates, keys, authorities or Secrets, as far as they are set.
fn certificate_fields(tls: &ServerTlsSettings) -> Vec<(&'static str, crate::config::Span)> {
    let texts = [
        ("serverCertificate", &tls.server_certificate),
        ("privateKey", &tls.private_key),
        ("caCertificates", &tls.ca_certificates),
        ("credentialName", &tls.credential_name),
    ];
    let texts = texts.into_iter().filter_map(|(name, field)| Some((name, text(field)?.span)));
    let pairs = tls.tls_certificates.first().map(|first| ("tlsCertificates", first.span));
    let names = tls.credential_names.first().map(|first| ("credentialNames", first.span));
    texts.chain(pairs).chain(names).collect()
}

/// At most one of: a pair of files, several pairs, a Secret, several Secrets. Half a pair does not count.
fn check_one_source(tls: &ServerTlsSettings, at: &Place<'_>) {
    let has_pair = text(&tls.server_certificate).is_some() && text(&tls.private_key).is_some();
    let fields = certificate_fields(tls);
    let mut sources = fields.into_iter().filter(|(name, _)| match *name {
        "serverCertificate" => has_pair,
        "credentialName" | "credentialNames" | "tlsCertificates" => true,
        _ => false,
    });
    let Some((first, first_span)) = sources.next() else { return };
    for (other, span) in sources {
        let problem = conflicting(first, other).label(first_span, "the other one");
        let help = "certificates come from one of: serverCertificate and privateKey, tlsCertificates, \
                    credentialName, credentialNames";
        at.absent(other).pointing_at(span).report(problem.help(help));
    }
    if let Some(extra) = tls.credential_names.get(CREDENTIALS_MAX) {
        let problem = Diagnostic::error("too-many-items", format!("more than {CREDENTIALS_MAX} credentials"));
        let help = "one for an RSA and one for an ECDSA certificate";
        at.absent("credentialNames").pointing_at(extra.span).report(problem.help(help));
    }
}

/// Certificates, authorities and revocations all come from the Secret.
fn warn_of_files(tls: &ServerTlsSettings, is_mutual: bool, at: &Place<'_>) {
    let has_pair = text(&tls.server_certificate).is_some() && text(&tls.private_key).is_some();
    let fields = [
        // The pair is refused as a second source.
        ("serverCertificate", &tls.server_certificate, !has_pair),
        ("privateKey", &tls.private_key, !has_pair),
        // For SIMPLE, that has been said.
        ("caCertificates", &tls.ca_certificates, is_mutual),
        ("caCrl", &tls.ca_crl, true),
    ];
    for (name, field, counts) in fields {
        if let Some(file) = text(field).filter(|_| counts) {
            let problem = without_effect(name, "the Secret that `credentialName` names has all of them");
            at.field(name, file).report(problem.help("remove it, or use files only"));
        }
    }
}

/// Certificates in files: each with its key.
fn check_certificates(tls: &ServerTlsSettings, is_terminating: bool, at: &Place<'_>) {
    if let Some(extra) = tls.tls_certificates.get(CREDENTIALS_MAX) {
        let problem =
            Diagnostic::warning("too-many-items", format!("more than {CREDENTIALS_MAX} certificates"));
        let help = "one RSA and one ECDSA certificate are meant; Kubernetes refuses more";
        at.absent("tlsCertificates").pointing_at(extra.span).report(problem.help(help));
    }
    for (at, pair) in at.items("tlsCertificates", &tls.tls_certificates) {
        if let Some(ca) = text(&pair.ca_certificates) {
            let problem = without_effect("caCertificates", "only the one beside `tlsCertificates` is used");
            at.field("caCertificates", ca).report(problem);
        }
    }
    if !is_terminating {
        return;
    }
    const CERTIFICATE_HELP: &str =
        "name the file with the certificate chain, or a Secret with `credentialName`";
    const KEY_HELP: &str = "name the file with the private key, or a Secret with `credentialName`";
    for (at, pair) in at.items("tlsCertificates", &tls.tls_certificates) {
        at.require_text("serverCertificate", &pair.server_certificate, CERTIFICATE_HELP);
        at.require_text("privateKey", &pair.private_key, KEY_HELP);
    }
    if tls.tls_certificates.is_empty() {
        at.require_text("serverCertificate", &tls.server_certificate, CERTIFICATE_HELP);
        at.require_text("privateKey", &tls.private_key, KEY_HELP);
    }
}

fn check_revocations(tls: &ServerTlsSettings, mode: Mode, at: &Place<'_>) {
    let Some(crl) = text(&tls.ca_crl) else { return };
    let at = at.field("caCrl", crl);
    if text(&tls.credential_name).is_some() {
        let problem = conflicting("credentialName", "caCrl");
        at.report(problem.help("put the list into the Secret, as `ca.crl`"));
    }
    if mode == Mode::Simple {
        let problem = Diagnostic::error("conflicting-fields", "`caCrl` can't go with SIMPLE");
        at.report(problem.help("SIMPLE asks for no client certificates: remove it, or write `mode: MUTUAL`"));
    }
}

/// SIMPLE asks no client for a certificate, so there is nothing to compare.
fn warn_of_client_settings(tls: &ServerTlsSettings, at: &Place<'_>) {
    let first = |list: &[Spanned<String>]| list.first().map(|first| first.span);
    let fields = [
        ("subjectAltNames", first(&tls.subject_alt_names)),
        ("verifyCertificateSpki", first(&tls.verify_certificate_spki)),
        ("verifyCertificateHash", first(&tls.verify_certificate_hash)),
        ("caCertificates", text(&tls.ca_certificates).map(|file| file.span)),
        ("caCertCredentialName", text(&tls.ca_cert_credential_name).map(|name| name.span)),
        (
            "insecureSkipVerify",
            tls.insecure_skip_verify.as_ref().filter(|skip| ***skip).map(|skip| skip.span),
        ),
    ];
    for (name, span) in fields.into_iter().filter_map(|(name, span)| Some((name, span?))) {
        let problem = without_effect(name, "SIMPLE asks for no client certificates");
        at.absent(name).pointing_at(span).report(problem.help("write `mode: MUTUAL` to ask for them"));
    }
}
