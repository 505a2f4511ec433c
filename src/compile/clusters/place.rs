//! Which endpoints are near: `localityLbSetting` (specification section 4.3), as istiod makes priorities and weights of it.

use super::policy::Policy;
use crate::{
    compile::{
        Locality, Workload,
        mesh::Mesh,
        report::Report,
        services::{Pool, REGION_LABEL, SUBZONE_LABEL, Service, Site, ZONE_LABEL},
    },
    config::{
        Diagnostic, Resources, Spanned,
        resources::{
            LoadBalancerSettings, LocalityDistribute, LocalityFailover, LocalityLbSetting, TrafficPolicy,
        },
    },
    table::{PRIORITIES_MAX, Placement},
};
use std::{borrow::Cow, collections::BTreeMap};

/// How many steps of distance there are by place alone: the same subzone, zone, region, a region that stands in, elsewhere.
const DISTANCES: u32 = 5;

/// What decides which endpoints of a cluster are near.
pub(super) struct Nearness<'r> {
    distribute: &'r [Spanned<LocalityDistribute>],
    failover: &'r [Spanned<LocalityFailover>],
    labels: Vec<&'r str>,
    /// Endpoints are left out when they fail, or the service asks for near ones: so others may stand in.
    fails_over: bool,
}

/// Endpoints of a cluster that are in one place and equally far.
struct Group {
    locality: Locality,
    priority: u32,
    weight: u64,
    /// Their indexes.
    members: Vec<usize>,
}

impl<'r> Nearness<'r> {
    /// The DestinationRule's setting, else what the service asks for, else the mesh's, which is on if nobody says otherwise.
    /// Nothing where all endpoints are alike.
    pub(super) fn new(policy: Policy<'r>, service: &Service<'r>, mesh: Mesh<'r>) -> Option<Nearness<'r>> {
        let nearness = Nearness::written(policy, service, mesh)?;
        (nearness.fails_over || !nearness.distribute.is_empty()).then_some(nearness)
    }

    fn written(policy: Policy<'r>, service: &Service<'r>, mesh: Mesh<'r>) -> Option<Nearness<'r>> {
        let is_on =
            |setting: &LocalityLbSetting| setting.enabled.as_ref().is_none_or(|enabled| enabled.value);
        let has_outlier = policy.outlier.is_some() || mesh.outlier_detection().is_some();
        let of = |setting: &'r LocalityLbSetting| {
            is_on(setting).then(|| Nearness {
                distribute: &setting.distribute,
                failover: &setting.failover,
                labels: setting.failover_priority.iter().map(|label| label.as_str()).collect(),
                fails_over: has_outlier,
            })
        };
        let only = |labels: &[&'static str], fails_over| Nearness {
            distribute: &[],
            failover: &[],
            labels: labels.to_vec(),
            fails_over,
        };
        if let Some(setting) = policy.load_balancer.and_then(|lb| lb.locality_lb_setting.as_ref()) {
            return of(setting);
        }
        if let Some(near) = service.traffic_distribution() {
            return Some(only(near.labels(), true));
        }
        mesh.locality().map_or_else(|| Some(only(&[], has_outlier)), of)
    }

    /// Says of each endpoint how far it is, and takes those out that get nothing. Returns the shares of the places, if they
    /// have any.
    pub(super) fn place(&self, pool: &mut Pool<'r>, workload: &Workload) -> Vec<u32> {
        let here = &workload.locality;
        let mut groups = by_place(pool, here);
        let is_weighted = !self.distribute.is_empty()
            || self.fails_over && !(self.failover.is_empty() && self.labels.is_empty());
        if !self.distribute.is_empty() {
            distribute(&mut groups, self.distribute, here);
        } else if self.fails_over {
            let labels = Labels::new(&self.labels, workload);
            if !labels.is_empty() {
                groups = by_labels(groups, &labels, pool, here);
            }
            if (self.labels.is_empty() || !self.failover.is_empty()) && !here.is_unknown() {
                by_distance(&mut groups, self.failover, here);
            }
        }
        without_gaps(&mut groups);
        let mut placements: Vec<Option<Placement>> = vec![None; pool.sites.len()];
        for (place, group) in groups.iter().enumerate() {
            let priority = group.priority.min(u32::from(PRIORITIES_MAX) - 1) as u8;
            let place = u16::try_from(place).unwrap_or(u16::MAX);
            let place = if is_weighted { place } else { 0 };
            for member in &group.members {
                if let Some(placement) = placements.get_mut(*member) {
                    *placement = Some(Placement { priority, place });
                }
            }
        }
        pool.place(&placements, || {
            "none of its endpoints is in a place to which `localityLbSetting.distribute` sends anything"
                .to_owned()
        });
        let weight = |group: &Group| u32::try_from(group.weight).unwrap_or(u32::MAX);
        if is_weighted && groups.len() > 1 { groups.iter().map(weight).collect() } else { Vec::new() }
    }
}

/// The endpoints by their places, in the order of these.
fn by_place(pool: &Pool<'_>, here: &Locality) -> Vec<Group> {
    let mut groups: BTreeMap<Locality, (u64, Vec<usize>)> = BTreeMap::new();
    for (at, (site, weight)) in pool.sites.iter().zip(pool.weights()).enumerate() {
        let group = groups.entry(site.locality(here)).or_default();
        group.0 += u64::from(weight);
        group.1.push(at);
    }
    let group = |(locality, (weight, members))| Group { locality, priority: 0, weight, members };
    groups.into_iter().map(group).collect()
}

/// The shares of the first entry that is about the gateway's place. Places that it does not name get nothing.
fn distribute(groups: &mut Vec<Group>, list: &[Spanned<LocalityDistribute>], here: &Locality) {
    let is_about =
        |entry: &&Spanned<LocalityDistribute>| entry.from.as_ref().is_some_and(|from| here.is_in(from));
    let Some(entry) = list.iter().find(is_about) else { return };
    let mut named = vec![false; groups.len()];
    for (to, share) in entry.to.iter() {
        let is_meant = |(group, named): (&Group, &bool)| !named && group.locality.is_in(to);
        let meant: Vec<bool> = groups.iter().zip(&named).map(is_meant).collect();
        let total: u64 = groups.iter().zip(&meant).filter(|(_, meant)| **meant).map(|(g, _)| g.weight).sum();
        for ((group, named), meant) in groups.iter_mut().zip(&mut named).zip(&meant) {
            if *meant {
                *named = true;
                group.weight = (group.weight * u64::from(share.value)).div_ceil(total.max(1));
            }
        }
    }
    let mut named = named.into_iter();
    groups.retain(|_| named.next().unwrap_or(false));
}

/// What `failoverPriority` says, with the values that an endpoint should have.
struct Labels<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Labels<'a> {
    /// Without any label of the gateway none of it holds, as in Istio.
    fn new(list: &[&'a str], workload: &'a Workload) -> Labels<'a> {
        let here = &workload.locality;
        let own = |key: &str| -> Cow<'a, str> {
            let added = match key {
                REGION_LABEL => here.region.as_str(),
                ZONE_LABEL => here.zone.as_str(),
                SUBZONE_LABEL => here.subzone.as_str(),
                _ => "",
            };
            let label = workload.labels.as_ref().and_then(|labels| labels.get(key));
            Cow::Borrowed(match added {
                "" => label.map_or("", String::as_str),
                added => added,
            })
        };
        let has_labels = workload.labels.as_ref().is_some_and(|labels| !labels.is_empty());
        if !has_labels && here.is_unknown() {
            return Labels(Vec::new());
        }
        let wanted = |label: &&'a str| match label.split_once('=') {
            Some((key, value)) => (key, Cow::Borrowed(value)),
            None => (*label, own(label)),
        };
        Labels(list.iter().map(wanted).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// 0 for who has all of them; the earlier the first that it has not, the farther.
    fn priority(&self, site: Site<'_>, here: &Locality) -> u32 {
        let mut list = self.0.iter();
        let same = list.position(|(key, value)| site.label(key, here) != *value);
        same.map_or(0, |at| (self.0.len() - at) as u32)
    }
}

fn by_labels(groups: Vec<Group>, labels: &Labels<'_>, pool: &Pool<'_>, here: &Locality) -> Vec<Group> {
    let weights: Vec<u32> = pool.weights().collect();
    let mut parts = Vec::new();
    for group in groups {
        let mut by_priority: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for member in group.members {
            let site = pool.sites.get(member).copied().unwrap_or_default();
            by_priority.entry(labels.priority(site, here)).or_default().push(member);
        }
        parts.extend(by_priority.into_iter().map(|(priority, members)| Group {
            locality: group.locality.clone(),
            priority,
            weight: members.iter().filter_map(|at| weights.get(*at)).map(|weight| u64::from(*weight)).sum(),
            members,
        }));
    }
    without_gaps(&mut parts);
    parts
}

/// By what they share with the gateway's place, within what was said before.
fn by_distance(groups: &mut [Group], failover: &[Spanned<LocalityFailover>], here: &Locality) {
    let is_about = |entry: &&Spanned<LocalityFailover>| {
        entry.from.as_ref().is_some_and(|from| from.value == here.region)
    };
    let stands_in = failover.iter().find(is_about).map(|entry| entry.to.as_ref().map_or("", |to| &to.value));
    for group in groups {
        let distance = match here.distance(&group.locality) {
            3 if stands_in.is_some_and(|region| region != group.locality.region) => 4,
            distance => distance,
        };
        group.priority = group.priority * DISTANCES + distance;
    }
}

/// Priorities count from 0 without gaps.
fn without_gaps(groups: &mut [Group]) {
    let mut used: Vec<u32> = groups.iter().map(|group| group.priority).collect();
    used.sort_unstable();
    used.dedup();
    for group in groups {
        group.priority = used.partition_point(|priority| *priority < group.priority) as u32;
    }
}

/// Reports settings that depend on where the gateway is, if that is not known.
pub(in crate::compile) fn report_unknown_place(
    resources: &Resources,
    workload: &Workload,
    report: &mut Report,
) {
    if !workload.locality.is_unknown() {
        return;
    }
    for rule in &resources.destination_rules {
        if report.is_broken(&rule.object) {
            continue;
        }
        let whole = rule.spec.traffic_policy.iter().map(|policy| ("spec.trafficPolicy".to_owned(), policy));
        let subsets = rule.spec.subsets.iter().enumerate().filter_map(|(at, subset)| {
            Some((format!("spec.subsets[{at}].trafficPolicy"), subset.traffic_policy.as_ref()?))
        });
        let places: Vec<_> = whole.chain(subsets).flat_map(|(path, policy)| settings(path, policy)).collect();
        for (path, setting) in places.into_iter().filter(|(_, setting)| depends_on_place(setting, workload)) {
            report.add("unknown-place", setting.span, || {
                let message = "where this gateway is is not known, so no endpoint is nearer than another";
                Diagnostic::warning("unknown-place", message)
                    .about(&rule.object)
                    .field(path)
                    .help("say it with --locality REGION/ZONE/SUBZONE, or with the label istio-locality in --labels")
            });
        }
    }
}

fn settings(path: String, policy: &TrafficPolicy) -> Vec<(String, &Spanned<LocalityLbSetting>)> {
    let mut found = Vec::new();
    for (at, port) in policy.port_level_settings.iter().enumerate() {
        let path = format!("{path}.portLevelSettings[{at}].loadBalancer.localityLbSetting");
        found.extend(in_balancer(port.load_balancer.as_ref()).map(|setting| (path, setting)));
    }
    let path = format!("{path}.loadBalancer.localityLbSetting");
    found.extend(in_balancer(policy.load_balancer.as_ref()).map(|setting| (path, setting)));
    found
}

fn in_balancer(settings: Option<&Spanned<LoadBalancerSettings>>) -> Option<&Spanned<LocalityLbSetting>> {
    settings?.value.locality_lb_setting.as_ref()
}

/// Labels other than those of places may make endpoints near by themselves, and what is for everywhere is for here too.
fn depends_on_place(setting: &LocalityLbSetting, workload: &Workload) -> bool {
    let is_off = setting.enabled.as_ref().is_some_and(|enabled| !enabled.value);
    let is_everywhere = |entry: &Spanned<LocalityDistribute>| {
        entry.from.as_ref().is_some_and(|from| Locality::default().is_in(from))
    };
    let has_labels = workload.labels.as_ref().is_some_and(|labels| !labels.is_empty());
    let by_labels = has_labels && !setting.failover_priority.is_empty() && setting.failover.is_empty();
    !(is_off || by_labels || setting.distribute.iter().any(is_everywhere))
}
