//! Whatever values a file has: every object is checked without a panic, in the end, and every problem says where it is.
//! What is then compiled holds together.

use super::{testing::problems, validate};
use crate::{
    compile::{Identity, Options, compile},
    config::{self, Severity},
    table::{Chain, ChainAction, Snapshot, TcpRoute},
};

/// Objects with every block that has rules.
const CORPUS: &str = include_str!("mutations.yaml");

/// What values are replaced with.
const VALUES: [&str; 53] = [
    "''",
    "'*'",
    "a",
    "A.b",
    "a_b",
    "'*.a.com'",
    "'*-a.com'",
    "a.*.com",
    "10.0.0.1",
    "'::1'",
    "10.0.0.0/8",
    "/",
    "/a",
    "a/b",
    "ns/a.com",
    "./a",
    "'~'",
    "'.'",
    "mesh",
    "0",
    "1",
    "-1",
    "80",
    "65536",
    "100",
    "101",
    "4294967295",
    "0s",
    "1ms",
    "1us",
    "1h",
    "'%'",
    "'%PROTOCOL%'",
    "'('",
    "'.*'",
    "unix:///a",
    "'unix://'",
    "HTTP",
    "TLS",
    "UDP",
    "true",
    "false",
    "outbound_.80_._.a.b",
    "\"a\\nb\"",
    "TCP",
    "HTTPS",
    "PASSTHROUGH",
    "SIMPLE",
    "MUTUAL",
    "ISTIO_MUTUAL",
    "TLSV1_1",
    "sds://a",
    "ns/c",
];

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Where the scalars of a line of the corpus are, which has one field: behind its colon, or in its list.
fn scalars(line: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let begin = line.find(": ").map_or(line.len() - line.trim_start_matches([' ', '-']).len(), |at| at + 2);
    let mut start = None;
    for (at, c) in line.char_indices().skip_while(|(at, _)| *at < begin).chain([(line.len(), ',')]) {
        let is_inner = !matches!(c, '[' | ']' | '{' | '}' | ',' | ' ');
        match (start, is_inner) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.extend((!line[from..at].ends_with(':')).then_some(from..at));
                start = None;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_corpus_is_good() {
    assert_eq!(problems(CORPUS), Vec::<String>::new());
}

#[test]
fn mutated_values() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let lines: Vec<&str> = CORPUS.lines().collect();
    let (mut checked, mut errors, mut listeners) = (0, 0, 0);
    for _ in 0..500 {
        let mut mutated: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        for _ in 0..=random.below(3) {
            let line = random.below(mutated.len());
            let places = scalars(&mutated[line]);
            if line < 4 || places.is_empty() || mutated[line].starts_with(['a', 'k', '-']) {
                continue;
            }
            let place = places[random.below(places.len())].clone();
            mutated[line].replace_range(place, VALUES[random.below(VALUES.len())]);
        }
        let (resources, _) = config::parse(vec![("f".to_owned(), mutated.join("\n").into_bytes())]);
        for problem in validate(&resources) {
            assert!(problem.span.is_some() && problem.object.is_some(), "{problem:?}");
            assert!(!problem.field.is_empty() && !problem.message.is_empty(), "{problem:?}");
            errors += usize::from(problem.severity == Severity::Error);
        }
        checked += resources.virtual_services.len();
        let identity = Identity { certificate: "c".into(), key: "k".into(), authorities: "a".into() };
        let options = Options { identity: Some(identity), ..Options::default() };
        let compiled = compile(&resources, &options);
        hold_together(&compiled.snapshot);
        listeners += compiled.snapshot.listeners.len();
    }
    assert!(listeners > 500, "{listeners}");
    assert!(checked > 200 && errors > 100, "{checked} {errors}");
}

/// Every index leads somewhere, every name is free for one chain, and no route is empty.
fn hold_together(snapshot: &Snapshot) {
    let cluster = |route: &TcpRoute| {
        assert!(!route.destinations.is_empty() && route.total_weight > 0);
        for id in route.destinations.iter().filter_map(|destination| destination.cluster) {
            assert!((id.0 as usize) < snapshot.clusters.len());
        }
    };
    for listener in &snapshot.listeners {
        match &listener.chain {
            Chain::Http(table) => assert!((table.0 as usize) < snapshot.route_tables.len()),
            Chain::Tcp(chain) => cluster(&chain.route),
            Chain::Tls(chains) => {
                let mut names = std::collections::HashSet::new();
                for chain in chains.chains() {
                    assert!(!chain.server_names.is_empty());
                    assert!(chain.server_names.iter().all(|name| names.insert(name)));
                    match &chain.action {
                        ChainAction::TerminateHttp(id, table) => {
                            assert!((table.0 as usize) < snapshot.route_tables.len());
                            assert!(!snapshot.server_tls[id.0 as usize].certificates.is_empty());
                        }
                        ChainAction::TerminateTcp(id, route) => {
                            assert!(!snapshot.server_tls[id.0 as usize].certificates.is_empty());
                            cluster(route);
                        }
                        ChainAction::Passthrough(route) => cluster(route),
                    }
                }
            }
        }
    }
    let contexts = snapshot.clusters.iter().filter_map(|cluster| cluster.tls.as_ref());
    assert!(contexts.into_iter().all(|tls| (tls.context.0 as usize) < snapshot.client_tls.len()));
}

/// An object with an error has one in the list, however many warnings come before it.
#[test]
fn no_error_is_lost() {
    let rules = "  - {match: [{}], route: [{destination: {host: b}}]}\n".repeat(300);
    let rule = "  - {route: [{destination: {host: '*'}}]}\n";
    let head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n  hosts: [a]\n  http:\n";
    let found = problems(&format!("{head}{rules}{rule}"));
    assert!(found.len() < 110, "{}", found.len());
    assert!(found.iter().any(|line| line.starts_with("error bad-host 307")), "{found:?}");
    assert!(found.last().unwrap().starts_with("note more-of-the-same"));
}

/// What costs the square of its length would make this test very slow.
#[test]
fn long_lists() {
    const LENGTH: usize = 5_000;
    let service = |hosts: &str, rules: &str| {
        let head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:\n";
        problems(&format!("{head}  hosts: [{hosts}]\n  gateways: [g]\n{rules}"));
    };
    let join = |make: &dyn Fn(usize) -> String| (0..LENGTH).map(make).collect::<Vec<_>>().join(", ");
    let route = "route: [{destination: {host: b}}]";
    let hosts = join(&|i| format!("h{i}.a.com"));
    service(
        &hosts,
        &format!("  tls:\n  - {{match: [{{sniHosts: [{hosts}]}}, {{sniHosts: [{hosts}]}}], {route}}}\n"),
    );
    let other: String =
        (0..LENGTH).map(|i| format!("  - {{match: [{{sniHosts: [x{i}.com]}}], {route}}}\n")).collect();
    service(&hosts, &format!("  tls:\n{other}"));
    let headers = join(&|i| format!("{{headers: {{a: {{exact: v{i}}}}}}}"));
    service("a.com", &format!("  http:\n  - {{match: [{headers}], {route}}}\n"));
    let fields = join(&|i| format!("h{i}: {{}}"));
    let one = format!("{{headers: {{{fields}}}}}");
    service("a.com", &format!("  http:\n  - {{match: [{one}, {one}], {route}}}\n"));
    let paths = join(&|i| format!("{{uri: {{prefix: /{}{i}}}}}", "x/".repeat(i % 40)));
    service("a.com", &format!("  http:\n  - {{match: [{paths}], {route}}}\n"));
    let port = "x".repeat(LENGTH * 10);
    service(
        &format!("outbound_.{port}_._.a.b"),
        &format!("  tls:\n  - {{match: [{{sniHosts: [a]}}], {route}}}\n"),
    );
}
