//! What a rule decides before its action: `fault`, `corsPolicy`, and the annotations of the VirtualService.

use super::{Report, Rule, RuleCompiler, matches::refuse};
use crate::{
    compile::delegate::Home,
    config::{
        Spanned,
        resources::{
            self, Annotations, FaultAbort, FaultDelay, HttpFaultInjection, OneOrMore, Percent,
            UnmatchedPreflights,
        },
    },
    filter::{
        Abort, Cors, Fault, NetworkPolicy, Networks, RateLimit, RequestKey, Share, parse_network,
        sticky::stable_hash,
    },
    grpc::STATUS_NAMES,
    table::{Action, Checks, CorsPolicy, Destination, IssuedCookie, RateLimited, StickySplit, StringMatch},
    telemetry::LogChoice,
};
use std::{collections::HashMap, sync::Arc};

/// What several routes have together: one entry of an annotation is one thing, however many rules it is for.
#[derive(Default)]
pub(super) struct Shared {
    /// By the address of the entry.
    limits: HashMap<usize, Arc<RateLimit>>,
    networks: HashMap<usize, Arc<NetworkPolicy>>,
}

impl RuleCompiler<'_, '_> {
    /// The checks of a rule, if it has any. `None`: the route is left out, and it is reported why.
    pub(super) fn checks(
        &mut self,
        rule: &Rule<'_, '_>,
        action: &Action,
        report: &mut Report,
    ) -> Option<Option<Box<Checks>>> {
        let fault = rule.route.fault.as_deref().and_then(|fault| self::fault(fault));
        let mut checks = Checks { fault, ..Checks::default() };
        if let Some(policy) = rule.route.cors_policy.as_deref() {
            checks.cors = Some(self.cors(rule, policy, report)?);
        }
        for level in levels(rule) {
            self.annotations(&level, action, &mut checks);
        }
        Some((!checks.is_empty()).then(|| Box::new(checks)))
    }

    fn annotations(&mut self, level: &Level<'_>, action: &Action, checks: &mut Checks) {
        let (own, shared) = (level.own, &mut self.shared);
        if let Some(networks) = level.entry(&own.networks, |entry| &entry.route) {
            let made = shared
                .networks
                .entry(address(networks))
                .or_insert_with(|| Arc::new(network_policy(networks)));
            checks.networks.push(Arc::clone(made));
        }
        for entry in own.rate_limit.iter().filter(|entry| level.is_for(&entry.route) != Some(false)) {
            let Some(limit) = rate_limit(entry) else { continue };
            let made = shared.limits.entry(address(entry)).or_insert_with(|| Arc::new(limit));
            let key = entry.key.as_ref().and_then(|key| request_key(key));
            checks.rate_limits.push(RateLimited { limit: Arc::clone(made), key });
        }
        let limit = level.entry(&own.body_limit, |entry| &entry.route);
        let limit = limit.and_then(|limit| limit.max.as_ref()).map(|max| max.value.0);
        checks.body_max = checks.body_max.into_iter().chain(limit).min();
        if let Action::Forward(forward) = action
            && forward.destinations.len() > 1
            && checks.split.is_none()
        {
            let split = level.entry(&own.sticky_split, |entry| &entry.route);
            checks.split = split.and_then(|split| sticky_split(split, &forward.destinations));
        }
    }

    fn cors(
        &mut self,
        rule: &Rule<'_, '_>,
        policy: &resources::CorsPolicy,
        report: &mut Report,
    ) -> Option<CorsPolicy> {
        let mut origins = Vec::with_capacity(policy.allow_origins.len());
        for origin in &policy.allow_origins {
            let allowed = match (&origin.exact, &origin.prefix, &origin.regex) {
                (Some(exact), ..) => StringMatch::exact(exact),
                (None, Some(prefix), _) => StringMatch::prefix(prefix),
                (None, None, Some(regex)) => match self.pattern(regex) {
                    Ok(pattern) => StringMatch::Regex(pattern),
                    Err(error) => {
                        refuse(rule, regex, &error, ".corsPolicy.allowOrigins", report);
                        return None;
                    }
                },
                (None, None, None) => continue,
            };
            origins.push(allowed);
        }
        // The deprecated list counts only where the other is absent.
        if policy.allow_origins.is_empty() {
            origins.extend(policy.allow_origin.iter().map(|origin| StringMatch::exact(origin)));
        }
        // As in Envoy: what would match a star matches everything.
        let is_everyone = origins.iter().any(|origin| origin.matches(b"*"));
        let credentials = policy.allow_credentials.as_ref().is_some_and(|switch| switch.value);
        let unmatched = policy.unmatched_preflights.as_ref().map(|choice| choice.value);
        let cors = Cors {
            methods: joined(&policy.allow_methods),
            headers: joined(&policy.allow_headers),
            expose: joined(&policy.expose_headers),
            max_age: policy.max_age.as_ref().map(|age| age.as_secs().to_string().into_bytes().into()),
            credentials,
            ignores_unmatched: unmatched == Some(UnmatchedPreflights::Ignore),
        };
        Some(CorsPolicy { origins: (!is_everyone).then_some(origins), cors })
    }
}

/// What the annotation says; that of the rule's own VirtualService is stronger than that of the one that delegates to it.
pub(super) fn log_choice(rule: &Rule<'_, '_>) -> LogChoice {
    let choice = |level: Level<'_>| {
        let entry = level.entry(&level.own.access_log, |entry| &entry.route)?;
        LogChoice::parse(entry.lines.as_ref()?)
    };
    levels(rule).find_map(choice).unwrap_or_default()
}

/// Tells entries apart; two may have the same place in the file, where their text is not written as it is.
fn address<T>(entry: &T) -> usize {
    std::ptr::from_ref(entry).addr()
}

fn joined(list: &[Spanned<String>]) -> Option<Box<[u8]>> {
    let list: Vec<&str> = list.iter().map(|item| item.as_str()).collect();
    (!list.is_empty()).then(|| list.join(",").into_bytes().into())
}

/// A VirtualService whose annotations a rule has: the one that it is written in, and the one that delegates to that.
pub(super) struct Level<'r> {
    pub(super) own: &'r Annotations,
    /// The name of its rule.
    name: Option<&'r str>,
}

pub(super) fn levels<'r>(rule: &Rule<'_, 'r>) -> impl Iterator<Item = Level<'r>> {
    let level = |home: &Home<'r>, position: usize| {
        let resource = home.resource;
        let own = resource.meta.own.as_deref()?;
        let name = resource.spec.http.get(position).and_then(|rule| rule.name.as_ref());
        Some(Level { own, name: name.map(|name| name.as_str()) })
    };
    let written = rule.written;
    let root = written.root.as_ref().and_then(|root| level(&root.home, root.position));
    level(&written.home, written.position).into_iter().chain(root)
}

impl<'r> Level<'r> {
    /// Whether an entry is for the rule; `None`: it is for those that nobody names.
    pub(super) fn is_for(&self, route: &Option<Spanned<String>>) -> Option<bool> {
        route.as_ref().map(|route| Some(route.as_str()) == self.name)
    }

    /// The entry of an annotation for the rule: the one that names it, else the one for all.
    pub(super) fn entry<T>(
        &self,
        entries: &'r OneOrMore<T>,
        route: impl Fn(&T) -> &Option<Spanned<String>>,
    ) -> Option<&'r Spanned<T>> {
        let named = entries.iter().find(|entry| self.is_for(route(entry)) == Some(true));
        named.or_else(|| entries.iter().find(|entry| route(entry).is_none()))
    }
}

/// A fault that never happens is none.
fn fault(fault: &HttpFaultInjection) -> Option<Fault> {
    let made = Fault {
        delay: fault.delay.as_ref().and_then(|delay| self::delay(delay)),
        abort: fault.abort.as_ref().and_then(|abort| self::abort(abort)),
    };
    (made != Fault::default()).then_some(made)
}

fn delay(delay: &FaultDelay) -> Option<(Share, std::time::Duration)> {
    let share = match (&delay.percentage, &delay.percent) {
        (Some(percentage), _) => share(Some(percentage)),
        (None, percent) => Share::percent(percent.as_ref().map_or(0.0, |percent| f64::from(percent.value))),
    };
    let duration = delay.fixed_delay.as_ref().map(|delay| delay.value).filter(|delay| !delay.is_zero())?;
    (!share.is_never()).then_some((share, duration))
}

fn abort(abort: &FaultAbort) -> Option<(Share, Abort)> {
    let how = match (&abort.http_status, &abort.grpc_status) {
        (Some(status), _) => Abort::Http(u16::try_from(status.value).ok()?),
        (None, Some(name)) => {
            let status = STATUS_NAMES.iter().position(|known| *known == name.as_str())?;
            Abort::Grpc(u8::try_from(status).ok()?)
        }
        (None, None) => return None,
    };
    let share = share(abort.percentage.as_ref());
    (!share.is_never()).then_some((share, how))
}

fn share(percentage: Option<&Spanned<Percent>>) -> Share {
    Share::percent(
        percentage.and_then(|percentage| percentage.value.value.as_ref()).map_or(0.0, |share| share.value),
    )
}

fn network_policy(networks: &resources::Networks) -> NetworkPolicy {
    let set =
        |list: &[Spanned<String>]| Networks::new(list.iter().filter_map(|network| parse_network(network)));
    let allow = (!networks.allow.is_empty()).then(|| set(&networks.allow));
    NetworkPolicy { allow, deny: set(&networks.deny) }
}

fn rate_limit(limit: &resources::RateLimit) -> Option<RateLimit> {
    let (requests, per) = (limit.requests.as_ref()?.value, limit.per.as_ref()?.value);
    let burst = limit.burst.as_ref().map_or(requests, |burst| burst.value);
    Some(RateLimit::new(requests, per, burst))
}

fn request_key(key: &resources::RequestKey) -> Option<RequestKey> {
    Some(match key {
        resources::RequestKey::None => return None,
        resources::RequestKey::ClientAddress => RequestKey::ClientAddress,
        resources::RequestKey::Header(name) => {
            RequestKey::Header(name.to_ascii_lowercase().into_bytes().into())
        }
        resources::RequestKey::Cookie(name) => RequestKey::Cookie(name.as_bytes().into()),
        resources::RequestKey::Query(name) => RequestKey::Query(name.as_bytes().into()),
        resources::RequestKey::Claim(name) => RequestKey::Claim(name.as_str().into()),
    })
}

fn sticky_split(split: &resources::StickySplit, destinations: &[Destination]) -> Option<StickySplit> {
    let key = request_key(split.key.as_ref()?)?;
    let issue = match (&split.issue, &key) {
        (Some(issue), RequestKey::Cookie(name)) => {
            Some(IssuedCookie { name: name.clone(), attributes: attributes(issue) })
        }
        _ => None,
    };
    let mut seen: HashMap<&str, u64> = HashMap::new();
    let mut sides = Vec::with_capacity(destinations.len());
    for destination in destinations {
        // The same destination twice, with other headers, is two sides; which is which their order says.
        let turn = seen.entry(&*destination.cluster_name).or_default();
        sides.push(stable_hash(destination.cluster_name.as_bytes()).wrapping_add(*turn));
        *turn += 1;
    }
    Some(StickySplit { key, sides: sides.into(), issue })
}

fn attributes(cookie: &resources::IssuedCookie) -> Box<[u8]> {
    let path = cookie.path.as_ref().map_or("/", |path| path.as_str());
    let age = cookie.max_age.as_ref().map_or_else(String::new, |age| format!("; Max-Age={}", age.as_secs()));
    format!("; Path={path}{age}; HttpOnly; SameSite=Lax").into_bytes().into()
}
