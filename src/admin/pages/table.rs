//! The list of all pages. Whatever says something about a page reads it here.

use super::{about, commands, served, state};
use crate::admin::dump::RESOURCES;
use crate::admin::endpoint::{Answer::*, Endpoint, Format, JSON, Kind, Parameter, TEXT};

use crate::control::LOADS_KEPT;

/// A browser prefers HTML, and says so.
const INDEX: &[Format] = &[Format::Text, Format::Html, Format::Json];

const LEVELS: &[&str] = &["error", "warn", "info", "debug"];

/// A command that the gateway refuses, or could not do.
const NOT_DONE: (u16, &str) = (409, "it was not done; the text says why");
const NOT_READY: (u16, &str) = (503, "it does not serve; the text says why");

const PROMETHEUS: Endpoint = Endpoint::get(
    "/stats/prometheus",
    "all numbers, for Prometheus",
    &[Format::Prometheus],
    Now(state::prometheus),
);

pub(super) const ADMIN: &[Endpoint] = &[
    Endpoint::get("/", "the list of pages; for a browser, the dashboard", INDEX, Now(about::index)),
    Endpoint::get(
        "/api/overview",
        "everything live in one document: what the dashboard shows",
        &[Format::Json],
        Now(state::overview),
    )
    .takes(&[
        Parameter::new("routes", Kind::Text, "only routes with this in their name, host or source"),
        Parameter::new("clusters", Kind::Text, "only clusters with this in their name or source"),
        Parameter::new("history", Kind::OneOf(&["0", "1"]), "with the last five minutes, second by second"),
        Parameter::new("loads_since", Kind::Number(0, u64::MAX), "only loads after this Unix time, in ms"),
    ]),
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
        "listeners, route tables and clusters as they are served",
        JSON,
        Later(served::config_dump),
    )
    .takes(&[
        Parameter::new("resource", Kind::OneOf(RESOURCES), "only this part of it"),
        Parameter::new(
            "name",
            Kind::Text,
            "only listeners, virtual hosts and clusters with this in their name",
        ),
    ]),
    Endpoint::get("/listeners", "where it listens", TEXT, Now(served::listeners)),
    Endpoint::get("/clusters", "clusters and their endpoints at present", TEXT, Now(served::clusters)),
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
