//! The text of a token, taken apart: three parts of base64url with dots between them (RFC 7515 section 7.1).

use super::{Algorithm, Refusal};
use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes. Tokens are a kilobyte or two; some that list hundreds of groups have
/// ten. A head is not much longer, so that a longer one is no token but a burden.
pub const TOKEN_BYTES_MAX: usize = 32 << 10;

/// Tokens have no padding; as with Envoy, one that has some is understood.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token that was taken apart. Nothing in it is to be believed before its signature was verified.
#[derive(Debug)]
pub struct Token<'t> {
    /// How it says it is signed.
    pub algorithm: Algorithm,
    /// Which key it says has signed it; nothing where it is empty.
    pub key_id: Option<Box<str>>,
    /// What is signed: the first two parts with the dot between them.
    pub signed: &'t [u8],
    /// The second part, in base64url as it came.
    pub payload_text: &'t [u8],
    /// The claims.
    pub payload: Map<String, Value>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// What is wrong with its form. Types of registered claims are looked at in [`Terms`](super::Terms).
    pub fn parse(text: &'t [u8]) -> Result<Token<'t>, Refusal> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::Form);
        }
        let mut parts = text.split(|byte| *byte == b'.');
        let (Some(header), Some(payload_text), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Form);
        };
        // A token that ends with its second dot has no signature.
        if header.is_empty() || payload_text.is_empty() || signature.is_empty() {
            return Err(Refusal::Form);
        }
        let signed = text.get(..header.len() + 1 + payload_text.len()).ok_or(Refusal::Form)?;
        let header = object(header, Refusal::HeaderBase64, Refusal::HeaderJson)?;
        // Who does not know what is critical must not take the token (RFC 7515 section 4.1.11).
        if header.contains_key("crit") {
            return Err(Refusal::HeaderJson);
        }
        let name = header.get("alg").and_then(Value::as_str).ok_or(Refusal::NoAlgorithm)?;
        let algorithm = Algorithm::of(name).ok_or(Refusal::UnknownAlgorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.as_str()).filter(|id| !id.is_empty()).map(Box::from),
            Some(_) => return Err(Refusal::KeyId),
        };
        let payload = object(payload_text, Refusal::PayloadBase64, Refusal::PayloadJson)?;
        let signature = decode(signature).ok_or(Refusal::SignatureBase64)?;
        Ok(Token { algorithm, key_id, signed, payload_text, payload, signature })
    }
}

fn object(text: &[u8], no_base64: Refusal, no_json: Refusal) -> Result<Map<String, Value>, Refusal> {
    let json = decode(text).ok_or(no_base64)?;
    serde_json::from_slice(&json).map_err(|_| no_json)
}

/// The bytes behind base64url.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok()
}
