//! Reads answers of HTTP/1.1 on a connection that is kept, at little cost: the client of the open loop shares its core.

/// Longer heads than any proxy here writes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The answer that is being read.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    head: Vec<u8>,
    /// Of the body, once the head is complete.
    left: Option<usize>,
}

impl Answer {
    /// Takes what came; whether it completes the answer. An error for a status other than 200, for a head that is none or
    /// tells no length, and for more bytes than there should be.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<bool, String> {
        let mut body = bytes.len();
        if self.left.is_none() {
            // Where the head came in one piece, as it nearly always does, nothing is copied.
            let copied = !self.head.is_empty();
            if copied {
                self.head.extend_from_slice(bytes);
            }
            let whole = if copied { self.head.as_slice() } else { bytes };
            let Some(end) = end_of_head(whole) else {
                if whole.len() > HEAD_BYTES_MAX {
                    return Err("the head of the answer does not end".to_owned());
                }
                if !copied {
                    self.head.extend_from_slice(bytes);
                }
                return Ok(false);
            };
            body = whole.len() - end;
            self.left = Some(length_of_body(whole.get(..end).unwrap_or_default())?);
            self.head.clear();
        }
        let left = self.left.unwrap_or(0);
        match left.checked_sub(body) {
            None => Err("more came than one answer".to_owned()),
            Some(0) => {
                self.left = None;
                Ok(true)
            }
            some => {
                self.left = some;
                Ok(false)
            }
        }
    }
}

/// Behind the empty line.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    Some(bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4)
}

fn length_of_body(head: &[u8]) -> Result<usize, String> {
    if !head.starts_with(b"HTTP/1.1 200") {
        let first: Vec<u8> = head.iter().copied().take_while(|byte| *byte != b'\r').collect();
        return Err(format!("the answer begins with {}", String::from_utf8_lossy(&first)));
    }
    const NAME: &[u8] = b"content-length:";
    let value = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    });
    let digits = value.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
    digits.ok_or_else(|| "the answer has no Content-Length".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH: 12\r\nA: b\r\n\r\nhello world\n";

    #[test]
    fn an_answer_is_complete_with_its_last_byte_however_it_comes() {
        let mut answer = Answer::default();
        assert_eq!((answer.take(WHOLE), answer.take(WHOLE)), (Ok(true), Ok(true)));
        for cut in 1..WHOLE.len() {
            let (one, other) = WHOLE.split_at(cut);
            assert_eq!((answer.take(one), answer.take(other)), (Ok(false), Ok(true)), "{cut}");
        }
        let bytes: Vec<Result<bool, String>> = WHOLE.iter().map(|byte| answer.take(&[*byte])).collect();
        assert_eq!(bytes.iter().position(|taken| *taken == Ok(true)), Some(WHOLE.len() - 1));
    }

    #[test]
    fn what_is_no_good_answer_is_refused() {
        let refused = |bytes: &[u8]| Answer::default().take(bytes).unwrap_err();
        assert_eq!(refused(&[WHOLE, b"x"].concat()), "more came than one answer");
        assert!(refused(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").contains("503"));
        assert!(refused(b"HTTP/1.1 200 OK\r\n\r\n").contains("Content-Length"));
        assert!(refused(&[b'a'; HEAD_BYTES_MAX + 1]).contains("does not end"));
    }
}
