//! Every example in `config/` is loaded, has no problem but the ones named here, and does what its comments say.

use sluicegate::{
    compile::{Compiled, Options, compile},
    config::{Diagnostic, Input, Resources, Severity, load},
    http::{RequestHead, Scheme},
    table::{
        Action, BindAddress, Chain, ChainAction, ClusterId, CollectorPlace, Destination, Endpoints,
        HashAlgorithm, Lookup, Probe, ServerName, TableId, TcpRoute, UpstreamProtocol,
    },
};
use std::path::{Path, PathBuf};

/// Some files, compiled.
struct Example {
    resources: Resources,
    /// Those of reading, then those of compiling.
    problems: Vec<Diagnostic>,
    compiled: Compiled,
}

impl Example {
    /// Files and directories below `config/`.
    fn load(paths: &[&str], options: &Options) -> Example {
        let inputs: Vec<Input> = paths.iter().map(|path| Input::Path(config().join(path))).collect();
        let (resources, mut problems) = load(&inputs);
        let mut compiled = compile(&resources, options);
        problems.append(&mut compiled.diagnostics);
        Example { resources, problems, compiled }
    }

    /// One file or directory without any problem.
    fn clean(path: &str) -> Example {
        Example::load(&[path], &Options::default()).with_problems(&[])
    }

    /// Fails unless there is exactly one problem, a warning, for each of these, in this order: a code and words of it.
    fn with_problems(self, expected: &[(&str, &str)]) -> Example {
        let texts: Vec<String> = self.problems.iter().map(|problem| self.text(problem)).collect();
        let same = self.problems.iter().zip(&texts).zip(expected).all(|((problem, text), (code, words))| {
            problem.severity == Severity::Warning && problem.code == *code && text.contains(words)
        });
        assert!(same && texts.len() == expected.len(), "expected {expected:#?}, got {texts:#?}");
        self
    }

    fn text(&self, problem: &Diagnostic) -> String {
        let place = problem.span.and_then(|span| {
            let file = self.resources.sources.file(span.file)?;
            Some(format!("{}:{}", file.name, span.line))
        });
        let (code, field, message) = (problem.code, &problem.field, &problem.message);
        format!("{} {} {code} {field}: {message}", problem.severity, place.unwrap_or_default())
    }

    /// What becomes of `GET` to a listener: `outbound|80||a.internal at 127.0.0.1:9000`, several with their weights before
    /// them; `redirect`; a status.
    fn get(&self, listener: &str, host: &str, target: &str, fields: &[(&str, &str)]) -> String {
        let snapshot = &self.compiled.snapshot;
        let listener = snapshot.listeners.iter().find(|known| known.bind.to_string() == listener);
        match listener.map(|listener| &listener.chain) {
            Some(Chain::Http(table)) => self.route(*table, Scheme::Http, host, target, fields),
            _ => "refused".into(),
        }
    }

    /// As `get`, with TLS: `closed` if no server has this name, and what is at the end of a passthrough or of TCP.
    fn get_tls(&self, listener: &str, name: &str, host: &str, target: &str) -> String {
        let snapshot = &self.compiled.snapshot;
        let listener = snapshot.listeners.iter().find(|known| known.bind.to_string() == listener);
        let Some(Chain::Tls(chains)) = listener.map(|listener| &listener.chain) else {
            return "refused".into();
        };
        match chains
            .find(Some(name), &[])
            .and_then(|position| chains.get(position))
            .map(|chain| &chain.action)
        {
            Some(ChainAction::TerminateHttp(_, table)) => {
                self.route(*table, Scheme::Https, host, target, &[])
            }
            Some(ChainAction::Passthrough(route) | ChainAction::TerminateTcp(_, route)) => {
                self.connections(route)
            }
            None => "closed".into(),
        }
    }

    /// Where the connections to a TCP listener go.
    fn connect(&self, listener: &str) -> String {
        let listener =
            self.compiled.snapshot.listeners.iter().find(|known| known.bind.to_string() == listener);
        match listener.map(|listener| &listener.chain) {
            Some(Chain::Tcp(chain)) => self.connections(&chain.route),
            _ => "refused".into(),
        }
    }

    fn connections(&self, route: &TcpRoute) -> String {
        let each = route.destinations.iter().map(|one| self.cluster(one.cluster, &one.cluster_name));
        each.collect::<Vec<_>>().join(", ")
    }

    fn route(
        &self,
        table: TableId,
        scheme: Scheme,
        host: &str,
        target: &str,
        fields: &[(&str, &str)],
    ) -> String {
        let snapshot = &self.compiled.snapshot;
        let mut request = RequestHead {
            method: b"GET".to_vec(),
            authority: host.into(),
            target: target.into(),
            path_len: target.find('?').unwrap_or(target.len()),
            ..RequestHead::default()
        };
        for (name, value) in fields {
            request.fields.push(name.as_bytes(), value.as_bytes());
        }
        match snapshot.route_tables[table.0 as usize].find(&request, scheme) {
            Lookup::NoHost | Lookup::NoRoute(_) => "404".into(),
            Lookup::HttpsRedirect(_) => "https".into(),
            Lookup::Route(_, route) => match &route.action {
                Action::Redirect(_) => "redirect".into(),
                Action::Direct(response) => response.status.to_string(),
                Action::Forward(forward) => match forward.destinations.as_slice() {
                    [only] => self.destination(only),
                    several => {
                        let share = |one: &Destination| format!("{} {}", one.weight, self.destination(one));
                        several.iter().map(share).collect::<Vec<_>>().join(", ")
                    }
                },
            },
        }
    }

    fn destination(&self, destination: &Destination) -> String {
        self.cluster(destination.cluster, &destination.cluster_name)
    }

    fn cluster(&self, id: Option<ClusterId>, name: &str) -> String {
        let Some(cluster) = id else { return format!("{name}: 503") };
        let cluster = &self.compiled.snapshot.clusters[cluster.0 as usize];
        let endpoints: Vec<String> = match &cluster.endpoints {
            Endpoints::Static(endpoints) => endpoints.iter().map(|one| one.address.to_string()).collect(),
            Endpoints::Dns { names, .. } => {
                names.iter().map(|name| format!("{}:{}", name.host, name.port)).collect()
            }
        };
        format!("{} at {}", cluster.name, endpoints.join(" "))
    }
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn in_namespace(namespace: &str) -> Options {
    Options { namespace: Some(namespace.into()), ..Options::default() }
}

const PORT: &str = "0.0.0.0:8080";

#[test]
fn hello() {
    let example = Example::clean("hello.yaml");
    assert_eq!(example.get(PORT, "any.example", "/", &[]), "outbound|9000||hello.internal at 127.0.0.1:9000");
}

#[test]
fn canary() {
    let example = Example::clean("canary.yaml");
    let get = |target, fields| example.get(PORT, "shop.example.com", target, fields);
    let (old, new) =
        ("outbound|80|v1|shop.internal at 127.0.0.1:9101", "outbound|80|v2|shop.internal at 127.0.0.1:9102");
    assert_eq!(get("/", &[]), format!("95 {old}, 5 {new}"));
    assert_eq!(get("/", &[("x-canary", "always")]), new);
    assert_eq!(get("/pay/1", &[("cookie", "a=b; shop=new; c=d")]), new);
    assert_eq!(get("/pay/1", &[("cookie", "workshop=new")]), old);
}

#[test]
fn limits() {
    let example = Example::clean("limits.yaml");
    let (old, new) = (
        "outbound|80|v1|store.internal at 127.0.0.1:9101",
        "outbound|80|v2|store.internal at 127.0.0.1:9102",
    );
    let get = |target| example.get(PORT, "store.example.com", target, &[]);
    assert_eq!((get("/"), get("/login")), (format!("95 {old}, 5 {new}"), old.to_owned()));
    let table = &example.compiled.snapshot.route_tables[0];
    let age = table.connection_age.unwrap();
    assert_eq!((age.age.as_secs(), age.jitter.as_secs()), (3600, 720));
    let route = |name: &str| {
        let routes = &table.virtual_hosts[0].routes;
        routes.iter().find(|route| &*route.name == name).unwrap().checks.as_ref().unwrap()
    };
    let of = |name: &str| {
        let checks = route(name);
        let max = checks.body_max.unwrap() >> 10;
        (checks.rate_limits.len(), checks.networks.len(), max, checks.cors.is_some(), checks.split.is_some())
    };
    assert_eq!(of("login"), (3, 1, 64, false, false));
    assert_eq!(of("upload"), (2, 1, 2 << 20, false, false));
    assert_eq!(of("everything-else"), (2, 1, 64, true, true));
    let permits = |name: &str, client: &str| route(name).networks[0].permits(client.parse().ok());
    assert!(permits("login", "203.0.113.9") && !permits("login", "198.51.100.1"));
    assert!(permits("admin", "10.1.1.1") && !permits("admin", "203.0.113.9"));
    let shared = [route("login"), route("upload")].map(|checks| &checks.rate_limits[0].limit);
    assert!(std::sync::Arc::ptr_eq(shared[0], shared[1]));
}

#[test]
fn rewrite_and_redirect() {
    let example = Example::clean("rewrite-and-redirect.yaml");
    let get = |target| example.get(PORT, "www.example.com", target, &[]);
    let (api, pages) =
        ("outbound|9201||api.internal at 127.0.0.1:9201", "outbound|9202||pages.internal at 127.0.0.1:9202");
    assert_eq!(example.get(PORT, "example.com", "/a?b=c", &[]), "redirect");
    assert_eq!(get("/blog/hello"), "redirect");
    assert_eq!(get("/guestbook"), "410");
    assert_eq!(get("/api/users/7"), api);
    assert_eq!(get("/user/7/photo"), api);
    assert_eq!(get("/apiary"), pages);
    assert_eq!(get("/shop/"), pages);
}

#[test]
fn headers() {
    let example = Example::clean("headers.yaml");
    let forms = "outbound|9301||forms.internal at 127.0.0.1:9301";
    assert_eq!(example.get(PORT, "forms.example.com", "/?lang=fr", &[]), forms);
    assert_eq!(example.get(PORT, "forms.example.com", "/", &[]), forms);
}

#[test]
fn grpc() {
    let example = Example::clean("grpc.yaml");
    for listener in ["0.0.0.0:8082", "0.0.0.0:8083"] {
        let get = |target| example.get(listener, "chat.example.com", target, &[]);
        assert_eq!(get("/chat.Rooms/Enter"), "outbound|9811||rooms.chat.internal at 127.0.0.1:9811");
        assert_eq!(get("/chat.History/Read"), "outbound|9812||history.chat.internal at 127.0.0.1:9812");
        assert_eq!(get("/chat.Other/Call"), "404");
    }
    let snapshot = &example.compiled.snapshot;
    let spoken: Vec<_> = snapshot.clusters.iter().map(|cluster| cluster.protocol).collect();
    assert_eq!(spoken, [UpstreamProtocol::Http2, UpstreamProtocol::Http2, UpstreamProtocol::Client]);
    assert_eq!(snapshot.clusters[0].max_concurrent_streams, 100);
}

#[test]
fn egress() {
    let example = Example::clean("egress.yaml");
    let get = |host| example.get(PORT, host, "/", &[]);
    assert_eq!(get("www.example.org"), "outbound|80||www.example.org at www.example.org:80");
    let mirrors = "mirror-1.example.net:80 mirror-2.example.net:8000";
    assert_eq!(get("files.example.net"), format!("outbound|80||files.example.net at {mirrors}"));
    assert_eq!(get("anything.else.example"), "404");
}

#[test]
fn unix_socket() {
    let example = Example::clean("unix-socket.yaml");
    let listener = &example.compiled.snapshot.listeners[0];
    assert_eq!(listener.bind, BindAddress::Unix("/run/sluicegate/http.sock".into()));
    let found = example.get(&listener.bind.to_string(), "app.example.com", "/", &[]);
    assert_eq!(found, "outbound|80||app.internal at /run/app/app.sock");
}

#[test]
fn tracing() {
    let example = Example::clean("tracing");
    let snapshot = &example.compiled.snapshot;
    let policy = snapshot.tracing.as_ref().expect("a policy");
    assert_eq!((policy.sampling, policy.path_max, policy.uses_request_id), (1_000, 256, true));
    assert_eq!(policy.collector.to_string(), "http://collector.local:4318/v1/traces");
    let CollectorPlace::Cluster(ClusterId(id)) = policy.collector.place else { panic!("{policy:?}") };
    assert_eq!(&*snapshot.clusters[id as usize].name, "outbound|4318||collector.local");
    let own = ["environment", "protocol", "tenant", "zone"];
    assert!(own.iter().all(|name| policy.tags.iter().any(|(tag, _)| &**tag == *name)), "{policy:?}");
}

#[test]
fn tls_and_tcp() {
    let example = Example::clean("tls-and-tcp.yaml");
    let get = |name, target| example.get_tls("0.0.0.0:8443", name, name, target);
    let www = "outbound|80||www.internal at 127.0.0.1:9801";
    assert_eq!(get("www.bookinfo.com", "/"), www);
    assert_eq!(get("vault.example.com", "/"), "outbound|443||vault.internal at 127.0.0.1:9802");
    assert_eq!(get("other.example.com", "/"), "closed");
    assert_eq!(example.connect("0.0.0.0:9803"), www);
}

#[test]
fn upstream_tls() {
    let example = Example::clean("upstream-tls.yaml");
    let found = example.get(PORT, "api.internal", "/", &[]);
    assert_eq!(found, "outbound|443||www.example.com at www.example.com:443");
    let cluster = &example.compiled.snapshot.clusters[0];
    assert_eq!(cluster.tls.as_ref().map(|tls| &tls.server_name), Some(&ServerName::FromAuthority));
}

#[test]
fn kubernetes_services() {
    let example = Example::clean("kubernetes-services.yaml");
    let get = |target| example.get(PORT, "books.example.com", target, &[]);
    assert_eq!(get("/catalog/1"), "outbound|80||catalog.books.svc.cluster.local at 127.0.0.1:9401");
    assert_eq!(get("/admin/"), "outbound|8081||catalog.books.svc.cluster.local at 127.0.0.1:9402");
}

#[test]
fn operator() {
    let options = Options { gateway: Some("istio-ingressgateway".into()), ..Options::default() };
    let example = Example::load(&["operator.yaml"], &options).with_problems(&[]);
    let get = |target| example.get(PORT, "intranet.example.com", target, &[]);
    assert_eq!(get("/news/today"), "200");
    assert_eq!(get("/"), "outbound|9501||intranet.internal at 127.0.0.1:9501");
    assert_eq!(example.compiled.access_log_file.as_deref(), Some("/dev/stdout"));
    let settings = &example.compiled.snapshot.settings;
    assert_eq!((settings.trusted_proxies, settings.http2.max_concurrent_streams), (1, 250));
}

#[test]
fn observability() {
    let example = Example::clean("observability");
    let get = |target| example.get(PORT, "shop.example.com", target, &[]);
    assert_eq!([get("/"), get("/teapot"), get("/healthz")], ["200", "418", "200"]);
    let snapshot = &example.compiled.snapshot;
    let logs = snapshot.telemetry.access_log.logs.as_deref().unwrap();
    let text = |log: &sluicegate::table::FileLog| {
        let condition = log.condition.as_ref().map_or("all", |condition| condition.text());
        format!("{} {condition}", log.target)
    };
    let errors = "/tmp/sluicegate-errors.log response.code >= 400 || request.duration > duration('2s')";
    assert_eq!(logs.iter().map(text).collect::<Vec<_>>(), ["standard output all", errors]);
    assert_eq!(logs[0].format.name(), "json");
    let routes =
        snapshot.route_tables.iter().flat_map(|table| &table.virtual_hosts).flat_map(|host| &host.routes);
    let choices: Vec<String> = routes.map(|route| route.log.to_string()).collect();
    assert_eq!(choices, ["off", "sample 1%", "on", "on"]);
}

#[test]
fn multi_team() {
    let example = Example::load(&["multi-team"], &in_namespace("platform")).with_problems(&[]);
    let get = |host, target| example.get(PORT, host, target, &[]);
    let (beds, flowers) = (
        "outbound|80||beds.garden.svc.cluster.local at 127.0.0.1:9601",
        "outbound|80||flowers.garden.svc.cluster.local at 127.0.0.1:9601",
    );
    assert_eq!(get("garden.example.com", "/"), beds);
    assert_eq!(get("roses.garden.example.com", "/"), flowers);
    assert_eq!(get("kitchen.example.com", "/herbs/"), beds);
    assert_eq!(
        get("kitchen.example.com", "/"),
        "outbound|80||stove.kitchen.svc.cluster.local at 127.0.0.1:9701"
    );
    assert_eq!(get("status.example.com", "/"), "200");
}

#[test]
fn health() {
    let example = Example::clean("health.yaml");
    assert!(example.get(PORT, "stock.example.com", "/", &[]).contains("outbound|80||stock.internal"));
    let cluster = example.compiled.snapshot.clusters.first().unwrap();
    let (outlier, check) = (cluster.outlier.as_ref().unwrap(), cluster.health_check.as_ref().unwrap());
    assert_eq!((outlier.consecutive_5xx, outlier.max_ejection_percent), (3, 67));
    assert_eq!((check.unhealthy_threshold, check.healthy_threshold, check.waits), (3, 2, false));
    assert!(matches!(&check.probe, Probe::Http(probe) if &*probe.path == "/healthz"));
}

#[test]
fn resilience() {
    let example = Example::clean("resilience.yaml");
    let snapshot = &example.compiled.snapshot;
    let of = |name: &str| {
        let routes = &snapshot.route_tables[0].virtual_hosts[0].routes;
        let route = routes.iter().find(|route| &*route.name == name).unwrap();
        let Action::Forward(forward) = &route.action else { panic!("{name} forwards") };
        forward
    };
    let (write, read) = (of("write"), of("read"));
    assert_eq!((write.retry.as_ref().unwrap().attempts, write.timeout.unwrap().as_secs()), (0, 10));
    let retry = read.retry.as_ref().unwrap();
    assert_eq!((retry.attempts, retry.per_try_timeout.unwrap().as_secs()), (3, 1));
    assert_eq!(&*read.mirrors[0].cluster_name, "outbound|80||next.internal");
    let orders = snapshot.clusters.iter().find(|cluster| cluster.name.ends_with("orders.internal")).unwrap();
    let limits = orders.limits.as_ref().unwrap().breaker.as_ref().unwrap().limits();
    assert_eq!((limits.connections, limits.pending, limits.requests), (Some(200), Some(1000), Some(2000)));
}

#[test]
fn access() {
    let example = Example::clean("access");
    let staff = example.get(PORT, "a.example", "/", &[("x-staff", "yes")]);
    assert_eq!(staff, "outbound|80||app.internal at 127.0.0.1:9851");
    let snapshot = &example.compiled.snapshot;
    assert!(snapshot.authentication.is_some() && snapshot.authorization.is_some());
}

/// The place that the example of balancing is written for.
fn here() -> Options {
    Options { locality: "eu/a".parse().ok(), ..Options::default() }
}

#[test]
fn balancing() {
    let example = Example::load(&["balancing.yaml"], &here()).with_problems(&[]);
    let cluster = |name| {
        let mut clusters = example.compiled.snapshot.clusters.iter();
        clusters.find(|cluster| &*cluster.name == name).unwrap()
    };
    let cart = cluster("outbound|80||cart.internal").balance.hash.as_ref().unwrap();
    assert_eq!(cart.algorithm, HashAlgorithm::Maglev(65_537));
    let Endpoints::Static(list) = &cluster("outbound|80||search.internal").endpoints else { panic!() };
    assert_eq!(list.iter().map(|endpoint| endpoint.placement.priority).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn demo() {
    let example = Example::clean("demo");
    let get = |target, fields| example.get(PORT, "127.0.0.1:8080", target, fields);
    let (v1, v2) = (
        "outbound|80|v1|origin.demo.internal at 127.0.0.1:9001",
        "outbound|80|v2|origin.demo.internal at 127.0.0.1:9002",
    );
    assert_eq!(get("/hello", &[]), "200");
    assert_eq!(get("/old", &[]), "redirect");
    assert_eq!(get("/api/echo", &[]), v1);
    assert_eq!(get("/split", &[]), format!("80 {v1}, 20 {v2}"));
    assert_eq!(get("/version", &[]), v1);
    assert_eq!(get("/version", &[("x-tester", "yes")]), v2);
    assert_eq!(get("/nowhere", &[]), "404");
}

#[test]
fn bookinfo() {
    let example = Example::clean("bookinfo");
    let get = |target, fields| example.get("0.0.0.0:9080", "uk.bookinfo.com", target, fields);
    let (v1, v2) = (
        "outbound|9080|v1|reviews.prod.svc.cluster.local at 127.0.0.1:9902",
        "outbound|9080|v2|reviews.prod.svc.cluster.local at 127.0.0.1:9903",
    );
    assert_eq!(get("/reviews/1", &[]), format!("80 {v1}, 20 {v2}"));
    assert_eq!(get("/reviews/1", &[("end-user", "jason")]), v2);
    assert_eq!(get("/reviews/1", &[("cookie", "user=dev-123")]), v2);
    assert_eq!(get("/ratings/1", &[]), "outbound|9080||ratings.prod.svc.cluster.local at 127.0.0.1:9904");
    assert_eq!(
        get("/productpage", &[]),
        "outbound|9080||productpage.prod.svc.cluster.local at 127.0.0.1:9901"
    );
    assert_eq!(example.get("0.0.0.0:9080", "example.com", "/", &[]), "404");
    assert_eq!(example.get("0.0.0.0:80", "uk.bookinfo.com", "/reviews/1", &[]), "https");
    let get = |port, name, host, target| example.get_tls(&format!("0.0.0.0:{port}"), name, host, target);
    assert_eq!(get(443, "uk.bookinfo.com", "eu.bookinfo.com", "/reviews/1"), format!("80 {v1}, 20 {v2}"));
    assert_eq!(get(443, "www.bookinfo.com", "uk.bookinfo.com", "/"), "closed");
    let pages = "outbound|9080||productpage.prod.svc.cluster.local at 127.0.0.1:9901";
    assert_eq!(get(9443, "www.bookinfo.com", "uk.bookinfo.com", "/"), pages);
    assert_eq!(get(9443, "www.bookinfo.com", "www.bookinfo.com", "/"), "404");
    let mongo = "outbound|27017||mongo.prod.svc.cluster.local at 127.0.0.1:27017";
    assert_eq!(example.connect("0.0.0.0:2379"), mongo);
}

/// All files that stand in `config/` itself are one configuration: `check config` is clean.
#[test]
fn they_go_together() {
    let example = Example::load(&["."], &here()).with_problems(&[]);
    assert_eq!(example.get(PORT, "shop.example.com", "/", &[("x-canary", "always")]).split(' ').count(), 3);
    assert!(example.get(PORT, "any.example", "/", &[]).contains("hello.internal"));
}

/// What other programs read.
const FOR_OTHERS: [&str; 6] = ["containers", "debian", "grafana", "prometheus", "sysctl", "systemd"];

/// Nothing in `config/` is left out above.
#[test]
fn every_example_has_a_test() {
    let mut names: Vec<String> = std::fs::read_dir(config())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !matches!(&**name, "README.md" | "origins.py"))
        .filter(|name| !FOR_OTHERS.contains(&&**name))
        .collect();
    names.sort();
    let tested = "access balancing.yaml bookinfo canary.yaml demo egress.yaml grpc.yaml \
                  headers.yaml health.yaml hello.yaml kubernetes-services.yaml limits.yaml multi-team \
                  observability operator.yaml resilience.yaml rewrite-and-redirect.yaml tls-and-tcp.yaml tracing unix-socket.yaml upstream-tls.yaml";
    assert_eq!(names.join(" "), tested);
}
