//! What a request asks an endpoint for: the parameters of its query, and the format of the answer.

use super::endpoint::{Endpoint, FORMAT, Format, Parameter};
use std::borrow::Cow;

/// A request that an endpoint can answer.
#[derive(Debug)]
pub(super) struct Asked {
    /// How the answer is to be written.
    pub(super) format: Format,
    parameters: Vec<(&'static str, String)>,
}

impl Asked {
    /// Reads a request for an endpoint.
    ///
    /// # Errors
    /// For people: a parameter that the endpoint does not have, that is missing, or that has a value it can't have.
    pub(super) fn new(endpoint: &Endpoint, query: &str, accept: Option<&str>) -> Result<Asked, String> {
        let mut format = None;
        let mut parameters: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in pairs(query)? {
            if name == FORMAT {
                format = Some(named(endpoint.formats, &value)?);
                continue;
            }
            let Some(known) = endpoint.parameters.iter().find(|known| known.name == name) else {
                return Err(unknown(&name, endpoint));
            };
            if !known.repeats && parameters.iter().any(|(there, _)| *there == known.name) {
                return Err(format!("`{name}` is there twice"));
            }
            if let Some(problem) = known.problem(&value) {
                return Err(problem);
            }
            parameters.push((known.name, value.into_owned()));
        }
        let is_missing = |known: &&Parameter| {
            known.is_required && !parameters.iter().any(|(there, _)| *there == known.name)
        };
        if let Some(missing) = endpoint.parameters.iter().find(is_missing) {
            return Err(format!("`{}` is missing: {}", missing.name, missing.about));
        }
        let format = format.unwrap_or_else(|| accepted(endpoint.formats, accept));
        Ok(Asked { format, parameters })
    }

    /// A parameter's value, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter that may be there several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(move |(there, _)| *there == name).map(|(_, value)| value.as_str())
    }
}

fn unknown(name: &str, endpoint: &Endpoint) -> String {
    let mut known: Vec<&str> = endpoint.parameters.iter().map(|known| known.name).collect();
    known.push(FORMAT);
    format!("{} has no parameter `{name}`; it takes {}", endpoint.path, known.join(", "))
}

fn named(formats: &[Format], name: &str) -> Result<Format, String> {
    formats.iter().copied().find(|format| format.name() == name).ok_or_else(|| {
        let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
        format!("`{name}`: {FORMAT} is one of {}", names.join(", "))
    })
}

/// Name and value.
type Pair<'q> = (Cow<'q, str>, Cow<'q, str>);

/// Names and values of a query (`application/x-www-form-urlencoded` of the URL standard).
fn pairs(query: &str) -> Result<Vec<Pair<'_>>, String> {
    let whole = query.split('&').filter(|pair| !pair.is_empty());
    whole
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

fn decoded(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(rest.next()), digit(rest.next())) {
                    // Two digits of base 16 are one byte.
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(format!("`{text}`: behind % stand two digits of base 16")),
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| format!("`{text}` is not UTF-8"))
}

/// The format that `accept` likes best (RFC 9110 section 12.5.1); the first one where it likes several as well, or none.
pub(super) fn accepted(formats: &[Format], accept: Option<&str>) -> Format {
    let default = formats.first().copied().unwrap_or(Format::Text);
    let Some(accept) = accept else { return default };
    let mut best = (default, 0);
    for format in formats {
        let quality = quality(accept, format.media_type());
        if quality > best.1 {
            best = (*format, quality);
        }
    }
    best.0
}

/// How much a media type is liked, in thousandths. The most exact range decides.
fn quality(accept: &str, media_type: &str) -> u32 {
    let group = media_type.split('/').next().unwrap_or_default();
    let mut found = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let exactness = match name.split_once('/') {
            _ if name.eq_ignore_ascii_case(media_type) => 3,
            Some((range, "*")) if range.eq_ignore_ascii_case(group) => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let given = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = given.map_or(Ok(1.0), |text| text.trim().parse::<f32>()).unwrap_or(0.0);
        if exactness > found.0 {
            // Within 0 and 1000.
            found = (exactness, (quality.clamp(0.0, 1.0) * 1000.0) as u32);
        }
    }
    found.1
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            endpoint::{Answer, JSON, Kind, TEXT},
            reply::Reply,
        },
        *,
    };

    const PAGE: &[Format] = &[Format::Text, Format::Json, Format::Html];

    const FEW: Endpoint = Endpoint::get("/few", "", TEXT, Answer::Now(|_, _| Reply::text(200, ""))).takes(&[
        Parameter::new("name", Kind::Text, "a name").required(),
        Parameter::new("limit", Kind::Number(1, 10), "how many"),
        Parameter::new("level", Kind::OneOf(&["info", "debug"]), "how much"),
        Parameter::new("header", Kind::Text, "a field").repeated(),
    ]);

    #[test]
    fn parameters_are_read() {
        let asked = Asked::new(&FEW, "name=a%20b+c%C3%A9&header=x%3D1&header=y&limit=10&&level=debug", None);
        let asked = asked.unwrap();
        assert_eq!(asked.get("name"), Some("a b cé"));
        assert_eq!(asked.all("header").collect::<Vec<_>>(), ["x=1", "y"]);
        assert_eq!((asked.get("limit"), asked.get("level")), (Some("10"), Some("debug")));
        assert_eq!(asked.format, Format::Text);
        assert_eq!(Asked::new(&FEW, "name", None).unwrap().get("name"), Some(""));
        assert_eq!(Asked::new(&FEW, "name=&format=json", Some("text/plain")).unwrap().format, Format::Json);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (query, said) in [
            ("", "`name` is missing: a name"),
            ("name=a&name=b", "`name` is there twice"),
            ("name=a&limit=0", "`0`: limit is a whole number from 1 to 10"),
            ("name=a&limit=-1", "`-1`: limit"),
            ("name=a&limit=1e1", "`1e1`: limit"),
            ("name=a&level=loud", "`loud`: level is one of info, debug"),
            ("name=a&format=xml", "`xml`: format is one of text, json"),
            ("name=a&nam=b", "/few has no parameter `nam`; it takes name, limit, level, header, format"),
            ("name=%", "`%`: behind % stand"),
            ("name=%4", "`%4`: behind"),
            ("name=%zz", "`%zz`: behind"),
            ("name=%ff", "`%ff` is not UTF-8"),
        ] {
            let error = Asked::new(&FEW, query, None).unwrap_err();
            assert!(error.starts_with(said), "{query}: {error}");
        }
    }

    #[test]
    fn accept_chooses_among_what_there_is() {
        for (formats, accept, wanted) in [
            (TEXT, "*/*", Format::Text),
            (JSON, "*/*", Format::Json),
            (TEXT, "application/json", Format::Json),
            (JSON, "text/plain, application/json;q=0.9", Format::Text),
            (JSON, "text/*;q=0.5, application/*;q=0.4", Format::Text),
            (TEXT, "text/plain;q=0, */*", Format::Json),
            (TEXT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Text),
            (JSON, "image/png", Format::Json),
            (PAGE, "text/html,application/xhtml+xml,*/*;q=0.8", Format::Html),
            (PAGE, "*/*", Format::Text),
            (JSON, ";;q=,", Format::Json),
            (TEXT, "APPLICATION/JSON ; Q=1", Format::Json),
        ] {
            assert_eq!(accepted(formats, Some(accept)), wanted, "{accept}");
        }
        assert_eq!(accepted(JSON, None), Format::Json);
    }
}
