//! `grpc.health.v1.Health/Check`: its request and its answer, octet by octet. Two fields are not worth a library.

/// The path of the method.
pub(super) const PATH: &str = "/grpc.health.v1.Health/Check";

/// What `HealthCheckResponse.ServingStatus` says of a server that may be used.
const SERVING: u64 = 1;

/// The message that asks about a service, with its prefix.
pub(super) fn request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        // Field 1, of variable length.
        message.push(0x0a);
        put_varint(service.len() as u64, &mut message);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

/// Whether the answer's message says that the service serves.
///
/// # Errors
/// It says something else, or nothing that can be understood; for people.
pub(super) fn judge(body: &[u8]) -> Result<(), String> {
    let status = status(body).ok_or("the answer is no HealthCheckResponse")?;
    match status {
        SERVING => Ok(()),
        0 => Err("it says UNKNOWN".to_owned()),
        2 => Err("it says NOT_SERVING".to_owned()),
        3 => Err("it says SERVICE_UNKNOWN".to_owned()),
        other => Err(format!("it says {other}, which is no status")),
    }
}

fn status(body: &[u8]) -> Option<u64> {
    let (&[0, a, b, c, d], mut message) = body.split_first_chunk::<5>()? else { return None };
    if message.len() != u32::from_be_bytes([a, b, c, d]) as usize {
        return None;
    }
    // The default of a field that is not there.
    let mut status = 0;
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = take_varint(&mut message)?,
            // Fields of a later version.
            (_, 0) => {
                take_varint(&mut message)?;
            }
            (_, 2) => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 1) => message = message.get(8..)?,
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, 0, message.len() as u8], message].concat()
    }

    #[test]
    fn the_request_has_the_service_if_there_is_one() {
        assert_eq!(request(""), [0, 0, 0, 0, 0]);
        assert_eq!(request("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = request(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn only_serving_is_good() {
        assert_eq!(judge(&framed(&[8, 1])), Ok(()));
        for (message, says) in
            [(&[8, 2][..], "NOT_SERVING"), (&[8, 3], "SERVICE_UNKNOWN"), (&[], "UNKNOWN"), (&[8, 9], "9")]
        {
            assert!(judge(&framed(message)).unwrap_err().contains(says));
        }
    }

    #[test]
    fn other_fields_are_passed_over_and_nonsense_is_no_answer() {
        assert_eq!(judge(&framed(&[0x12, 1, b'x', 0x18, 5, 8, 1, 0x25, 0, 0, 0, 0])), Ok(()));
        let no_answers: [&[u8]; 7] = [
            &[],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 3, 8, 1],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 1, 8],
            &[0, 0, 0, 0, 2, 0x0a, 9],
            &[0, 0, 0, 0, 11, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ];
        for body in no_answers {
            assert_eq!(judge(body), Err("the answer is no HealthCheckResponse".to_owned()), "{body:?}");
        }
    }
}
