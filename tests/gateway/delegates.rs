//! Acceptance cases 68 and 70: rules that another VirtualService has.

use super::{
    harness::{GATEWAY, Gateway, service_entry, virtual_service},
    origin::Origin,
};

/// A VirtualService `rules/d` without hosts.
fn delegate(http: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: d, namespace: rules}}\n\
         spec:\n  http:\n{http}\n"
    )
}

fn yaml(root: &str, rules: &str, port: u16) -> String {
    format!("{GATEWAY}---\n{}{}{}", virtual_service(root), delegate(rules), service_entry("a.test", port))
}

const ROOT: &str = "  - {name: root, match: [{uri: {prefix: /x}}], delegate: {name: d, namespace: rules}, \
                    headers: {request: {set: {x-by: root}}}}";

#[test]
fn case_68_a_delegates_rules_stand_where_its_root_is() {
    let origin = Origin::echo();
    let rules = "  - {name: own, match: [{uri: {prefix: /x/y}}], route: [{destination: {host: a.test}}]}\n  \
                 - {match: [{uri: {exact: /x/here}}], directResponse: {status: 418}}";
    let gateway = Gateway::start(&[80], &yaml(ROOT, rules, origin.port()));
    let get = |path: &str| gateway.get(80, "any.example", path);
    let answer = get("/x/y");
    assert_eq!((answer.status, answer.echoed("x-by")), (200, Some("root")));
    assert_eq!(get("/x/z").status, 404);
    assert_eq!(get("/x/here").status, 418);
    assert_eq!(get("/y").status, 404);
    gateway.stop();
}

#[test]
fn case_70_a_delegate_that_can_not_be_compared_is_dropped_alone() {
    let origin = Origin::echo();
    let root = "  - {match: [{uri: {regex: '/x.*'}}], delegate: {name: d, namespace: rules}}\n  \
                - {match: [{uri: {prefix: /x/b}}], directResponse: {status: 418}}";
    let rules = "  - {match: [{uri: {prefix: /x/a}}], route: [{destination: {host: a.test}}]}\n  \
                 - {match: [{method: {exact: PUT}}], route: [{destination: {host: a.test}}]}";
    let gateway = Gateway::start(&[80], &yaml(root, rules, origin.port()));
    assert_eq!(gateway.get(80, "any.example", "/x/a").status, 404);
    assert_eq!(gateway.get(80, "any.example", "/x/b").status, 418);
    // What the other rule of the delegate asks is no path, so there is nothing to compare.
    assert_eq!(gateway.request(80, "PUT", "any.example", "/x/a", &[]).status, 200);
    gateway.stop();
}
