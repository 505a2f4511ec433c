//! The list of all pages. Whatever says something about a page reads it here.

use super::{about, commands, explain, live, served, state};
use crate::admin::dump::RESOURCES;
use crate::admin::endpoint::{Answer::*, Endpoint, Format, JSON, Kind, Parameter, TEXT};

use crate::control::LOADS_KEPT;

/// Text, unless a browser asks.
const PAGE: &[Format] = &[Format::Text, Format::Json, Format::Html];
const LEVELS: &[&str] = &["error", "warn", "info", "debug"];

/// A command that the gateway refuses, or could not do.
const NOT_DONE: (u16, &str) = (409, "it was not done; the text says why");
const NOT_READY: (u16, &str) = (503, "it does not serve; the text says why");

const EXPLAIN: &[Parameter] = &[
    Parameter::new("url", Kind::Text, "the request's URL; tcp:// and tls:// ask about other connections")
        .required(),
    Parameter::new("method", Kind::Text, "the request's method; GET if it is not said"),
    Parameter::new("header", Kind::Text, "a field of the request, such as `Name: value`").repeated(),
    Parameter::new("client", Kind::Text, "the client's address; 127.0.0.1 if it is not said"),
    Parameter::new("sni", Kind::Text, "the name in the TLS handshake; the URL's host if it is not said"),
    Parameter::new("http2", Kind::OneOf(&["0", "1"]), "whether it comes as HTTP/2"),
    Parameter::new("unix_socket", Kind::Text, "the Unix socket that the client connects to"),
];

const PROMETHEUS: Endpoint = Endpoint::get(
    "/stats/prometheus",
    "all numbers, for Prometheus",
    &[Format::Prometheus],
    Now(state::prometheus),
);

pub(super) const ADMIN: &[Endpoint] = &[
    Endpoint::get("/", "the list of pages; in a browser the dashboard", PAGE, Now(about::index)),
    Endpoint::get("/help", "the list of pages with their parameters", TEXT, Now(about::help)),
    Endpoint::get("/openapi.json", "this API, as OpenAPI 3.1 has it", &[Format::Json], Now(about::openapi)),
    Endpoint::get("/ready", "whether it serves", TEXT, Now(state::ready)).or(&[NOT_READY]),
    Endpoint::get("/server_info", "version, state, workers and their drivers", JSON, Now(state::server_info)),
    Endpoint::get(
        "/loads",
        "the last loads of the configuration and what they said",
        TEXT,
        Now(state::loads),
    )
    .takes(&[Parameter::new("limit", Kind::Number(1, LOADS_KEPT as u64), "how many, the latest first")]),
    Endpoint::get("/stats", "all numbers, one a line", TEXT, Later(state::stats)).takes(&[Parameter::new(
        "filter",
        Kind::Text,
        "only names with this in them",
    )]),
    PROMETHEUS,
    Endpoint::get(
        "/config_dump",
        "the configuration: compiled, as each worker serves it, and as it is written; without secrets",
        JSON,
        Later(served::config_dump),
    )
    .takes(&[
        Parameter::new("resource", Kind::OneOf(RESOURCES), "only this part of it"),
        Parameter::new(
            "name",
            Kind::Text,
            "only listeners, virtual hosts, clusters and objects with this in their name",
        ),
    ]),
    Endpoint::get(
        "/api/overview",
        "everything live in one document: what the dashboard shows",
        &[Format::Json],
        Now(state::overview),
    )
    .takes(&[
        Parameter::new("routes", Kind::Text, "only routes with this in them"),
        Parameter::new("clusters", Kind::Text, "only clusters with this in them"),
        Parameter::new("history", Kind::OneOf(&["1"]), "with the last minutes"),
        Parameter::new(
            "loads_since",
            Kind::Number(0, u64::MAX),
            "only loads after this Unix time in milliseconds",
        ),
    ]),
    Endpoint::get("/listeners", "where it listens", TEXT, Now(served::listeners)),
    Endpoint::get("/routes", "routes in the order in which they are tried", TEXT, Later(served::routes))
        .takes(&[Parameter::new("name", Kind::Text, "only virtual hosts with this in their name")]),
    Endpoint::get(
        "/clusters",
        "clusters and their endpoints at present: health, requests under way, connections kept",
        TEXT,
        Later(served::clusters),
    )
    .takes(&[Parameter::new("name", Kind::Text, "only clusters with this in their name")]),
    Endpoint::get("/connections", "connections of clients at present", TEXT, Later(live::connections))
        .takes(&[Parameter::new("limit", Kind::Number(1, 10_000), "at most so many; 200 if it is not said")]),
    Endpoint::get(
        "/explain",
        "what becomes of a request by what is served now, and why",
        TEXT,
        Now(explain::explain),
    )
    .takes(EXPLAIN),
    Endpoint::get("/workers", "what each worker does", TEXT, Now(live::workers)),
    Endpoint::get("/memory", "memory, threads and open files of the process", TEXT, Now(live::memory)),
    Endpoint::get(
        "/certs",
        "certificates of servers and upstreams, until when they hold, and what is wrong",
        JSON,
        Now(served::certificates),
    ),
    Endpoint::get("/logging", "how much is said on standard error", TEXT, Now(state::logging)),
    Endpoint::post("/logging", "change how much is said on standard error", TEXT, Now(commands::set_level))
        .takes(&[Parameter::new("level", Kind::OneOf(LEVELS), "how much from now on").required()]),
    Endpoint::post("/reload", "read the configuration again and serve it", TEXT, Later(commands::reload))
        .or(&[NOT_DONE]),
    Endpoint::post(
        "/upgrade",
        "have another process of the program take over",
        TEXT,
        Later(commands::upgrade),
    )
    .or(&[NOT_DONE]),
    Endpoint::post(
        "/drain",
        "take no new connections, let the present ones end, then end",
        TEXT,
        Now(commands::drain),
    ),
    Endpoint::post("/quitquitquit", "the same as /drain, under Envoy's name", TEXT, Now(commands::drain)),
];

pub(super) const STATUS: &[Endpoint] = &[
    Endpoint::get("/healthz/ready", "whether it serves", TEXT, Now(state::ready)).or(&[NOT_READY]),
    Endpoint::get("/healthz/live", "that the process lives", TEXT, Now(state::live)),
    PROMETHEUS,
];

pub(super) const METRICS: &[Endpoint] = &[
    PROMETHEUS,
    Endpoint { path: "/metrics", about: "the same, where Prometheus looks by itself", ..PROMETHEUS },
];
