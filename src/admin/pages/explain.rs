//! What becomes of a request, by what is served at this moment.

use crate::{
    admin::{endpoint::Format, reply::Reply, request::Asked},
    control::Gateway,
    explain::{Configuration, Health, Question, explain as follow},
};

pub(super) fn explain(gateway: &Gateway, asked: &Asked) -> Reply {
    let question = match question(asked) {
        Ok(question) => question,
        Err(problem) => return Reply::refusal(400, asked.format, &problem),
    };
    let (snapshot, known) = (gateway.snapshot(), gateway.known());
    let health = Health::new(&gateway.credentials.borrow(), &snapshot);
    let configuration = Configuration { snapshot: &snapshot, inventory: &known.inventory };
    match follow(&question, configuration, &health) {
        Ok(explained) if asked.format == Format::Json => {
            Reply::whole(200, asked.format, explained.json().into_bytes())
        }
        Ok(explained) => Reply::text(200, explained.text(&known.sources)),
        Err(problem) => Reply::refusal(400, asked.format, &problem),
    }
}

/// What is empty is not there, as forms send it.
fn question(asked: &Asked) -> Result<Question, String> {
    let given = |name| asked.get(name).filter(|value| !value.is_empty());
    let mut question = Question::get(asked.get("url").unwrap_or_default());
    if let Some(method) = given("method") {
        question.method = method.to_owned();
    }
    if let Some(client) = given("client") {
        question.from = client.parse().map_err(|_| format!("`{client}`: client is an IP address"))?;
    }
    question.headers = asked.all("header").map(str::to_owned).collect();
    question.http2 = given("http2") == Some("1");
    question.sni = asked.get("sni").map(str::to_owned);
    question.unix_socket = given("unix_socket").map(Into::into);
    Ok(question)
}
