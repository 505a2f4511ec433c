//! One spec with what is known of it.

use super::reader::Reader;
use crate::{
    telemetry::civil,
    tls::{
        AuthoritySource, Built, Cache, CertificateFacts, CertificateSource, ClientAuthentication,
        ClientContext, ClientSpec, Digest, Material, Place, Problem, ProblemKind, ServerContext, ServerSpec,
        ServerVerification, TicketSecret,
    },
};
use std::{hash::Hash, path::PathBuf, sync::Arc};

/// What servers and upstreams have in common here.
pub(super) trait Spec: Clone {
    type Context;

    /// What it asks: two that ask the same can have one context.
    fn terms(&self) -> impl Hash + Eq;
    fn name(&self) -> &str;
    fn place(&self) -> &Place;
    fn certificates(&self) -> impl Iterator<Item = &CertificateSource>;
    fn authorities(&self) -> Option<&AuthoritySource>;
    fn wants_roots(&self) -> bool;
    fn build(&self, material: &Material, tickets: &TicketSecret, cache: &Cache) -> Built<Self::Context>;
    fn own(context: &Self::Context) -> &[CertificateFacts];
    fn others(context: &Self::Context) -> &[CertificateFacts];
    /// What it means that there is no context.
    fn outage() -> &'static str;
}

impl Spec for ServerSpec {
    type Context = ServerContext;

    fn terms(&self) -> impl Hash + Eq {
        ServerSpec::terms(self)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn certificates(&self) -> impl Iterator<Item = &CertificateSource> {
        self.certificates.iter()
    }

    fn authorities(&self) -> Option<&AuthoritySource> {
        match &self.client {
            ClientAuthentication::None => None,
            ClientAuthentication::Certificate { authorities, .. } => Some(authorities),
        }
    }

    fn wants_roots(&self) -> bool {
        false
    }

    fn build(&self, material: &Material, tickets: &TicketSecret, cache: &Cache) -> Built<ServerContext> {
        ServerContext::build(self, material, tickets, cache)
    }

    fn own(context: &ServerContext) -> &[CertificateFacts] {
        context.certificates()
    }

    fn others(context: &ServerContext) -> &[CertificateFacts] {
        context.authorities()
    }

    fn outage() -> &'static str {
        "TLS handshakes of this server fail"
    }
}

impl Spec for ClientSpec {
    type Context = ClientContext;

    fn terms(&self) -> impl Hash + Eq {
        ClientSpec::terms(self)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(&self) -> &Place {
        &self.place
    }

    fn certificates(&self) -> impl Iterator<Item = &CertificateSource> {
        self.certificate.iter()
    }

    fn authorities(&self) -> Option<&AuthoritySource> {
        match &self.verify {
            ServerVerification::None => None,
            ServerVerification::Chain { authorities, .. } => authorities.as_ref(),
        }
    }

    fn wants_roots(&self) -> bool {
        matches!(self.verify, ServerVerification::Chain { authorities: None, .. })
    }

    fn build(&self, material: &Material, _: &TicketSecret, cache: &Cache) -> Built<ClientContext> {
        ClientContext::build(self, material, cache)
    }

    fn own(context: &ClientContext) -> &[CertificateFacts] {
        context.certificate().map_or(&[], std::slice::from_ref)
    }

    fn others(context: &ClientContext) -> &[CertificateFacts] {
        context.authorities()
    }

    fn outage() -> &'static str {
        "connections to this upstream fail"
    }
}

/// How a server or an upstream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// What it names is there and is used.
    Good,
    /// What it names is missing or broken; what was there before is used.
    Kept,
    /// What it names is missing or broken, and nothing was there before.
    Failed,
}

/// How a server or an upstream stands, for pages.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// `Gateway infra/public servers[1]`
    pub name: &'a str,
    /// How it stands.
    pub condition: Condition,
    /// The certificates that it shows.
    pub certificates: &'a [CertificateFacts],
    /// The authorities whose word it takes, where they are few.
    pub authorities: &'a [CertificateFacts],
    /// What is wrong.
    pub problems: Vec<&'a Problem>,
}

/// Something that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) enum News {
    Good(String),
    Bad(String),
}

/// One spec with what is known of it.
pub(super) struct Entry<S: Spec> {
    pub(super) spec: S,
    /// Of what was tried last; nothing if there was nothing to try.
    digest: Option<Digest>,
    context: Option<Arc<S::Context>>,
    /// Where the certificates of the context come from.
    places: Vec<Box<str>>,
    /// What is wrong with what was tried last.
    problems: Vec<Problem>,
    /// What is wrong with the context as time passes.
    aged: Vec<Problem>,
}

impl<S: Spec> Clone for Entry<S> {
    fn clone(&self) -> Entry<S> {
        Entry {
            spec: self.spec.clone(),
            digest: self.digest,
            context: self.context.clone(),
            places: self.places.clone(),
            problems: self.problems.clone(),
            aged: self.aged.clone(),
        }
    }
}

/// What a look at the files means for an entry.
pub(super) struct Refreshed<C> {
    /// If there is a new one.
    pub(super) context: Option<Arc<C>>,
    pub(super) news: Vec<News>,
    /// Something could not be loaded, and that is new.
    pub(super) has_failed: bool,
}

impl<S: Spec> Entry<S> {
    pub(super) fn new(spec: S) -> Entry<S> {
        let (places, problems, aged) = (Vec::new(), Vec::new(), Vec::new());
        Entry { spec, digest: None, context: None, places, problems, aged }
    }

    /// The same for a spec that asks the same, perhaps elsewhere and under another name.
    pub(super) fn for_spec(&self, spec: &S) -> Entry<S> {
        Entry { spec: spec.clone(), ..self.clone() }
    }

    /// Reads what the spec names; builds a context if that has changed, and keeps the last good one if it can't.
    pub(super) fn refresh(
        &mut self,
        reader: &mut Reader<'_>,
        tickets: &TicketSecret,
        now: i64,
    ) -> Refreshed<S::Context> {
        let (before, was_failing) = (self.problems.clone(), self.is_failing());
        let context = self.load(reader, tickets);
        let ages = self.ages(now);
        let aged = std::mem::replace(&mut self.aged, ages);
        let mut news = Vec::new();
        let is_new = |problem: &&Problem| !before.contains(problem) && !aged.contains(problem);
        for problem in self.problems().filter(is_new) {
            news.push(News::Bad(format!("{}: {problem}; {}", self.spec.name(), self.consequence(problem))));
        }
        if context.is_some() {
            let again = if was_failing { "good again: " } else { "" };
            news.push(News::Good(format!("{}: {again}{}", self.spec.name(), self.shown())));
        }
        Refreshed { context, news, has_failed: self.is_failing() && self.problems != before }
    }

    fn load(&mut self, reader: &mut Reader<'_>, tickets: &TicketSecret) -> Option<Arc<S::Context>> {
        let wants_roots = self.spec.wants_roots();
        let material = match reader.material(self.spec.certificates(), self.spec.authorities(), wants_roots) {
            Ok(material) => material,
            Err(problems) => {
                (self.digest, self.problems) = (None, problems);
                return None;
            }
        };
        let digest = material.digest();
        if self.digest.replace(digest) == Some(digest) {
            return None;
        }
        let built = self.spec.build(&material, tickets, &reader.cache);
        self.problems = built.problems;
        let context = Arc::new(built.context?);
        self.places =
            material.certificates.into_iter().map(|certificate| certificate.chain.place().into()).collect();
        self.context = Some(Arc::clone(&context));
        Some(context)
    }

    fn ages(&self, now: i64) -> Vec<Problem> {
        let Some(context) = &self.context else { return Vec::new() };
        let aged = |place: &str, facts: &CertificateFacts| {
            let text = match () {
                () if facts.not_after < now => format!("has ended at {}", date(facts.not_after)),
                () if facts.not_before > now => format!("begins only at {}", date(facts.not_before)),
                () => return None,
            };
            let subject = format!("the certificate `{}` in {place}", facts.subject);
            Some(Problem::new(ProblemKind::Time, &subject, text))
        };
        self.places.iter().zip(S::own(context)).filter_map(|(place, facts)| aged(place, facts)).collect()
    }

    fn is_failing(&self) -> bool {
        self.problems.iter().any(|problem| problem.kind.is_fatal())
    }

    /// What follows from a problem.
    fn consequence(&self, problem: &Problem) -> String {
        match (problem.kind, &self.context) {
            (ProblemKind::Partial, _) => "the rest is used".to_owned(),
            (ProblemKind::Time, _) => "it is used all the same".to_owned(),
            (_, Some(_)) => "what was there before stays in use".to_owned(),
            (_, None) => format!("{} until that is mended", S::outage()),
        }
    }

    /// What it shows now, in words.
    fn shown(&self) -> String {
        let own = self.context.as_ref().map_or(&[][..], |context| S::own(context));
        let told = |facts: &CertificateFacts| {
            format!("`{}` with serial number {} until {}", facts.subject, facts.serial, date(facts.not_after))
        };
        match own {
            [] => "new authorities are in use".to_owned(),
            own => format!("in use is {}", own.iter().map(told).collect::<Vec<_>>().join(" and ")),
        }
    }

    pub(super) fn context(&self) -> Option<Arc<S::Context>> {
        self.context.clone()
    }

    /// What is wrong.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().chain(&self.aged)
    }

    pub(super) fn view(&self) -> View<'_> {
        let context = self.context.as_deref();
        View {
            name: self.spec.name(),
            condition: match (context, self.is_failing()) {
                (_, false) => Condition::Good,
                (Some(_), true) => Condition::Kept,
                (None, true) => Condition::Failed,
            },
            certificates: context.map_or(&[], S::own),
            authorities: context.map_or(&[], S::others),
            problems: self.problems().collect(),
        }
    }

    /// The files that the spec names.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for source in self.spec.certificates() {
            if let CertificateSource::Files { certificate, key } = source {
                paths.extend([certificate.clone(), key.clone()]);
            }
        }
        if let Some(AuthoritySource::Files { authorities, revoked }) = self.spec.authorities() {
            paths.push(authorities.clone());
            paths.extend(revoked.clone());
        }
        paths
    }
}

impl Entry<ServerSpec> {
    /// The same context with other secrets for its tickets.
    pub(super) fn rotate_tickets(&mut self, tickets: &TicketSecret) -> Option<Arc<ServerContext>> {
        let context = Arc::new(self.context.as_ref()?.with_tickets(tickets));
        self.context = Some(Arc::clone(&context));
        Some(context)
    }
}

/// `2026-11-23 16:18 UTC`
fn date(unix_seconds: i64) -> String {
    let at = civil(u64::try_from(unix_seconds).unwrap_or(0));
    format!("{:04}-{:02}-{:02} {:02}:{:02} UTC", at.year, at.month, at.day, at.hour, at.minute)
}
