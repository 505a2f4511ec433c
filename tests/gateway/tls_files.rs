//! Certificates where a gateway and its clients look for them: Secrets and files.

use super::certificates::{Authority, Leaf};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A Secret with a certificate, and with the authority that clients are judged by.
pub(crate) fn secret(name: &str, leaf: &Leaf, authority: Option<&Authority>) -> String {
    let mut text = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: default}}\n\
         stringData:\n  tls.crt: {:?}\n  tls.key: {:?}\n",
        leaf.chain, leaf.key
    );
    if let Some(authority) = authority {
        text.push_str(&format!("  ca.crt: {:?}\n", authority.pem()));
    }
    text
}

/// Writes a certificate and its key to files of this name in a folder; returns their paths.
pub(crate) fn files(folder: &Path, name: &str, leaf: &Leaf) -> (PathBuf, PathBuf) {
    let (chain, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    fs::write(&chain, &leaf.chain).unwrap();
    fs::write(&key, &leaf.key).unwrap();
    (chain, key)
}

/// A Gateway `gw` with one HTTPS server on port 443 for `web.test`, with the Secret `web`, and a VirtualService that sends
/// everything to `web.internal`.
pub(crate) const WEB: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 443, name: web, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [web.test]
    tls: {mode: SIMPLE, credentialName: web}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - route: [{destination: {host: web.internal}}]
";
