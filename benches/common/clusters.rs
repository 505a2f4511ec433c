//! A cluster to choose endpoints of.

use sluicegate::{
    compile::{Options, compile},
    config::parse,
    upstream::{Clusters, Place},
};

/// One cluster that has endpoints with these weights and balances so.
pub(crate) fn cluster(balancer: &str, weights: &[u32]) -> Clusters {
    let endpoint =
        |(number, weight): (usize, &u32)| format!("{{address: 10.0.0.{number}, weight: {weight}}}");
    let endpoints: Vec<String> = weights.iter().enumerate().map(endpoint).collect();
    let object = |kind: &str, spec: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: n}}\nspec: {spec}\n---\n"
        )
    };
    let yaml = [
        object("Gateway", "{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}"),
        object(
            "VirtualService",
            "{hosts: ['*'], gateways: [n], http: [{route: [{destination: {host: p.com}}]}]}",
        ),
        object(
            "ServiceEntry",
            &format!(
                "{{hosts: [p.com], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: [{}]}}",
                endpoints.join(", ")
            ),
        ),
        object(
            "DestinationRule",
            &format!("{{host: p.com, trafficPolicy: {{loadBalancer: {{{balancer}}}}}}}"),
        ),
    ];
    let (resources, _) = parse(vec![("bench.yaml".to_owned(), yaml.concat().into_bytes())]);
    Clusters::new(&compile(&resources, &Options::default()).snapshot, &Place::default())
}
