//! One request and its response, from a decoded head to a delivered answer.

use super::{
    ConnectionInfo, Environment, Routing,
    answer::Answer,
    arrive,
    authenticate::{authenticate, challenge},
    authorize::{self, AuthorizationRequest},
    client::{Client, Incoming},
    environment::Scratch,
    kept::Kept,
    mirror::Copies,
    reply::LocalReply,
    timing::Timing,
    tries::Ended,
};
use crate::{
    http::split_port,
    http1::body::{BodyDecoder, Next},
    table::{self, Action, Destination, Forward, Lookup, RetryPolicy, Route, Settings, TableId},
    telemetry::{Flag, bump},
    upstream::Cluster,
};
use std::{rc::Rc, time::Instant};

/// What becomes of the downstream connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It waits for the next request.
    KeepAlive,
    /// It ends once the client has had time to read the answer.
    Linger,
    /// It ends now.
    Close,
}

/// One request and its response.
pub(super) struct Exchange<'a> {
    /// What the client still sends.
    pub(super) incoming: Incoming<'a>,
    /// Everything else: the request as it is, and the way back to the client.
    pub(super) answer: Answer<'a>,
    pub(super) env: Rc<Environment>,
    /// What is kept of the body of a client of HTTP/1.1.
    pub(super) kept: Kept,
    /// When it has to be over.
    pub(super) timing: Timing,
    /// The most bytes that the route takes of its body.
    pub(super) body_max: Option<u64>,
    /// Copies of the request that are made as it passes.
    pub(super) copies: Option<Rc<Copies>>,
    /// The route table of its listener.
    table: TableId,
    /// What it began with, whatever reloads do.
    routing: Rc<Routing>,
}

/// Where a request has come in.
#[derive(Clone, Copy)]
pub(super) struct Ingress<'o> {
    pub(super) info: &'o Rc<ConnectionInfo>,
    pub(super) env: &'o Rc<Environment>,
}

/// The way a request takes.
#[derive(Clone, Copy)]
pub(super) struct Way<'w> {
    pub(super) route: &'w Route,
    pub(super) forward: &'w Forward,
    /// What is tried again: the route's own policy, or that of the whole gateway.
    pub(super) retry: &'w RetryPolicy,
    pub(super) destination: &'w Destination,
    pub(super) cluster: &'w Cluster,
    pub(super) settings: &'w Settings,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        client: Client<'a>,
        incoming: Incoming<'a>,
        ingress: Ingress<'_>,
        scratch: &'a mut Scratch,
        started: Instant,
    ) -> Exchange<'a> {
        let env = Rc::clone(ingress.env);
        let (routing, table) = ingress.info.enter(&env);
        let answer = Answer::new(client, Rc::clone(ingress.info), Rc::clone(&env), scratch, started);
        Exchange {
            incoming,
            answer,
            env,
            kept: Kept::default(),
            timing: Timing::default(),
            body_max: None,
            copies: None,
            table,
            routing,
        }
    }

    /// Runs the exchange.
    pub(super) async fn run(&mut self) -> After {
        bump(&self.env.counters.requests, 1);
        bump(&self.env.counters.requests_active, 1);
        let routing = Rc::clone(&self.routing);
        let after = self.route(&routing).await;
        bump(&self.env.counters.requests_active, 1u64.wrapping_neg());
        after
    }

    /// Answers a request whose head could not be read.
    pub(super) async fn refuse(&mut self, reply: LocalReply<'_>) -> After {
        bump(&self.env.counters.protocol_errors, 1);
        self.reply(reply, None, "").await
    }

    async fn route(&mut self, routing: &Rc<Routing>) -> After {
        let settings = &routing.snapshot.settings;
        let started = self.answer.summary.started;
        let Scratch { request, text, .. } = &mut *self.answer.scratch;
        let Ok(scheme) = arrive(request, settings, &self.answer.info, &self.env.random, text) else {
            return self.reply(LocalReply::BadPath, None, "").await;
        };
        self.answer.scheme = scheme;
        if let Some(policy) = &routing.snapshot.tracing {
            self.answer.begin_trace(policy, routing);
        }
        let Answer { info, scratch, .. } = &mut self.answer;
        let Scratch { request, text, .. } = &mut **scratch;
        if settings.misdirected_421 && info.is_misdirected(split_port(&request.authority).0) {
            return self.reply(LocalReply::Misdirected, None, "").await;
        }
        let verified = match authenticate(routing, request, &self.env, started) {
            Ok(verified) => verified,
            Err(refusal) => {
                challenge(request, scheme, text);
                return self.reply(LocalReply::Unauthenticated(refusal), None, "").await;
            }
        };
        let claims = verified.as_ref().map(|verified| &*verified.claims);
        if let Some(authorization) = &routing.snapshot.authorization {
            let asked = AuthorizationRequest { head: request, scheme, claims };
            let denial = authorize::request(authorization, &asked, info, settings, &self.env, text);
            if denial.is_some() {
                self.answer.summary.denial = denial;
                return self.reply(LocalReply::AccessDenied, None, "").await;
            }
        }
        let table = routing.snapshot.route_tables.get(self.table.0 as usize);
        let route = match table.map_or(Lookup::NoHost, |table| table.find_with(request, scheme, claims)) {
            Lookup::NoHost | Lookup::NoRoute(_) => return self.reply(LocalReply::NoRoute, None, "").await,
            Lookup::HttpsRedirect(_) => {
                text.clear();
                table::https_location(request, text);
                return self.reply(LocalReply::Redirect(301), None, "").await;
            }
            Lookup::Route(host, route) => {
                let generation = routing.snapshot.generation;
                self.answer.summary.route = Some(self.env.route_series(generation, host, route));
                route
            }
        };
        if let Some(checks) = &route.checks
            && let Some(after) = self.check(checks, route, settings, claims).await
        {
            return after;
        }
        match &route.action {
            Action::Direct(direct) => self.reply(LocalReply::Direct(direct), Some(route), "").await,
            Action::Redirect(redirect) => {
                let Scratch { request, text, .. } = &mut *self.answer.scratch;
                text.clear();
                redirect.location(request, scheme, text);
                self.reply(LocalReply::Redirect(redirect.status), Some(route), "").await
            }
            Action::Forward(forward) => self.forward(routing, route, forward).await,
        }
    }

    async fn forward(&mut self, routing: &Rc<Routing>, route: &Route, forward: &Forward) -> After {
        let Some(destination) = self.choose(route, forward, &routing.snapshot.settings) else {
            return self.reply(LocalReply::NoCluster, Some(route), "").await;
        };
        let cluster = destination.cluster.and_then(|id| routing.clusters.get(id));
        let Some(cluster) = cluster else {
            return self.reply(LocalReply::NoCluster, Some(route), &destination.cluster_name).await;
        };
        cluster.count_in(&self.env.traffic);
        self.answer.summary.cluster = Some(Rc::clone(cluster));
        let settings = &routing.snapshot.settings;
        let retry = forward.retry.as_deref().unwrap_or(&settings.retry);
        let way = Way { route, forward, retry, destination, cluster, settings };
        self.answer.rewrite(&way, forward);
        if !forward.mirrors.is_empty() {
            self.begin_copies(routing, forward);
        }
        self.answer.begin_grpc(cluster);
        match self.attempts(&way).await {
            Ok(after) => {
                self.answer.write_record(Some(route), &cluster.name);
                after
            }
            Err(Ended::NoEndpoint) => self.reply(LocalReply::NoEndpoint, Some(route), &cluster.name).await,
            Err(Ended::Failed(failure)) => {
                self.reply(LocalReply::Failed(&failure), Some(route), &cluster.name).await
            }
            Err(Ended::Cut(failure)) => {
                // The answer had begun: all that is left is to end the connection, or the stream, without its end.
                self.answer.cut(&failure);
                self.answer.write_record(Some(route), &cluster.name);
                After::Close
            }
        }
    }

    /// Answers here, and writes the record.
    pub(super) async fn reply(
        &mut self,
        reply: LocalReply<'_>,
        route: Option<&Route>,
        cluster: &str,
    ) -> After {
        let reply = reply.into_reply();
        bump(&self.env.counters.local_replies, 1);
        let mut after = self.after_unread_body(reply.ends_connection);
        let routing = Rc::clone(&self.routing);
        if self.answer.reply(&reply, &routing.snapshot.settings, route, cluster, after).await.is_err() {
            self.answer.summary.flag = Some(Flag::DownstreamDisconnect);
            after = After::Close;
        }
        self.answer.write_record(route, cluster);
        after
    }

    /// The request's body is not wanted. If all of it is there already it is dropped and the connection can go on;
    /// otherwise it has to end, for nobody can say where the next request begins.
    fn after_unread_body(&mut self, ends_connection: bool) -> After {
        // A stream ends on its own.
        let Incoming::Http1(inbound) = &mut self.incoming else { return After::KeepAlive };
        let request = &self.answer.scratch.request;
        if ends_connection || !self.kept.is_untouched() || !request.keep_alive || self.env.draining.get() {
            return After::Linger;
        }
        let mut decoder = BodyDecoder::new(self.answer.client_body);
        while !decoder.is_over() {
            let Ok(piece) = decoder.next(inbound.buffer.bytes()) else { return After::Linger };
            self.answer.summary.bytes_received += piece.data.len() as u64;
            inbound.buffer.consume(piece.consumed);
            if piece.next == Next::Read && !decoder.is_over() {
                return After::Linger;
            }
        }
        After::KeepAlive
    }
}
