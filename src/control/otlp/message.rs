//! `ExportTraceServiceRequest` around spans, and what is read of `ExportTraceServiceResponse`.

use crate::telemetry::{Message, TEXT_MAX};

/// The request with these spans, entries of a `ScopeSpans`, of a resource with these attributes.
pub(super) fn request<'a>(
    resource: impl Iterator<Item = (&'a str, &'a str)>,
    spans: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut out = Vec::new();
    Message::new(&mut out).message(1, |resource_spans| {
        resource_spans.message(1, |message| {
            for (key, value) in resource {
                message.message(1, |pair| {
                    pair.text(1, key.as_bytes(), TEXT_MAX);
                    pair.message(2, |any| any.text(1, value.as_bytes(), TEXT_MAX));
                });
            }
        });
        resource_spans.message(2, |scope_spans| {
            scope_spans.message(1, |scope| {
                scope.text(1, b"sluicegate", TEXT_MAX);
                scope.text(2, env!("CARGO_PKG_VERSION").as_bytes(), TEXT_MAX);
            });
            spans.for_each(|spans| scope_spans.raw(spans));
        });
    });
    out
}

/// How many of the spans a collector has refused, and why, by the body of its answer. Most say nothing.
pub(super) fn refused(answer: &[u8]) -> Option<(u64, String)> {
    let partial = field(answer, 1)?;
    let Value::Bytes(partial) = partial else { return None };
    let count = match field(partial, 1) {
        Some(Value::Number(count)) => count,
        _ => 0,
    };
    let why = match field(partial, 2) {
        Some(Value::Bytes(why)) => String::from_utf8_lossy(why).into_owned(),
        _ => String::new(),
    };
    (count > 0 || !why.is_empty()).then_some((count, why))
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field of this number.
fn field(mut message: &[u8], wanted: u64) -> Option<Value<'_>> {
    loop {
        let tag = varint(&mut message)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut message)?),
            1 => Value::Bytes(take(&mut message, 8)?),
            2 => {
                let len = varint(&mut message)?;
                Value::Bytes(take(&mut message, usize::try_from(len).ok()?)?)
            }
            5 => Value::Bytes(take(&mut message, 4)?),
            _ => return None,
        };
        if tag >> 3 == wanted {
            return Some(value);
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_collector_refuses_is_read() {
        assert_eq!(refused(b""), None);
        assert_eq!(refused(b"\x0a\x00"), None);
        let mut answer = Vec::new();
        Message::new(&mut answer).message(1, |partial| {
            partial.number(1, 300);
            partial.text(2, b"too many", 99);
        });
        assert_eq!(refused(&answer), Some((300, "too many".to_owned())));
        for len in 0..answer.len() {
            let _ = refused(&answer[..len]);
        }
        assert_eq!(refused(b"{\"partialSuccess\":{}}"), None);
    }

    #[test]
    fn a_request_has_a_resource_and_a_scope_before_the_spans() {
        let spans = [&b"\x12\x00"[..], b"\x12\x00"];
        let bytes = request([("service.name", "a")].into_iter(), spans.into_iter());
        let Some(Value::Bytes(resource_spans)) = field(&bytes, 1) else { panic!() };
        let Some(Value::Bytes(resource)) = field(resource_spans, 1) else { panic!() };
        assert!(resource.windows(12).any(|part| part == b"service.name"));
        let Some(Value::Bytes(scope_spans)) = field(resource_spans, 2) else { panic!() };
        assert!(scope_spans.ends_with(b"\x12\x00\x12\x00"));
    }
}
