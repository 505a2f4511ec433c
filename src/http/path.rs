//! What the path of a request becomes before it is routed and forwarded.

/// `meshConfig.pathNormalization.normalization` (specification appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathNormalization {
    /// `NONE`: the path as sent, but for a fragment.
    None,
    /// `BASE` and `DEFAULT`: dot segments removed, `\` to `/`, unreserved characters decoded.
    Base,
    /// `MERGE_SLASHES`: as BASE, and runs of `/` become one.
    MergeSlashes,
    /// `DECODE_AND_MERGE_SLASHES`: as MERGE_SLASHES, after `%2F` and `%5C` became `/`.
    DecodeAndMergeSlashes,
}

/// A path that is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// `%00` where escapes are decoded.
    EscapedNul,
}

/// Normalizes the first `path_len` bytes of a request target; the query behind them stays. What is not a path (the
/// `*` of `OPTIONS`) stays too. The path never grows, and to normalize it once more changes nothing.
pub fn normalize_path(
    target: &mut Vec<u8>,
    path_len: &mut usize,
    mode: PathNormalization,
) -> Result<(), BadPath> {
    let Some(path) = target.get_mut(..*path_len) else { return Ok(()) };
    if mode == PathNormalization::None || !path.starts_with(b"/") || is_normal(path) {
        return Ok(());
    }
    let decoded = decode(path, mode)?;
    let mut len = remove_dot_segments(path.get_mut(..decoded).unwrap_or_default());
    if mode != PathNormalization::Base {
        len = merge_slashes(path.get_mut(..len).unwrap_or_default());
    }
    target.drain(len..*path_len);
    *path_len = len;
    Ok(())
}

/// Whether no mode would change the path. May say no for nothing. Looks at all bytes without a branch between them, so
/// that it costs next to nothing for the paths that nearly all requests have.
fn is_normal(path: &[u8]) -> bool {
    let second = path.get(1..).unwrap_or_default();
    let odd = path.iter().zip(second).fold(false, |odd, (&before, &byte)| {
        odd | (byte == b'%') | (byte == b'\\') | ((before == b'/') & ((byte == b'.') | (byte == b'/')))
    });
    !odd
}

/// Decodes the escapes that the mode decodes, and turns backslashes around. Returns the new length.
fn decode(path: &mut [u8], mode: PathNormalization) -> Result<usize, BadPath> {
    let with_slashes = mode == PathNormalization::DecodeAndMergeSlashes;
    let (mut read, mut write) = (0, 0);
    while let Some(&byte) = path.get(read) {
        let (decoded, taken) = match escaped(path, read) {
            Some(0) if with_slashes => return Err(BadPath::EscapedNul),
            Some(b'/' | b'\\') if with_slashes => (b'/', 3),
            Some(c) if is_unreserved(c) && !completes_escape(path.get(..write), c) => (c, 3),
            _ if byte == b'\\' => (b'/', 1),
            _ => (byte, 1),
        };
        if let Some(place) = path.get_mut(write) {
            *place = decoded;
        }
        write += 1;
        read += taken;
    }
    Ok(write)
}

/// The byte that an escape at this place stands for.
fn escaped(path: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = path.get(at..at + 3)? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(*high)? * 16 + digit(*low)?) as u8)
}

/// RFC 3986 section 2.3
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Whether a decoded character would become part of an escape with what stands before it, as the second `5` of `%%35c`
/// would: whoever decodes the path after us would then see a character that routing did not see.
fn completes_escape(written: Option<&[u8]>, decoded: u8) -> bool {
    decoded.is_ascii_hexdigit() && matches!(written, Some([.., b'%'] | [.., b'%', _]))
}

/// RFC 3986 section 5.2.4; empty segments count as segments. Returns the new length.
fn remove_dot_segments(path: &mut [u8]) -> usize {
    let (mut read, mut write) = (0, 0);
    while read < path.len() {
        let after_slash = path.get(read + 1..).unwrap_or_default();
        let length = after_slash.iter().position(|&b| b == b'/').unwrap_or(after_slash.len());
        let end = read + 1 + length;
        let dots = match after_slash.get(..length) {
            Some(b".") => 1,
            Some(b"..") => 2,
            _ => 0,
        };
        if dots == 2 {
            let written = path.get(..write).unwrap_or_default();
            write = written.iter().rposition(|&b| b == b'/').unwrap_or(0);
        }
        if dots == 0 {
            path.copy_within(read..end, write);
            write += end - read;
        } else if end == path.len() {
            // What ends with a dot segment is a directory.
            path.copy_within(read..read + 1, write);
            write += 1;
        }
        read = end;
    }
    write
}

/// Returns the new length.
fn merge_slashes(path: &mut [u8]) -> usize {
    let (mut write, mut before) = (0, 0);
    for read in 0..path.len() {
        let byte = path.get(read).copied().unwrap_or(0);
        if byte == b'/' && before == b'/' {
            continue;
        }
        if let Some(place) = path.get_mut(write) {
            *place = byte;
        }
        before = byte;
        write += 1;
    }
    write
}

#[cfg(test)]
mod tests {
    use super::{PathNormalization::*, *};

    const MODES: [PathNormalization; 4] = [None, Base, MergeSlashes, DecodeAndMergeSlashes];

    fn normal(target: &str, mode: PathNormalization) -> Result<String, BadPath> {
        let mut path_len = target.find('?').unwrap_or(target.len());
        let mut target = target.as_bytes().to_vec();
        normalize_path(&mut target, &mut path_len, mode)?;
        assert_eq!(target.iter().position(|&b| b == b'?').unwrap_or(target.len()), path_len);
        Ok(String::from_utf8(target).unwrap())
    }

    #[track_caller]
    fn row(target: &str, base: &str, merged: &str, decoded: &str) {
        for (mode, expected) in MODES.into_iter().zip([target, base, merged, decoded]) {
            assert_eq!(normal(target, mode).unwrap(), expected, "{mode:?} {target}");
            let with_query = normal(&format!("{target}?a=/../%2e//\\"), mode).unwrap();
            assert_eq!(with_query, format!("{expected}?a=/../%2e//\\"), "{mode:?}");
        }
    }

    fn same(target: &str) {
        row(target, target, target, target);
    }

    /// The rows of appendix A, but for the fragment, which the decoder of the head cuts.
    #[test]
    fn case_127_appendix_a() {
        ["/", "/app", "/app/"].into_iter().for_each(same);
        row("/app/../admin", "/admin", "/admin", "/admin");
        row("/app//", "/app//", "/app/", "/app/");
        row("/app//../admin", "/app/admin", "/app/admin", "/app/admin");
        row("/app//../../admin", "/admin", "/admin", "/admin");
        row("/app/%2f", "/app/%2f", "/app/%2f", "/app/");
        row("/app%2f/", "/app%2f/", "/app%2f/", "/app/");
        row("/xyz%30..//abc", "/xyz0..//abc", "/xyz0../abc", "/xyz0../abc");
        row("/app/%2E./admin", "/admin", "/admin", "/admin");
        row("/app\\admin", "/app/admin", "/app/admin", "/app/admin");
        row("/app/\\/\\/\\admin", "/app//////admin", "/app/admin", "/app/admin");
        row("/%2Fapp%5cadmin%5Cabc", "/%2Fapp%5cadmin%5Cabc", "/%2Fapp%5cadmin%5Cabc", "/app/admin/abc");
        let base = "/%5Capp%2f%5c%2F..%2fadmin%5c/abc";
        row("/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc", base, base, "/app/admin/abc");
        assert_eq!(normal("/%c0%2e%c0%2e/admin", DecodeAndMergeSlashes).unwrap(), "/%c0.%c0./admin");
        assert_eq!(normal("/%c0%2fadmin", DecodeAndMergeSlashes).unwrap(), "/%c0/admin");
        assert_eq!(normal("/admin%00", DecodeAndMergeSlashes), Err(BadPath::EscapedNul));
        [
            "/%252e%252e/admin",
            "/%c0%ae%c0%ae/admin",
            "/.../admin",
            "/..;/admin",
            "/admin;a=b/xyz",
            "/ADMIN",
            "/0x2e0x2e/admin",
        ]
        .into_iter()
        .for_each(same);
    }

    #[test]
    fn dot_segments() {
        for (target, expected) in [
            ("/.", "/"),
            ("/..", "/"),
            ("/./", "/"),
            ("/../", "/"),
            ("/../../a", "/a"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../", "/a/"),
            ("/a//..", "/a/"),
            ("/a/./b/./c", "/a/b/c"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/..b/.c", "/a/..b/.c"),
        ] {
            assert_eq!(normal(target, Base).unwrap(), expected, "{target}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        ["/%", "/%2", "/%zz", "/a%", "/%%"].into_iter().for_each(same);
        same("*");
        assert_eq!(normal("", Base).unwrap(), "");
        assert_eq!(normal("/admin%00", Base).unwrap(), "/admin%00");
    }

    #[test]
    fn decoding_makes_no_new_escape() {
        for target in ["/%2%65%2%65/admin", "/%%32e%%32e/admin", "/%%35c", "/%2%46"] {
            same(target);
        }
        row("/%2x%65", "/%2xe", "/%2xe", "/%2xe");
    }

    /// All texts of up to seven pieces: no mode panics, nothing grows, and once is enough.
    #[test]
    fn once_is_enough() {
        const PIECES: [&str; 12] = ["/", "/", ".", "..", "a", "\\", "%2e", "%2F", "%5c", "%", "2", "%65"];
        let mut state = 88_172_645_463_325_252_u64;
        for _ in 0..50_000 {
            let mut target = String::from("/");
            for _ in 0..7 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                target.push_str(PIECES[(state % 12) as usize]);
            }
            for mode in MODES {
                let once = normal(&target, mode).unwrap();
                assert!(once.len() <= target.len() && once.starts_with('/'), "{mode:?} {target} {once}");
                assert_eq!(normal(&once, mode).unwrap(), once, "{mode:?} {target}");
                if mode != None {
                    let has_dots = once.split('/').any(|segment| segment == ".." || segment == ".");
                    assert!(!has_dots && !once.contains('\\'), "{mode:?} {target} {once}");
                }
            }
        }
    }
}
