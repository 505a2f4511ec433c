//! What describes the pages: the list for people, the description for programs.

use super::table;
use crate::{
    admin::{
        dashboard,
        endpoint::{Endpoint, FORMAT, Format, Kind, Method, Parameter},
        reply::Reply,
        request::Asked,
    },
    control::Gateway,
};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// The pages, one a line.
pub(super) fn index(gateway: &Gateway, asked: &Asked) -> Reply {
    if asked.format == Format::Html {
        let page = dashboard::dashboard();
        let reply = Reply::whole(200, Format::Html, page.html.clone().into_bytes());
        return Reply { policy: Some(&page.policy), ..reply };
    }
    let text = || {
        let mut text = title(gateway);
        for endpoint in table::ADMIN {
            // Writing to memory can't fail, here and below.
            let _ = writeln!(text, "{:4} {:20} {}", endpoint.method, endpoint.path, endpoint.about);
        }
        text.push_str("\nPOST changes something. ?format=json or =text, or Accept, chooses the format.\n");
        text
    };
    Reply::either(200, asked.format, list, text)
}

/// The pages with their parameters.
pub(super) fn help(gateway: &Gateway, asked: &Asked) -> Reply {
    let text = || {
        let mut text = title(gateway);
        for endpoint in table::ADMIN {
            let formats: Vec<_> = endpoint.formats.iter().map(|format| format.name()).collect();
            let _ = writeln!(
                text,
                "{:4} {:20} {} ({})",
                endpoint.method,
                endpoint.path,
                endpoint.about,
                formats.join(", ")
            );
            for parameter in endpoint.parameters {
                let _ = writeln!(text, "{:25}   ?{}", "", in_words(parameter));
            }
        }
        text
    };
    Reply::either(200, asked.format, list, text)
}

fn title(gateway: &Gateway) -> String {
    format!("sluicegate {}: {}\n\n", env!("CARGO_PKG_VERSION"), gateway.state())
}

fn in_words(parameter: &Parameter) -> String {
    let value = match parameter.kind {
        Kind::Text => "...".to_owned(),
        Kind::Number(least, most) => format!("{least}-{most}"),
        Kind::OneOf(names) => names.join("|"),
    };
    let required = if parameter.is_required { ", required" } else { "" };
    let repeats = if parameter.repeats { ", may be repeated" } else { "" };
    format!("{}={value}  {}{required}{repeats}", parameter.name, parameter.about)
}

fn list() -> Value {
    let of = |endpoint: &Endpoint| {
        json!({
            "method": endpoint.method.to_string(),
            "path": endpoint.path,
            "about": endpoint.about,
            "formats": endpoint.formats.iter().map(|format| format.name()).collect::<Vec<_>>(),
            "parameters": endpoint.parameters.iter().map(|known| known.name).collect::<Vec<_>>(),
        })
    };
    json!({ "pages": table::ADMIN.iter().map(of).collect::<Vec<_>>() })
}

/// The description that programs read (OpenAPI 3.1.0).
pub(super) fn openapi(_: &Gateway, asked: &Asked) -> Reply {
    Reply::value(asked.format, description(table::ADMIN))
}

fn description(endpoints: &[Endpoint]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let methods = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(endpoint.method.to_string().to_ascii_lowercase(), operation(endpoint));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sluicegate admin",
            "version": env!("CARGO_PKG_VERSION"),
            "description":
                "How the gateway is, what it serves, and commands. For the operator only: whoever can call it can end it.",
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/", "description": "where this description comes from" }],
        "paths": paths,
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = endpoint.parameters.iter().map(parameter).collect();
    let has_choice = endpoint.formats.len() > 1;
    if has_choice {
        let names: Vec<_> = endpoint.formats.iter().map(|format| format.name()).collect();
        parameters.push(json!({
            "name": FORMAT,
            "in": "query",
            "description": "the format of the answer, stronger than Accept",
            "schema": { "type": "string", "enum": names, "default": names.first() },
        }));
    }
    let mut responses = Map::new();
    responses.insert("200".into(), response("the answer", endpoint.formats));
    for (status, about) in endpoint.statuses {
        responses.insert(status.to_string(), response(about, endpoint.formats));
    }
    let refusals = [Format::Text, Format::Json];
    responses.insert("400".into(), response("a query that makes no sense", &refusals));
    let forbidden = match endpoint.method {
        Method::Get => "a Host that is somebody else's name",
        Method::Post => {
            "a Host that is somebody else's name, or a page of a site that asks through a browser"
        }
    };
    responses.insert("403".into(), response(forbidden, &refusals));
    json!({
        "operationId": identifier(endpoint),
        "summary": endpoint.about,
        "parameters": parameters,
        "responses": responses,
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let one = match parameter.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::OneOf(names) => json!({ "type": "string", "enum": names }),
    };
    json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.about,
        "schema": if parameter.repeats { json!({ "type": "array", "items": one }) } else { one },
    })
}

fn response(about: &str, formats: &[Format]) -> Value {
    let mut content = Map::new();
    for format in formats {
        let schema = match format {
            Format::Json => json!({ "type": "object" }),
            Format::Text | Format::Html | Format::Prometheus => json!({ "type": "string" }),
        };
        content.insert(format.media_type().into(), json!({ "schema": schema }));
    }
    json!({ "description": about, "content": content })
}

/// `get_stats_prometheus`
fn identifier(endpoint: &Endpoint) -> String {
    let method = endpoint.method.to_string().to_ascii_lowercase();
    let path = match endpoint.path.trim_matches('/') {
        "" => "index",
        path => path,
    };
    format!("{method}_{}", path.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}
