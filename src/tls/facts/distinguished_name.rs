//! Subjects and issuers as text (RFC 2253), exactly as Envoy writes them into `x-forwarded-client-cert`.

use super::certificate::hex;
use x509_parser::{
    asn1_rs::{Any, Tag, ToDer},
    x509::{AttributeTypeAndValue, X509Name},
};

/// The short names of attributes (those of OpenSSL, of which RFC 4514 section 3 has some).
const SHORT: &[(&str, &str)] = &[
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
];

/// The name as text: the last part first, `,` between parts and `+` within one.
pub(super) fn text(name: &X509Name<'_>) -> Box<str> {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",").into()
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let id = attribute.attr_type().to_id_string();
    let short = SHORT.iter().find(|(known, _)| *known == id).map(|(_, short)| *short);
    match (short, string(attribute.attr_value())) {
        (Some(short), Some(value)) => format!("{short}={}", escaped(&value)),
        // What is no string, or of an unknown kind, is shown as it is encoded (RFC 2253 section 2.4).
        (short, _) => {
            let der = attribute.attr_value().to_der_vec().unwrap_or_default();
            format!("{}=#{}", short.unwrap_or(&id), hex(&der).to_ascii_uppercase())
        }
    }
}

fn string(value: &Any<'_>) -> Option<String> {
    let units = |bytes: &[u8]| -> Vec<u16> {
        bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
    };
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            std::str::from_utf8(value.data).ok().map(str::to_owned)
        }
        Tag::T61String => Some(value.data.iter().copied().map(char::from).collect()),
        Tag::BmpString => String::from_utf16(&units(value.data)).ok(),
        _ => None,
    }
}

/// RFC 2253 section 2.4. Bytes that are not ASCII are written in hexadecimal digits, so that the text fits a header.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (position, byte) in value.bytes().enumerate() {
        let is_edge = position == 0 || position + 1 == value.len();
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b' ' if is_edge => text.push_str("\\ "),
            b'#' if position == 0 => text.push_str("\\#"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => {
                text.push('\\');
                text.push_str(&hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        for (value, expected) in [
            ("plain", "plain"),
            ("a, b+c", "a\\, b\\+c"),
            (" x ", "\\ x\\ "),
            ("#x#", "\\#x#"),
            ("\"<>;\\", "\\\"\\<\\>\\;\\\\"),
            ("é\r\n", "\\C3\\A9\\0D\\0A"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected);
        }
    }
}
