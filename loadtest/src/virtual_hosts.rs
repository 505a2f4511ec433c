//! Writes the configurations with many virtual hosts, and with many routes on one.

use std::fmt::Write;

/// As many as a gateway of a middling company has.
pub(crate) const SOME: usize = 100;
/// As many as a gateway shared by a large company has.
pub(crate) const MANY: usize = 10_000;
/// The number in the name of the host in the middle, whatever their number.
const MIDDLE: usize = 5_000;
/// The last of them takes what the others leave.
const ROUTES: usize = 10;
/// Of the one host that has many.
const ROUTES_OF_ONE: usize = 1_000;

/// A VirtualService for each host, whose routes go to the origin's port.
pub(crate) fn hosts(count: usize, origin_port: u16) -> String {
    // Some 1.1 KiB each.
    let mut text = String::with_capacity(count * 1200);
    let first = MIDDLE.saturating_sub(count / 2);
    for host in first..first + count {
        let name = format!("host-{host:05}");
        service(&mut text, &name, &format!("{name}.bench.test"), ROUTES, origin_port);
    }
    text
}

/// One VirtualService for every name, with many routes to the origin's port.
pub(crate) fn routes(origin_port: u16) -> String {
    let mut text = String::new();
    service(&mut text, "bench", "\"*\"", ROUTES_OF_ONE, origin_port);
    text
}

fn service(text: &mut String, name: &str, host: &str, routes: usize, origin_port: u16) {
    let destination = format!("{{host: origin.bench, port: {{number: {origin_port}}}}}");
    let _infallible = write!(
        text,
        "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{host}]
  gateways: [bench]
  http:
"
    );
    for route in 0..routes - 1 {
        let _infallible = write!(
            text,
            "  - match: [{{uri: {{prefix: /service-{route}/}}}}]
    route: [{{destination: {destination}}}]
"
        );
    }
    let _infallible = writeln!(text, "  - route: [{{destination: {destination}}}]");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_all_hosts_and_routes() {
        for count in [SOME, MANY] {
            let text = hosts(count, 9001);
            assert_eq!(text.matches("kind: VirtualService").count(), count);
            assert_eq!(text.matches("- match:").count() + count, count * ROUTES);
            let destination = "destination: {host: origin.bench, port: {number: 9001}}";
            assert_eq!(text.matches(destination).count(), count * ROUTES);
        }
    }

    #[test]
    fn one_host_has_many_routes() {
        let text = routes(9001);
        assert_eq!(text.matches("kind: VirtualService").count(), 1);
        assert_eq!(text.matches("- match:").count(), ROUTES_OF_ONE - 1);
        assert!(text.contains("hosts: [\"*\"]"));
    }
}
