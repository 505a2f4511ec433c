//! How an endpoint is chosen.

use super::*;

const POLICY: &str = "\
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: names}
spec: {host: names.example, trafficPolicy: {loadBalancer: {POLICY}}}
";

fn names(policy: &str) -> String {
    let yaml = format!("{SHOP}{}", POLICY.replace("POLICY", policy));
    ask(&yaml, &[], &["http://shop.example/names"], false)
}

#[test]
fn what_decides_is_told() {
    let ring = names("consistentHash: {httpHeaderName: X-User}");
    tells(&ring, &["by header `x-user`, on a ring of 1024 places or more"]);
    let maglev = names("consistentHash: {httpCookie: {name: sid}, maglev: {tableSize: 251}}");
    tells(&maglev, &["by cookie `sid`, in Maglev's table of 251 places"]);
    tells(&names("consistentHash: {useSourceIp: true}"), &["by the client's address"]);
    let warm = names("simple: ROUND_ROBIN, warmup: {duration: 30s}");
    tells(&warm, &["ROUND_ROBIN, a new endpoint's share grows for 30 s"]);
}
