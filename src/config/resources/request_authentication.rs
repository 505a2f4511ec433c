//! `RequestAuthentication`: which tokens are accepted, and where they are looked for.

use super::{PolicySelector, PolicyTargetReference};
use crate::config::{Spanned, decode::object};
use std::time::Duration;

object! {
    /// `RequestAuthentication` (security.istio.io): tokens that the selected workloads verify.
    pub struct RequestAuthentication {
        /// The workloads; none: all of the namespace.
        selector: Option<Spanned<PolicySelector>> = "selector",
        /// The object it is attached to; the old form of `targetRefs`.
        target_ref: Option<Spanned<PolicyTargetReference>> = "targetRef",
        /// The objects it is attached to.
        target_refs: Vec<Spanned<PolicyTargetReference>> = "targetRefs",
        /// The tokens. A token must be good by the rule of its issuer; a request without one passes.
        jwt_rules: Vec<Spanned<JwtRule>> = "jwtRules",
    }
}

object! {
    /// One issuer of tokens (`JWTRule`).
    pub struct JwtRule {
        /// What `iss` of a token must be, exactly.
        issuer: Option<Spanned<String>> = "issuer",
        /// Of which `aud` must have one; none: any.
        audiences: Vec<Spanned<String>> = "audiences",
        /// Where the issuer publishes its keys. Neither this nor `jwks`: found by OpenID Connect's discovery.
        jwks_uri: Option<Spanned<String>> = "jwksUri",
        /// The keys themselves, a JSON Web Key Set.
        jwks: Option<Spanned<String>> = "jwks",
        /// The fields of a request that may have the token.
        from_headers: Vec<Spanned<JwtHeader>> = "fromHeaders",
        /// The query parameters that may have it.
        from_params: Vec<Spanned<String>> = "fromParams",
        /// The cookies that may have it.
        from_cookies: Vec<Spanned<String>> = "fromCookies",
        /// The field that carries the payload, in base64url, to the origin.
        output_payload_to_header: Option<Spanned<String>> = "outputPayloadToHeader",
        /// The token goes on to the origin. Absent: it is removed.
        forward_original_token: Option<Spanned<bool>> = "forwardOriginalToken",
        /// The claims that go to the origin in fields of their own.
        output_claim_to_headers: Vec<Spanned<ClaimToHeader>> = "outputClaimToHeaders",
        /// How long the fetch of the keys may take. Absent is 5 s.
        timeout: Option<Spanned<Duration>> = "timeout",
        /// The claims whose text is a list, separated by spaces, beside `scope` and `permission`.
        space_delimited_claims: Vec<Spanned<String>> = "spaceDelimitedClaims",
    }
}

object! {
    /// A field that may have a token (`JWTHeader`).
    pub struct JwtHeader {
        /// The name of the field.
        name: Option<Spanned<String>> = "name",
        /// What stands before the token, such as `Bearer `.
        prefix: Option<Spanned<String>> = "prefix",
    }
}

object! {
    /// A claim and the field that carries it to the origin (`ClaimToHeader`).
    pub struct ClaimToHeader {
        /// The name of the field.
        header: Option<Spanned<String>> = "header",
        /// The claim; dots go into its members.
        claim: Option<Spanned<String>> = "claim",
    }
}
