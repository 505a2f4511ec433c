//! A route as JSON, in the words of Istio's `HTTPRoute` where it has them.

use crate::{
    filter::HeaderOps,
    http::{REDACTED, is_secret_name},
    table::{
        Action, Forward, HeaderMatch, HeaderName, PathMatch, PathRewrite, QueryMatch, Redirect, RedirectPath,
        RedirectPort, Route, RouteMatch, StringMatch, TcpRoute, ValueMatch,
    },
};
use serde_json::{Map, Value, json};

/// One route: `name`, `match`, `route` or `redirect` or `directResponse`, `requestHeaders`, `responseHeaders`, `source`;
/// `delegatedBy` if it is a delegate's.
pub fn route(route: &Route) -> Value {
    let mut object = Map::new();
    let action = match &route.action {
        Action::Forward(forward) => ("route", self::forward(forward)),
        Action::Redirect(redirect) => ("redirect", self::redirect(redirect)),
        // The body may be long, and a page is no place for it.
        Action::Direct(direct) => {
            ("directResponse", json!({"status": direct.status, "bodyBytes": direct.body.len()}))
        }
    };
    if !route.name.is_empty() {
        object.insert("name".into(), json!(route.name));
    }
    object.insert("match".into(), matcher(&route.matcher));
    object.insert(action.0.into(), action.1);
    insert_operations(&mut object, &route.request_headers, &route.response_headers);
    object.insert("source".into(), json!(route.source.to_string()));
    if let Some(root) = &route.root {
        object.insert("delegatedBy".into(), json!(root.to_string()));
    }
    Value::Object(object)
}

/// Where connections go: `destinations`, `source`.
pub fn tcp_route(route: &TcpRoute) -> Value {
    let destinations = route.destinations.iter().map(|destination| {
        json!({
            "cluster": &*destination.cluster_name,
            "exists": destination.cluster.is_some(),
            "weight": destination.weight,
        })
    });
    json!({"destinations": destinations.collect::<Vec<_>>(), "source": route.source.to_string()})
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

fn insert_operations(object: &mut Map<String, Value>, request: &HeaderOps, response: &HeaderOps) {
    for (key, operations) in [("requestHeaders", request), ("responseHeaders", response)] {
        if !operations.is_empty() {
            object.insert(key.into(), json!(operations.to_string()));
        }
    }
}

fn matcher(matcher: &RouteMatch) -> Value {
    let mut object = Map::new();
    object.insert("uri".into(), path(&matcher.path));
    let named = [("scheme", &matcher.scheme), ("method", &matcher.method), ("authority", &matcher.authority)];
    for (key, condition) in named {
        if let Some(condition) = condition {
            object.insert(key.into(), string(condition));
        }
    }
    for (key, is_negated) in [("headers", false), ("withoutHeaders", true)] {
        let entries: Vec<Value> =
            matcher.headers.iter().filter(|entry| entry.negate == is_negated).map(header).collect();
        if !entries.is_empty() {
            object.insert(key.into(), entries.into());
        }
    }
    if !matcher.query.is_empty() {
        object.insert("queryParams".into(), matcher.query.iter().map(query).collect());
    }
    Value::Object(object)
}

fn path(path: &PathMatch) -> Value {
    match path {
        PathMatch::Exact { path, ignore_case } => json!({"exact": text(path), "ignoreCase": ignore_case}),
        PathMatch::Prefix { path, ignore_case } => json!({"prefix": text(path), "ignoreCase": ignore_case}),
        PathMatch::Regex(pattern) => json!({"regex": pattern.text()}),
    }
}

fn string(condition: &StringMatch) -> Value {
    match condition {
        StringMatch::Exact(value) => json!({"exact": text(value)}),
        StringMatch::Prefix(value) => json!({"prefix": text(value)}),
        StringMatch::Regex(pattern) => json!({"regex": pattern.text()}),
    }
}

fn value(condition: &ValueMatch) -> Value {
    match condition {
        ValueMatch::Present => json!("present"),
        ValueMatch::Is(condition) => string(condition),
    }
}

fn header(entry: &HeaderMatch) -> Value {
    let name = match &entry.name {
        HeaderName::Field(name) => text(name),
        HeaderName::Method => json!(":method"),
        HeaderName::Scheme => json!(":scheme"),
        HeaderName::Authority => json!(":authority"),
        HeaderName::Path => json!(":path"),
    };
    json!({"name": name, "value": shown(entry.name.as_bytes(), &entry.value)})
}

/// A secret is left out.
fn shown(name: &[u8], condition: &ValueMatch) -> Value {
    match condition {
        ValueMatch::Is(_) if is_secret_name(name) => json!(REDACTED),
        condition => value(condition),
    }
}

fn query(entry: &QueryMatch) -> Value {
    json!({"name": text(&entry.name), "value": shown(&entry.name, &entry.value)})
}

fn forward(forward: &Forward) -> Value {
    let destinations = forward.destinations.iter().map(|destination| {
        let mut object = Map::new();
        object.insert("cluster".into(), json!(&*destination.cluster_name));
        object.insert("exists".into(), json!(destination.cluster.is_some()));
        object.insert("weight".into(), json!(destination.weight));
        if let Some(authority) = &destination.authority {
            object.insert("authority".into(), text(authority));
        }
        insert_operations(&mut object, &destination.request_headers, &destination.response_headers);
        Value::Object(object)
    });
    let rewrite = forward.path_rewrite.as_ref().map(|rewrite| match rewrite {
        PathRewrite::Prefix { matched, replacement } => {
            json!({"prefixBytes": matched, "replacement": text(replacement)})
        }
        PathRewrite::Full(path) => json!({"full": text(path)}),
        PathRewrite::Regex(regex) => json!({"regex": regex.to_string()}),
    });
    json!({
        "destinations": destinations.collect::<Vec<_>>(),
        "rewrite": rewrite,
        "authority": forward.authority.as_deref().map(text),
    })
}

fn redirect(redirect: &Redirect) -> Value {
    let path = match &redirect.path {
        RedirectPath::Keep => Value::Null,
        RedirectPath::Full(path) => json!({"full": text(path)}),
        RedirectPath::Prefix { matched, replacement } => {
            json!({"prefixBytes": matched, "replacement": text(replacement)})
        }
    };
    let port = match redirect.port {
        RedirectPort::Keep => Value::Null,
        RedirectPort::Set(port) => json!(port),
    };
    json!({
        "status": redirect.status,
        "path": path,
        "authority": redirect.authority.as_deref().map(text),
        "scheme": redirect.scheme.map(|scheme| scheme.as_str()),
        "port": port,
    })
}
