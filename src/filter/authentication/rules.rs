//! Which tokens are good, where they are, and what becomes of them.

use crate::jwt::{KeySet, Terms};
use std::{sync::Arc, time::Duration};

/// An index into [`Authentication::sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySourceId(pub u32);

/// All rules of all RequestAuthentications that apply to this gateway.
#[derive(Debug, Default)]
pub struct Authentication {
    /// In the order of the policies, then of their rules. With several good tokens the claims of the first rule count.
    pub rules: Vec<TokenRule>,
    /// Where the rules' keys come from, each once.
    pub sources: Vec<KeySource>,
    /// Where tokens are looked for, each place once, with the positions of the rules that look there.
    pub locations: Vec<(Location, Vec<usize>)>,
    /// The names, in lower case, of the fields that some rule makes. A client's own fields of these names are removed
    /// from every request: the origin believes them.
    pub made_fields: Vec<Box<[u8]>>,
}

/// One issuer's tokens (`JWTRule`).
#[derive(Debug)]
pub struct TokenRule {
    /// What it is called: `RequestAuthentication istio-system/jwt, jwtRules[0]`.
    pub name: Box<str>,
    /// What the claims must be.
    pub terms: Terms,
    /// Whose signature a token must have.
    pub keys: KeySourceId,
    /// `forwardOriginalToken`: the origin gets the token too.
    pub forwards: bool,
    /// `outputPayloadToHeader`, in lower case.
    pub payload_field: Option<Box<[u8]>>,
    /// `outputClaimToHeaders`
    pub claim_fields: Vec<ClaimField>,
    /// The claims whose text is a list of words: `scope`, `permission` and `spaceDelimitedClaims`.
    pub lists: Vec<Box<str>>,
}

/// A claim that goes to the origin in a field of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimField {
    /// The name, in lower case.
    pub field: Box<[u8]>,
    /// The claim, and the members within it.
    pub path: Box<[Box<str>]>,
}

/// A place of a request that may have a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `fromHeaders`
    Header {
        /// The name, in lower case.
        name: Box<[u8]>,
        /// What stands before the token; empty: the token is the whole value.
        prefix: Box<[u8]>,
    },
    /// `fromParams`
    Param(Box<[u8]>),
    /// `fromCookies`
    Cookie(Box<[u8]>),
}

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// `jwks`. A set without a usable key verifies nothing.
    Local(Arc<KeySet>),
    /// `jwksUri`
    Remote {
        /// An absolute `http` or `https` URL.
        url: Box<str>,
        /// How long one fetch may take.
        timeout: Duration,
    },
    /// The `jwks_uri` that OpenID Connect's discovery finds for the issuer.
    Discovered {
        /// An absolute `http` or `https` URL.
        issuer: Box<str>,
        /// How long one fetch may take.
        timeout: Duration,
    },
}

impl Authentication {
    /// Adds a rule, with the places where its tokens are.
    pub fn add(&mut self, rule: TokenRule, locations: impl IntoIterator<Item = Location>) {
        let position = self.rules.len();
        for location in locations {
            match self.locations.iter_mut().find(|(known, _)| *known == location) {
                Some((_, rules)) if rules.contains(&position) => {}
                Some((_, rules)) => rules.push(position),
                None => self.locations.push((location, vec![position])),
            }
        }
        let made = rule.payload_field.iter().chain(rule.claim_fields.iter().map(|claim| &claim.field));
        for name in made {
            if !self.made_fields.contains(name) {
                self.made_fields.push(name.clone());
            }
        }
        self.rules.push(rule);
    }
}
