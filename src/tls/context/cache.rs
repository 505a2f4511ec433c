//! What was read before: a certificate that a thousand servers share is parsed and held once.

use super::{
    Problem,
    authorities::Authorities,
    certified::{Certified, certified},
    material::{AuthorityMaterial, CertificateMaterial, Digest},
};
use std::{cell::RefCell, collections::HashMap, sync::Arc};

/// Certificates and authorities by the digests of what they were made of. It holds keys: drop it when everything is built.
#[derive(Debug, Default)]
pub struct Cache {
    certified: RefCell<HashMap<[Option<Digest>; 3], Outcome<Certified>>>,
    authorities: RefCell<HashMap<[Option<Digest>; 2], Outcome<Authorities>>>,
}

/// What was made, if it could be, and everything that is wrong.
pub(super) type Outcome<T> = (Option<Arc<T>>, Vec<Problem>);

impl Cache {
    /// A chain with its key.
    pub(super) fn certified(&self, material: &CertificateMaterial) -> Outcome<Certified> {
        let CertificateMaterial { chain, key, staple } = material;
        let digests =
            [Some(chain.digest()), Some(key.digest()), staple.as_ref().map(|staple| staple.digest())];
        let make = || match certified(material) {
            Ok(certified) => (Some(Arc::new(certified)), Vec::new()),
            Err(problems) => (None, problems),
        };
        self.certified.borrow_mut().entry(digests).or_insert_with(make).clone()
    }

    /// Authorities, and what they have revoked.
    pub(super) fn authorities(&self, material: &AuthorityMaterial) -> Outcome<Authorities> {
        let AuthorityMaterial { authorities, revoked } = material;
        let digests = [Some(authorities.digest()), revoked.as_ref().map(|revoked| revoked.digest())];
        let make = || {
            let mut problems = Vec::new();
            (Authorities::read(material, &mut problems), problems)
        };
        self.authorities.borrow_mut().entry(digests).or_insert_with(make).clone()
    }
}
