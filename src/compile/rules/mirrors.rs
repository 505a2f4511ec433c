//! Where a rule sends copies: `mirror` and `mirrors` (specification section 3.4).

use super::{Report, Rule, RuleCompiler};
use crate::{
    compile::clusters::{Traffic, Wanted},
    config::{
        Spanned,
        resources::{Destination, HttpRoute, Percent},
    },
    table::Mirror,
};

impl<'r> RuleCompiler<'r, '_> {
    /// The copies that a rule makes. A delegated rule can have `mirror` of its own and `mirrors` of its root: both hold,
    /// as in istiod.
    pub(super) fn mirrors(&mut self, rule: &Rule<'_, 'r>, report: &mut Report) -> Box<[Mirror]> {
        let route = rule.route;
        let only = route.mirror.iter().map(|destination| {
            let field = ".mirror".to_owned();
            (&**destination, field, share_of_mirror(route))
        });
        let listed = route.mirrors.iter().enumerate().filter_map(|(position, mirror)| {
            let field = format!(".mirrors[{position}].destination");
            Some((mirror.destination.as_ref()?, field, share(mirror.percentage.as_ref())))
        });
        // Without a share nothing is sent, so nothing is looked up either.
        let all: Vec<_> = only.chain(listed).filter(|(_, _, percent)| *percent > 0.0).collect();
        all.into_iter()
            .map(|(destination, field, percent)| self.mirror(rule, (destination, &field), percent, report))
            .collect()
    }

    fn mirror(
        &mut self,
        rule: &Rule<'_, 'r>,
        (destination, field): (&Spanned<Destination>, &str),
        percent: f64,
        report: &mut Report,
    ) -> Mirror {
        let (object, path) = rule.whose(destination.span, field);
        let wanted = Wanted {
            destination,
            object,
            field: &|| path.clone(),
            server_port: rule.port,
            traffic: Traffic::Copies,
        };
        let resolved = self.clusters.resolve(&wanted, report);
        Mirror { cluster: resolved.cluster, cluster_name: resolved.name, percent }
    }
}

/// `mirrorPercentage`, else the old `mirrorPercent`.
fn share_of_mirror(route: &HttpRoute) -> f64 {
    match (&route.mirror_percentage, &route.mirror_percent) {
        (None, Some(whole)) => f64::from(whole.value),
        (percentage, _) => share(percentage.as_deref()),
    }
}

/// Nothing written is everything; a percentage without a value is 0, as in istiod.
fn share(percentage: Option<&Spanned<Percent>>) -> f64 {
    let value =
        |percentage: &Spanned<Percent>| percentage.value.value.as_ref().map_or(0.0, |value| value.value);
    percentage.map_or(100.0, value)
}
