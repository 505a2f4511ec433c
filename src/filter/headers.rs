//! `headers.request` and `headers.response` of routes and destinations.

use super::template::{Context, Message, Template};
use crate::http::{Fields, REDACTED, is_secret_name};
use std::fmt;

/// What to do to the fields of a message: first `remove`, then `set`, then `add` (specification section 3.4).
///
/// As in Envoy, every value is evaluated after the removals and before the first `set`, so a value that reads a field
/// of the same message sees it as it came, and a value that comes out empty changes nothing: the field is neither set
/// nor added.
#[derive(Clone, Debug, Default)]
pub struct HeaderOps {
    /// Nothing where there is nothing to do: nearly every route has four of these and uses none.
    lists: Option<Box<Lists>>,
}

#[derive(Clone, Debug)]
struct Lists {
    /// Names in lower case.
    remove: Vec<Box<[u8]>>,
    /// In order, names in lower case.
    set: Vec<(Box<[u8]>, Template)>,
    /// In order, names in lower case.
    add: Vec<(Box<[u8]>, Template)>,
}

impl HeaderOps {
    /// Names may be in any case. That they are tokens, and none of them `host` or a pseudo header, is for the caller
    /// to see to: it has the place in the file for the message.
    pub fn new<'a>(
        remove: impl IntoIterator<Item = &'a str>,
        set: impl IntoIterator<Item = (&'a str, Template)>,
        add: impl IntoIterator<Item = (&'a str, Template)>,
    ) -> HeaderOps {
        let lower = |name: &str| name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        let lists = Lists {
            remove: remove.into_iter().map(lower).collect(),
            set: set.into_iter().map(|(name, value)| (lower(name), value)).collect(),
            add: add.into_iter().map(|(name, value)| (lower(name), value)).collect(),
        };
        let is_empty = lists.remove.is_empty() && lists.set.is_empty() && lists.add.is_empty();
        HeaderOps { lists: (!is_empty).then(|| Box::new(lists)) }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.lists.is_none()
    }

    /// Changes the fields of a request: `%REQ(x)%` reads these fields, `%RESP(x)%` is not known.
    pub fn apply_to_request(&self, fields: &mut Fields, context: &Context<'_>) {
        let Some(lists) = &self.lists else { return };
        lists.apply(fields, |value, fields, out| value.render(Message::Request(fields), context, out));
    }

    /// Changes the fields of a response: `%RESP(x)%` reads these fields, `%REQ(x)%` those of the context.
    pub fn apply_to_response(&self, fields: &mut Fields, context: &Context<'_>) {
        let Some(lists) = &self.lists else { return };
        lists.apply(fields, |value, fields, out| value.render(Message::Response(fields), context, out));
    }
}

/// In the order in which it is done, with values as they are written, but for secrets: `remove x-a, set x-b: 1, add x-c:
/// %PROTOCOL%`.
impl fmt::Display for HeaderOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(lists) = &self.lists else { return Ok(()) };
        let mut separator = "";
        for name in &lists.remove {
            write!(f, "{separator}remove {}", name.escape_ascii())?;
            separator = ", ";
        }
        for (verb, fields) in [("set", &lists.set), ("add", &lists.add)] {
            for (name, value) in fields {
                let value = if is_secret_name(name) { REDACTED } else { value.text() };
                write!(f, "{separator}{verb} {}: {value}", name.escape_ascii())?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl Lists {
    fn apply(&self, fields: &mut Fields, render: impl Fn(&Template, &Fields, &mut Vec<u8>)) {
        for name in &self.remove {
            fields.remove_text(name);
        }
        // The values that have commands stand in the scratch memory one after another, each behind its length.
        let mut scratch = fields.take_scratch();
        for (_, value) in self.set.iter().chain(&self.add) {
            if value.as_literal().is_none() {
                push_with_length(&mut scratch, |out| render(value, fields, out));
            }
        }
        let mut rest = scratch.as_slice();
        let mut next = |value| match Template::as_literal(value) {
            Some(literal) => literal,
            None => take_with_length(&mut rest),
        };
        for (name, value) in &self.set {
            match next(value) {
                b"" => {}
                value => fields.set(name, value),
            }
        }
        for (name, value) in &self.add {
            match next(value) {
                b"" => {}
                value => fields.push(name, value),
            }
        }
        fields.return_scratch(scratch);
    }
}

const LENGTH_SIZE: usize = size_of::<usize>();

fn push_with_length(scratch: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    let at = scratch.len();
    scratch.extend_from_slice(&[0; LENGTH_SIZE]);
    push(scratch);
    let length = scratch.len() - at - LENGTH_SIZE;
    if let Some(place) = scratch.get_mut(at..at + LENGTH_SIZE) {
        place.copy_from_slice(&length.to_ne_bytes());
    }
}

fn take_with_length<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, after)) = rest.split_first_chunk::<LENGTH_SIZE>() else { return b"" };
    let Some((value, after)) = after.split_at_checked(usize::from_ne_bytes(*length)) else { return b"" };
    *rest = after;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    fn fields(list: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn lines(fields: &Fields) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        fields.iter().map(|f| format!("{}: {}", text(f.text), text(f.value))).collect()
    }

    #[test]
    fn remove_then_set_then_add() {
        let ops = HeaderOps::new(["X"], [("Y", template("2"))], [("x", template("1")), ("y", template("3"))]);
        let mut fields = fields(&[("x", "0"), ("x", "00"), ("y", "0"), ("z", "0")]);
        ops.apply_to_request(&mut fields, &Context::default());
        assert_eq!(lines(&fields), ["z: 0", "y: 2", "x: 1", "y: 3"]);
    }

    #[test]
    fn they_say_what_they_do() {
        let ops = HeaderOps::new(
            ["X-A", "b"],
            [("c", template("%REQ(x):3%"))],
            [("d", template("100%%")), ("e", template(""))],
        );
        assert_eq!(ops.to_string(), "remove x-a, remove b, set c: %REQ(x):3%, add d: 100%%, add e: ");
        assert_eq!(HeaderOps::default().to_string(), "");
    }

    #[test]
    fn values_are_evaluated_on_the_message_as_it_came() {
        let set =
            [("a", template("new")), ("b", template("%REQ(a)%-%REQ(gone?c)%")), ("d", template("%REQ(b)%"))];
        let ops = HeaderOps::new(["gone"], set, [("e", template("%REQ(a)%"))]);
        let mut fields = fields(&[("a", "old"), ("gone", "x"), ("c", "else")]);
        ops.apply_to_request(&mut fields, &Context::default());
        assert_eq!(lines(&fields), ["c: else", "a: new", "b: old-else", "e: old"]);
    }

    #[test]
    fn a_value_that_is_empty_changes_nothing() {
        let ops =
            HeaderOps::new([], [("a", template("%REQ(none)%")), ("b", template(""))], [("c", template(""))]);
        let mut fields = fields(&[("a", "1"), ("b", "2")]);
        ops.apply_to_request(&mut fields, &Context::default());
        assert_eq!(lines(&fields), ["a: 1", "b: 2"]);
    }

    #[test]
    fn a_response_reads_both_messages() {
        let request = fields(&[("x", "request")]);
        let context = Context { request_fields: Some(&request), ..Context::default() };
        let ops = HeaderOps::new([], [("both", template("%REQ(x)% %RESP(x)%"))], []);
        let mut response = fields(&[("x", "response")]);
        ops.apply_to_response(&mut response, &context);
        assert_eq!(lines(&response), ["x: response", "both: request response"]);
    }
}
