//! Writes the configuration with many virtual hosts.

use std::fmt::Write;

/// As many as a gateway shared by a large company has.
const HOSTS: usize = 10_000;
/// The last of them takes what the others leave.
const ROUTES: usize = 10;

/// A VirtualService for each host, whose routes go to the origin's port.
pub(crate) fn many(origin_port: u16) -> String {
    // Some 1.1 KiB each.
    let mut text = String::with_capacity(HOSTS * 1200);
    let destination = format!("{{host: origin.bench, port: {{number: {origin_port}}}}}");
    for host in 0..HOSTS {
        let _infallible = write!(
            text,
            "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: host-{host:05}, namespace: default}}
spec:
  hosts: [host-{host:05}.bench.test]
  gateways: [bench]
  http:
"
        );
        for route in 0..ROUTES - 1 {
            let _infallible = write!(
                text,
                "  - match: [{{uri: {{prefix: /service-{route}/}}}}]
    route: [{{destination: {destination}}}]
"
            );
        }
        let _infallible = writeln!(text, "  - route: [{{destination: {destination}}}]");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_all_hosts_and_routes() {
        let text = many(9001);
        assert_eq!(text.matches("kind: VirtualService").count(), HOSTS);
        assert_eq!(text.matches("- match:").count() + HOSTS, HOSTS * ROUTES);
        assert_eq!(
            text.matches("destination: {host: origin.bench, port: {number: 9001}}").count(),
            HOSTS * ROUTES
        );
    }
}
