//! Tests of the whole gateway: the real program on real sockets.
//!
//! - `harness`: starts the program with a configuration, and stops it
//! - `client`: a client that sends bytes as they are and reads answers strictly
//! - `origin`, `tls_origin`: origins that echo what they got, or say what a script says
//! - `held_origin`: one that answers when it is told to
//! - `hello`: ClientHellos byte by byte
//! - `tools`: TLS clients that are not ours; `python`: Python with packages
//! - `h2_floods_resets`, `h2_floods_headers`, `h2_floods_control`, `h2_floods_data`: clients of HTTP/2 that cost much and ask for
//!   nothing, beside good ones; `h2_floods`, `h2_floods_origin`: what these tests share
//! - `h2_floods_python`: the patterns of `tests/http2`
//! - `dns`: a DNS server that answers with what it is told
//! - `basics`: it starts, serves and ends
//! - `large_bodies`: bodies that go through pipes
//! - `life`, `drain`: its start, its end, and what it tells of its state
//! - `circuit_breakers`, `connection_pool`: what limits connections and requests, and how long connections live; `tunnel`:
//!   TCP through an HTTP proxy
//! - `upgrade`, `activation`: other processes take over, and the service manager's sockets and words
//! - `reload_connections`, `reload_protocols`: what connections notice of a reload
//! - `tcp`, `mongo`, `mongo_counts`: connections that are not HTTP
//! - `tls_modes`: the modes of a Gateway, with clients that are not ours; `tls_hellos`, `tls_records`, `tls_close`,
//!   `tls_abuse`: how TLS connections begin, go on, end, and never come to be
//! - `bookinfo`: the example with its five servers
//! - `outliers`, `health_checks`: endpoints that fail, and that come back
//! - `dashboard`: the page for browsers, in a browser
//! - `names`, `access_log`, `access_log_formats`, `pages`, `usage`: what is around the data path
//! - `admin`: the admin address, page by page, and the subcommands that ask it
//! - `cases_actions`, `cases_listeners`, `cases_routing`: acceptance cases of the specification, by their numbers; `cases_policy`,
//!   `cases_upstream`: those of TCP, of TLS and of upstreams that are nowhere else
//! - `faults`, `cors`, `limits`: what is decided between a rule and its action
//! - `balancing`: how endpoints are chosen; `worker_balance`: how connections are spread over workers
//! - `tracing`: contexts of traces, and spans at a collector
//! - `jwt`, `jwt_keys`: RequestAuthentication and claims, and the keys that are fetched for it; `tokens`: keys and tokens for it
//! - `delegates`, `mirrors`: rules of other VirtualServices, and copies of requests
//! - `cases_tls`: the same for certificates and Secrets
//! - `tls_upstream`: whom the gateway believes, and what it shows
//! - `tls_monoio`: another TLS stream on the same runtime
//! - `tls_rotation`: certificates change while clients come and stay
//! - `tls_client`: a TLS client that says exactly what it saw
//! - `certificates`, `tls_files`: authorities and certificates for tests, and where they are put
//! - `authorization`, `authorization_connections`: AuthorizationPolicy; `regressions_access`: ways around policies that
//!   there have been
//! - `reload`, `reload_files`: another configuration in the place of the one that is served, and files that change
//! - `timeouts`, `retries`: how long a request may take, exactly, and what is tried again; `failing`: origins that fail as a
//!   script says
//! - `regressions_traffic`: what reviews found in retries, timeouts and limits
//! - `grpc`, `websocket`: real stacks of gRPC and WebSocket, in Python and in a browser
//! - `cases_http1`: the byte-exact HTTP/1 cases
//! - `h2_frames`, `h2_hpack`, `h2_peer`: HTTP/2 octet by octet, right and wrong; `h2_site`, `h2_cases`: what cases
//!   run against, what they are, and who judges
//! - `cases_http2`: the same for HTTP/2; `h2_leaving`: how its connections end; `h2_upstream`, `h2_upstream_bodies`: what its origins say and get;
//!   `h2_origin`: one that says frame by frame what it is told
//! - `h2_spec_generic`, `h2_spec_streams`, `h2_spec_frames`, `h2_spec_messages`: the cases of h2spec 2.6, by their numbers
//! - `h2_more_frames`, `h2_more_flow`, `h2_more_fields`, `h2_more_bodies`, `h2_more_hpack`: what it does not ask, by section

// A test that can't go on has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access_log;
mod activation;
mod access_log_formats;
mod admin;
mod authorization;
mod authorization_connections;
mod balancing;
mod basics;
mod bookinfo;
mod cases_actions;
mod cases_http1;
mod cases_http2;
mod cases_listeners;
mod cases_policy;
mod cases_routing;
mod cases_tls;
mod cases_upstream;
#[path = "../../src/tls/testing.rs"]
mod certificates;
mod circuit_breakers;
mod client;
mod confined;
mod connection_pool;
mod cors;
mod dashboard;
mod delegates;
mod dns;
mod drain;
mod failing;
mod h2_cases;
mod h2_floods;
mod h2_floods_control;
mod h2_floods_data;
mod h2_floods_headers;
mod h2_floods_origin;
mod h2_floods_python;
mod h2_floods_resets;
mod h2_frames;
mod h2_hpack;
mod h2_leaving;
mod h2_more_bodies;
mod h2_more_fields;
mod h2_more_flow;
mod h2_more_frames;
mod h2_more_hpack;
mod h2_origin;
mod h2_peer;
mod h2_site;
mod h2_spec_frames;
mod h2_spec_generic;
mod h2_spec_messages;
mod h2_spec_streams;
mod h2_upstream;
mod h2_upstream_bodies;
mod faults;
mod grpc;
mod harness;
mod health_checks;
mod held_origin;
mod hello;
mod jwt;
mod jwt_keys;
mod large_bodies;
mod life;
mod limits;
mod metrics;
mod mirrors;
mod mongo;
mod mongo_counts;
mod names;
mod origin;
mod outliers;
mod pages;
mod proxy_protocol;
mod python;
mod regressions_access;
mod regressions_traffic;
mod reload_connections;
mod reload_protocols;
mod reload;
mod reload_files;
mod retries;
mod tcp;
mod timeouts;
mod tls_abuse;
mod tls_client;
mod tls_close;
mod tls_files;
mod tls_hellos;
mod tls_modes;
mod tls_monoio;
mod tls_origin;
mod tls_records;
mod tls_rotation;
mod tls_upstream;
#[path = "../../src/jwt/testing.rs"]
mod tokens;
mod tools;
mod tracing;
mod tunnel;
mod upgrade;
mod usage;
mod websocket;
mod worker_balance;
