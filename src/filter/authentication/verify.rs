//! Whether the tokens of a request are good.

use super::{
    Authentication, KeySource, KeySourceId, Location, TokenCache, TokenRule, find,
    outputs::{self, MadeField},
};
use crate::{
    http::RequestHead,
    jwt::{Claims, KeySet, Refusal, Token, Validity},
};
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// A token that was verified, and what follows from it.
#[derive(Debug)]
pub struct Verified {
    /// What it says.
    pub claims: Rc<Claims>,
    /// The rule that it is good by: a position in [`Authentication::rules`].
    pub rule: usize,
    pub(super) validity: Validity,
    /// The fields that the origin gets.
    pub(super) fields: Vec<MadeField>,
}

/// The keys as they are known at present, and the tokens that were verified with them: of one shard.
#[derive(Default)]
pub struct Keys {
    /// By [`KeySourceId`]; nothing: they could not be fetched yet.
    sets: RefCell<Vec<Option<Arc<KeySet>>>>,
    cache: RefCell<TokenCache>,
}

impl Keys {
    /// The keys that are part of the configuration; the others are not known yet.
    pub fn new(authentication: &Authentication) -> Keys {
        let local = |source: &KeySource| match source {
            KeySource::Local(keys) => Some(Arc::clone(keys)),
            KeySource::Remote { .. } | KeySource::Discovered { .. } => None,
        };
        Keys {
            sets: RefCell::new(authentication.sources.iter().map(local).collect()),
            cache: RefCell::default(),
        }
    }

    /// Other keys than before. Tokens that were verified before are verified again: the key may be one that is gone.
    pub fn set(&self, source: KeySourceId, keys: Arc<KeySet>) {
        if let Some(known) = self.sets.borrow_mut().get_mut(source.0 as usize) {
            *known = Some(keys);
            self.cache.borrow_mut().clear();
        }
    }

    /// How many verified tokens are remembered.
    pub fn remembered(&self) -> usize {
        self.cache.borrow().count()
    }

    fn verify(&self, source: KeySourceId, token: &Token<'_>) -> Result<(), Refusal> {
        match self.sets.borrow().get(source.0 as usize) {
            Some(Some(keys)) if keys.count() == 0 => Err(Refusal::NoValidKeys),
            Some(Some(keys)) => keys.verify(token),
            _ => Err(Refusal::NotFetched),
        }
    }
}

impl Authentication {
    /// Verifies every token of a request, at a time in seconds since 1970, and changes the request as the rules of the
    /// good ones say. Returns what the token of the first rule says; nothing where there is none.
    ///
    /// A token is good if it is by any of the rules that look where it is. All must be, also where Envoy would be content
    /// with one: the origin may take any of them.
    ///
    /// # Errors
    /// Why one is not good. The request may be without the client's own fields of the names that rules make, then.
    pub fn apply(
        &self,
        request: &mut RequestHead,
        keys: &Keys,
        now: u64,
    ) -> Result<Option<Rc<Verified>>, Refusal> {
        outputs::remove_made(self, request);
        // Browsers send no token with these (Envoy's `bypass_cors_preflight`, which istiod sets).
        if is_preflight(request) {
            return Ok(None);
        }
        let mut good: Vec<(&Location, Rc<Verified>)> = Vec::new();
        for (location, rules) in &self.locations {
            find::tokens(location, request, |token| {
                good.push((location, self.verify(&token, rules, keys, now)?));
                Ok(())
            })?;
        }
        for (location, verified) in &good {
            outputs::apply(self, location, verified, request);
        }
        Ok(good.into_iter().map(|(_, verified)| verified).min_by_key(|verified| verified.rule))
    }

    /// What the first token of a request that would be good says, if its issuer has signed it, with the position of its
    /// rule: for those who explain, and have no keys. Nobody may be let in because of it.
    pub fn read(&self, request: &RequestHead, now: u64) -> Option<(usize, Claims)> {
        let mut read = None;
        for (location, rules) in &self.locations {
            // The first that is found ends the search.
            let _ = find::tokens(location, request, |text| {
                let Ok(token) = Token::parse(&text) else { return Ok(()) };
                let is_good = |rule: &TokenRule| rule.terms.check(&token.payload, now).is_ok();
                let good = rules
                    .iter()
                    .find_map(|at| Some((*at, self.rules.get(*at).filter(|rule| is_good(rule))?)));
                let Some((at, rule)) = good else { return Ok(()) };
                read = Some((at, Claims::with_lists(token.payload, &rule.lists)));
                Err(())
            });
            if read.is_some() {
                break;
            }
        }
        read
    }

    /// Verifies one token by the rules that look at its place.
    fn verify(&self, text: &[u8], rules: &[usize], keys: &Keys, now: u64) -> Result<Rc<Verified>, Refusal> {
        // Which rule takes a token must not depend on where it was seen before: the first of its issuer does.
        let issuer = |at: usize| self.rules.get(at).map(|rule| rule.terms.issuer());
        let is_first = |known: &Rc<Verified>| {
            rules.iter().find(|at| issuer(**at) == issuer(known.rule)) == Some(&known.rule)
        };
        let known = keys.cache.borrow_mut().get(text).filter(is_first);
        if let Some(known) = known {
            let still = known.validity.check(now);
            if still.is_err() {
                keys.cache.borrow_mut().remove(text);
            }
            return still.map(|()| known);
        }
        let token = Token::parse(text)?;
        let mut refusal = Refusal::UnknownIssuer;
        for (position, rule) in rules.iter().filter_map(|at| Some((*at, self.rules.get(*at)?))) {
            match check(rule, &token, keys, now) {
                Ok(validity) => {
                    let verified = Rc::new(verified(position, rule, validity, token));
                    keys.cache.borrow_mut().insert(text.into(), Rc::clone(&verified));
                    return Ok(verified);
                }
                Err(other) => refusal = refusal.or(other),
            }
        }
        Err(refusal)
    }
}

fn check(rule: &TokenRule, token: &Token<'_>, keys: &Keys, now: u64) -> Result<Validity, Refusal> {
    let validity = rule.terms.check(&token.payload, now)?;
    keys.verify(rule.keys, token)?;
    Ok(validity)
}

fn verified(position: usize, rule: &TokenRule, validity: Validity, token: Token<'_>) -> Verified {
    let fields = outputs::fields(rule, &token);
    let claims = Rc::new(Claims::with_lists(token.payload, &rule.lists));
    Verified { claims, rule: position, validity, fields }
}

fn is_preflight(request: &RequestHead) -> bool {
    let has = |name: &[u8]| request.fields.get_text(name).is_some_and(|value| !value.is_empty());
    request.method == b"OPTIONS" && has(b"origin") && has(b"access-control-request-method")
}
