//! Why a token is not good, in the words that Envoy's `jwt_authn` answers with.

/// Defines the reasons: each has the text of the answer, and the detail for the access log, which is the same with
/// underscores, because some readers of logs take a space for the end of a field.
macro_rules! reasons {
    ( $( $(#[$about:meta])* $Name:ident = $text:literal, $details:literal; )* ) => {
        /// Why a token is not good.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal {
            $( $(#[$about])* $Name, )*
        }

        impl Refusal {
            /// The body of the answer.
            pub const fn text(self) -> &'static str {
                match self { $( Refusal::$Name => $text, )* }
            }

            /// The response code details of the access log.
            pub const fn details(self) -> &'static str {
                match self { $( Refusal::$Name => concat!("jwt_authn_access_denied{", $details, "}"), )* }
            }

            #[cfg(test)]
            pub(super) const ALL: &'static [Refusal] = &[ $( Refusal::$Name, )* ];
        }
    };
}

reasons! {
    /// It is not three parts with two dots between them, or it is longer than any token may be.
    Form = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
        "Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections";
    /// The header is not base64url.
    HeaderBase64 = "Jwt header is an invalid Base64url encoded", "Jwt_header_is_an_invalid_Base64url_encoded";
    /// The header is not a JSON object, or it asks for an extension that is not known (`crit`).
    HeaderJson = "Jwt header is an invalid JSON", "Jwt_header_is_an_invalid_JSON";
    /// `alg` is not there, or not text.
    NoAlgorithm = "Jwt header [alg] field is required and must be a string",
        "Jwt_header_[alg]_field_is_required_and_must_be_a_string";
    /// `alg` is none of those that are known; `none` is not.
    UnknownAlgorithm = "Jwt header [alg] is not supported", "Jwt_header_[alg]_is_not_supported";
    /// `kid` is not text.
    KeyId = "Jwt header [kid] field is not a string", "Jwt_header_[kid]_field_is_not_a_string";
    /// The payload is not base64url.
    PayloadBase64 = "Jwt payload is an invalid Base64url encoded", "Jwt_payload_is_an_invalid_Base64url_encoded";
    /// The payload is not a JSON object.
    PayloadJson = "Jwt payload is an invalid JSON", "Jwt_payload_is_an_invalid_JSON";
    /// `iss` is not text.
    Issuer = "Jwt payload [iss] field is not a string", "Jwt_payload_[iss]_field_is_not_a_string";
    /// `sub` is not text.
    Subject = "Jwt payload [sub] field is not a string", "Jwt_payload_[sub]_field_is_not_a_string";
    /// `iat` is not a number of seconds.
    IssuedAt = "Jwt payload [iat] field is not an integer", "Jwt_payload_[iat]_field_is_not_an_integer";
    /// `nbf` is not a number of seconds.
    NotBefore = "Jwt payload [nbf] field is not an integer", "Jwt_payload_[nbf]_field_is_not_an_integer";
    /// `exp` is not a number of seconds.
    Expiry = "Jwt payload [exp] field is not an integer", "Jwt_payload_[exp]_field_is_not_an_integer";
    /// `jti` is not text.
    TokenId = "Jwt payload [jti] field is not a string", "Jwt_payload_[jti]_field_is_not_a_string";
    /// `aud` is neither text nor a list of texts.
    Audience = "Jwt payload [aud] field is not a string or string list",
        "Jwt_payload_[aud]_field_is_not_a_string_or_string_list";
    /// The signature is not base64url.
    SignatureBase64 = "Jwt signature is an invalid Base64url encoded",
        "Jwt_signature_is_an_invalid_Base64url_encoded";
    /// No rule for this place of the request has the token's issuer.
    UnknownIssuer = "Jwt issuer is not configured", "Jwt_issuer_is_not_configured";
    /// `nbf` has not come yet.
    NotYetValid = "Jwt not yet valid", "Jwt_not_yet_valid";
    /// `exp` has passed.
    Expired = "Jwt is expired", "Jwt_is_expired";
    /// It is for others.
    WrongAudience = "Audiences in Jwt are not allowed", "Audiences_in_Jwt_are_not_allowed";
    /// No key has the token's `kid` and `alg`.
    NoKey = "Jwks doesn't have key to match kid or alg from Jwt",
        "Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt";
    /// No key has signed it.
    Verification = "Jwt verification fails", "Jwt_verification_fails";
    /// The keys that the configuration has are no keys.
    NoValidKeys = "Jwks doesn't have any valid public key", "Jwks_doesn't_have_any_valid_public_key";
    /// The issuer's keys could not be fetched yet.
    NotFetched = "Jwks remote fetch is failed", "Jwks_remote_fetch_is_failed";
}

impl Refusal {
    /// The status of the answer: 403 for a token that is good, but for others, and 401 for everything else.
    pub const fn status(self) -> u16 {
        match self {
            Refusal::WrongAudience => 403,
            _ => 401,
        }
    }

    /// Which of two reasons to give where two rules have refused one token: another issuer's rule has nothing to say
    /// about it.
    pub fn or(self, other: Refusal) -> Refusal {
        if self == Refusal::UnknownIssuer { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_the_texts_with_underscores() {
        for refusal in Refusal::ALL {
            let text = refusal.text().replace(' ', "_");
            assert_eq!(refusal.details(), format!("jwt_authn_access_denied{{{text}}}"));
        }
    }
}
