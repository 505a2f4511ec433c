//! A real MongoDB driver through a MONGO server: `tests/mongo/cases.py`.

use super::{
    harness::{Gateway, service_entry},
    origin::dead_port,
    python,
};

const COMMANDS: &str = "sluicegate_mongo_commands_total";
const ERRORS: &str = "sluicegate_mongo_errors_total";
/// The driver, the server that keeps what it is given, and the one that does what a script says.
const PACKAGES: &[&str] = &["pymongo==4.20.0", "nx-27017==0.8.1", "mockupdb==1.8.1"];

/// A Gateway with a MONGO server on port 27017 that leads to this port.
pub(crate) fn mongo_yaml(backend: u16) -> String {
    let entry = service_entry("mongo.internal", backend).replace("protocol: HTTP,", "protocol: MONGO,");
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  \
         - {{port: {{number: 27017, name: mongo, protocol: MONGO}}, bind: 127.0.0.1, hosts: ['*']}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: mongo}}\nspec:\n  \
         hosts: ['*']\n  gateways: [gw]\n  tcp:\n  \
         - route: [{{destination: {{host: mongo.internal}}}}]\n{entry}"
    )
}

/// Runs `tests/mongo/cases.py` between a gateway's port and a backend's; nothing if there is no such Python.
pub(crate) fn cases(gateway: u16, backend: u16, more: &[&str]) -> Option<String> {
    let ports = [gateway.to_string(), backend.to_string()];
    let arguments = ports.iter().map(String::as_str).chain(more.iter().copied());
    python::cases("mongo", PACKAGES, "mongo/cases.py", arguments)
}

#[test]
fn a_real_driver_works_and_its_commands_are_counted() {
    let backend = dead_port();
    let gateway = Gateway::start(&[27017], &mongo_yaml(backend));
    if let Some(said) = cases(gateway.port(27017), backend, &[]) {
        let page = gateway.admin_page("/stats/prometheus");
        for (kind, metric) in [("sent: ", COMMANDS), ("refused: ", ERRORS)] {
            let counted = said.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
            for (name, count) in counted.split(' ').map(|pair| pair.split_once('=').unwrap()) {
                let ours = total(page.text(), metric, &format!("command=\"{name}\""));
                assert_eq!(ours, count.parse::<f64>().unwrap(), "{kind}{name}\n{said}\n{}", page.text());
            }
        }
        // What the driver does not count among its commands.
        assert!(total(page.text(), COMMANDS, "command=\"ismaster\"") > 0.0);
        assert!(total(page.text(), "sluicegate_mongo_duration_seconds_count", "database=\"shop\"") > 500.0);
    }
    gateway.stop();
}

/// The sum of a metric over all series with this label.
fn total(page: &str, metric: &str, label: &str) -> f64 {
    let lines = page.lines().filter(|line| line.split('{').next() == Some(metric) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}
