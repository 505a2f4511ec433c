//! TLS to the endpoints (specification section 4.6).

use super::super::{
    place::{Place, text, without_effect},
    wording::shown,
};
use crate::config::{
    Diagnostic, Span, Spanned,
    resources::{ClientTlsMode as Mode, ClientTlsSettings},
};

/// `namespace` is that of the DestinationRule.
pub(super) fn check(tls: &ClientTlsSettings, namespace: &str, at: &Place<'_>) {
    let mode = tls.mode.as_ref().map(|mode| **mode).unwrap_or_default();
    match mode {
        Mode::Disable => warn_of_unused(tls, &ALL, "TLS is not spoken", at),
        Mode::IstioMutual => {
            warn_of_unused(tls, &CERTIFICATES, "ISTIO_MUTUAL uses the mesh's own certificates", at)
        }
        Mode::Simple | Mode::Mutual => check_originated(tls, mode, namespace, at),
    }
}

const CERTIFICATES: [&str; 6] =
    ["clientCertificate", "privateKey", "caCertificates", "credentialName", "caCrl", "insecureSkipVerify"];
const ALL: [&str; 8] = [
    "clientCertificate",
    "privateKey",
    "caCertificates",
    "credentialName",
    "caCrl",
    "subjectAltNames",
    "sni",
    "insecureSkipVerify",
];

fn check_originated(tls: &ClientTlsSettings, mode: Mode, namespace: &str, at: &Place<'_>) {
    let skips = tls.insecure_skip_verify.as_ref().filter(|skips| ***skips);
    if let Some(skips) = skips {
        let excluded: &[&str] = match mode {
            Mode::Simple => &["caCertificates", "credentialName", "subjectAltNames"],
            _ => &["caCertificates", "subjectAltNames"],
        };
        let help = "nothing is verified then: remove one of the two";
        refuse(tls, excluded, ("insecureSkipVerify", skips.span), help, at);
    }
    if let Some(credential) = text(&tls.credential_name) {
        let excluded = ["clientCertificate", "privateKey", "caCertificates", "caCrl"];
        let help = "the Secret has all of them: remove the files, or `credentialName`";
        refuse(tls, &excluded, ("credentialName", credential.span), help, at);
        return check_credential(credential, mode, namespace, at);
    }
    if mode == Mode::Mutual {
        const HELP: &str = "MUTUAL shows a certificate: name the files, or a Secret with `credentialName`";
        at.require_text("clientCertificate", &tls.client_certificate, HELP);
        at.require_text("privateKey", &tls.private_key, HELP);
    } else {
        let fields = ["clientCertificate", "privateKey"];
        warn_of_unused(tls, &fields, "SIMPLE shows no certificate; that is `mode: MUTUAL`", at);
    }
}

/// A ConfigMap has authorities only, and must be in the same namespace.
fn check_credential(credential: &Spanned<String>, mode: Mode, namespace: &str, at: &Place<'_>) {
    let Some(reference) = credential.strip_prefix("configmap://") else { return };
    let at = at.field("credentialName", credential);
    let problem = match reference.split_once('/') {
        Some((own, name)) if own == namespace && !name.is_empty() && mode == Mode::Simple => return,
        Some((own, name)) if own == namespace && !name.is_empty() => {
            Diagnostic::error("bad-credential", "a ConfigMap has no private key, which MUTUAL needs")
                .help("name a Secret, or write `mode: SIMPLE`")
        }
        Some((other, _)) if other != namespace => {
            let message = format!("the ConfigMap is in another namespace, `{}`", shown(other));
            Diagnostic::error("bad-credential", message).help(format!("write `configmap://{namespace}/...`"))
        }
        _ => Diagnostic::error("bad-credential", "this names no ConfigMap")
            .help(format!("write `configmap://{namespace}/...`")),
    };
    at.report(problem);
}

/// Reports each of the named fields that is set, although another one excludes it.
fn refuse(
    tls: &ClientTlsSettings,
    names: &[&str],
    (other, other_span): (&str, Span),
    help: &str,
    at: &Place<'_>,
) {
    for (name, span) in fields(tls).into_iter().filter(|(name, _)| names.contains(name)) {
        let problem = super::super::place::conflicting(other, name).label(other_span, "the other one");
        at.absent(name).pointing_at(span).report(problem.help(help));
    }
}

fn warn_of_unused(tls: &ClientTlsSettings, names: &[&str], why: &str, at: &Place<'_>) {
    for (name, span) in fields(tls).into_iter().filter(|(name, _)| names.contains(name)) {
        at.absent(name)
            .pointing_at(span)
            .report(without_effect(name, why).help("remove it, or choose another `mode`"));
    }
}

/// The fields that are set, besides the mode.
fn fields(tls: &ClientTlsSettings) -> Vec<(&'static str, Span)> {
    let of_text = |field: &Option<Spanned<String>>| text(field).map(|field| field.span);
    let skips = tls.insecure_skip_verify.as_ref().filter(|skips| ***skips);
    let fields = [
        ("clientCertificate", of_text(&tls.client_certificate)),
        ("privateKey", of_text(&tls.private_key)),
        ("caCertificates", of_text(&tls.ca_certificates)),
        ("credentialName", of_text(&tls.credential_name)),
        ("caCrl", of_text(&tls.ca_crl)),
        ("subjectAltNames", tls.subject_alt_names.first().map(|name| name.span)),
        ("sni", of_text(&tls.sni)),
        ("insecureSkipVerify", skips.map(|skips| skips.span)),
    ];
    fields.into_iter().filter_map(|(name, span)| Some((name, span?))).collect()
}
