//! What an endpoint is: its method and path, what it takes, in which formats it answers, and what does so. The dispatcher,
//! the list of pages, `allow` and the OpenAPI description are all made of this, so that none can say what another does not.

use super::{reply::Reply, request::Asked};
use crate::control::Gateway;
use std::{fmt, future::Future, pin::Pin, rc::Rc};

/// A method that an endpoint may have. HEAD is GET without the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Looks, and changes nothing.
    Get,
    /// Changes something.
    Post,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people, and for `grep`.
    Text,
    /// For programs.
    Json,
    /// For people with a browser.
    Html,
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything.
    Text,
    /// A whole number of at least the first and at most the second.
    Number(u64, u64),
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    /// It may be there several times.
    pub(super) repeats: bool,
    /// For people, without a full stop.
    pub(super) about: &'static str,
}

/// An answer that takes a while.
pub(super) type Later = Pin<Box<dyn Future<Output = Reply>>>;

/// What answers.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// At once.
    Now(fn(&Gateway, &Asked) -> Reply),
    /// After something that is waited for.
    Later(fn(Rc<Gateway>, Asked) -> Later),
}

/// One method of one path.
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What it answers, for people, without a full stop.
    pub(super) about: &'static str,
    /// The first one is for those who ask for none.
    pub(super) formats: &'static [Format],
    pub(super) parameters: &'static [Parameter],
    /// What else it answers than 200, and when.
    pub(super) statuses: &'static [(u16, &'static str)],
    pub(super) answer: Answer,
}

/// Text, unless JSON is asked for.
pub(super) const TEXT: &[Format] = &[Format::Text, Format::Json];
/// JSON, unless text is asked for.
pub(super) const JSON: &[Format] = &[Format::Json, Format::Text];

/// The parameter that every endpoint with several formats has.
pub(super) const FORMAT: &str = "format";

impl Endpoint {
    /// One that looks.
    pub(super) const fn get(
        path: &'static str,
        about: &'static str,
        formats: &'static [Format],
        answer: Answer,
    ) -> Endpoint {
        Endpoint { method: Method::Get, path, about, formats, parameters: &[], statuses: &[], answer }
    }

    /// One that changes something.
    pub(super) const fn post(
        path: &'static str,
        about: &'static str,
        formats: &'static [Format],
        answer: Answer,
    ) -> Endpoint {
        Endpoint { method: Method::Post, path, about, formats, parameters: &[], statuses: &[], answer }
    }

    /// With parameters.
    pub(super) const fn takes(self, parameters: &'static [Parameter]) -> Endpoint {
        Endpoint { parameters, ..self }
    }

    /// With statuses other than 200.
    pub(super) const fn or(self, statuses: &'static [(u16, &'static str)]) -> Endpoint {
        Endpoint { statuses, ..self }
    }
}

impl Parameter {
    /// One that may be left out.
    pub(super) const fn new(name: &'static str, kind: Kind, about: &'static str) -> Parameter {
        Parameter { name, kind, is_required: false, repeats: false, about }
    }

    /// It must be there.
    pub(super) const fn required(self) -> Parameter {
        Parameter { is_required: true, ..self }
    }

    /// It may be there several times.
    pub(super) const fn repeated(self) -> Parameter {
        Parameter { repeats: true, ..self }
    }

    /// What is wrong with a value, if anything is.
    pub(super) fn problem(&self, value: &str) -> Option<String> {
        match self.kind {
            Kind::Text => None,
            Kind::Number(least, most) => {
                let fits = value.parse::<u64>().is_ok_and(|number| (least..=most).contains(&number));
                (!fits).then(|| format!("`{value}`: {} is a whole number from {least} to {most}", self.name))
            }
            Kind::OneOf(names) => (!names.contains(&value))
                .then(|| format!("`{value}`: {} is one of {}", self.name, names.join(", "))),
        }
    }
}

impl Format {
    /// As `?format=` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "json",
            Format::Html => "html",
            Format::Prometheus => "prometheus",
        }
    }

    /// Its media type without parameters, as `accept` names it.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::Text | Format::Prometheus => "text/plain",
            Format::Json => "application/json",
            Format::Html => "text/html",
        }
    }

    /// The value of `content-type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; charset=utf-8",
            Format::Json => "application/json",
            Format::Html => "text/html; charset=utf-8",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Get => "GET",
            Method::Post => "POST",
        })
    }
}
