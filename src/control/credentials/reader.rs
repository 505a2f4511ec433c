//! Files and Secrets to the bytes that a spec names.

use crate::tls::{
    AuthorityMaterial, AuthoritySource, Bytes, Cache, CertificateMaterial, CertificateSource, Limit,
    Material, Problem, ProblemKind, Secrets, SystemRoots,
};
use std::{
    cell::OnceCell,
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The operating system's authorities, read when somebody wants them first. They change with the system, not with us.
#[derive(Clone, Default)]
pub(super) struct Roots(OnceCell<Option<SystemRoots>>);

impl Roots {
    fn get(&self) -> Option<SystemRoots> {
        let load = || SystemRoots::new(rustls_native_certs::load_native_certs().certs);
        self.0.get_or_init(load).clone()
    }
}

/// Reads what specs name, each file once.
pub(super) struct Reader<'a> {
    secrets: &'a Secrets,
    roots: &'a Roots,
    files: HashMap<PathBuf, Result<Bytes, Problem>>,
    /// What was made of it.
    pub(super) cache: Cache,
}

impl<'a> Reader<'a> {
    pub(super) fn new(secrets: &'a Secrets, roots: &'a Roots) -> Reader<'a> {
        Reader { secrets, roots, files: HashMap::new(), cache: Cache::default() }
    }

    /// Everything that a spec names, or everything that is missing.
    pub(super) fn material<'s>(
        &mut self,
        certificates: impl Iterator<Item = &'s CertificateSource>,
        authorities: Option<&AuthoritySource>,
        wants_roots: bool,
    ) -> Result<Material, Vec<Problem>> {
        let (mut material, mut problems) = (Material::default(), Vec::new());
        for source in certificates {
            match self.certificate(source) {
                Ok(certificate) => material.certificates.push(certificate),
                Err(found) => problems.extend(found),
            }
        }
        match authorities.map(|source| self.authorities(source)).transpose() {
            Ok(authorities) => material.authorities = authorities,
            Err(found) => problems.extend(found),
        }
        if wants_roots {
            material.system_roots = self.roots.get();
        }
        if problems.is_empty() { Ok(material) } else { Err(problems) }
    }

    fn certificate(&mut self, source: &CertificateSource) -> Result<CertificateMaterial, Vec<Problem>> {
        match source {
            CertificateSource::Secret(name) => {
                self.secrets.certificate(name).map_err(|problem| vec![problem])
            }
            CertificateSource::Files { certificate, key } => {
                let (chain, key) = both(self.file(certificate, Limit::Chain), self.file(key, Limit::Chain))?;
                Ok(CertificateMaterial { chain, key, staple: None })
            }
        }
    }

    fn authorities(&mut self, source: &AuthoritySource) -> Result<AuthorityMaterial, Vec<Problem>> {
        match source {
            AuthoritySource::Secret(name) => self.secrets.authorities(name).map_err(|problem| vec![problem]),
            AuthoritySource::Exactly(name) => {
                self.secrets.authorities_in(name).map_err(|problem| vec![problem])
            }
            AuthoritySource::Files { authorities, revoked } => {
                let authorities = self.file(authorities, Limit::Authorities);
                let revoked = revoked.as_ref().map(|path| self.file(path, Limit::Revoked)).transpose();
                let (authorities, revoked) = both(authorities, revoked)?;
                Ok(AuthorityMaterial { authorities, revoked })
            }
        }
    }

    fn file(&mut self, path: &Path, limit: Limit) -> Result<Bytes, Problem> {
        if let Some(known) = self.files.get(path) {
            return known.clone();
        }
        let place = format!("`{}`", path.display());
        let found = match read(path, limit) {
            Ok(bytes) => Ok(Bytes::new(place, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Problem::new(ProblemKind::MissingFile, &place, "does not exist"))
            }
            Err(error) => {
                Err(Problem::new(ProblemKind::MissingFile, &place, format!("can't be read: {error}")))
            }
        };
        self.files.insert(path.to_owned(), found.clone());
        found
    }
}

fn both<A, B>(a: Result<A, Problem>, b: Result<B, Problem>) -> Result<(A, B), Vec<Problem>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err([a.err(), b.err()].into_iter().flatten().collect()),
    }
}

/// Reads no more than what shows that a file is too large.
fn read(path: &Path, limit: Limit) -> io::Result<Vec<u8>> {
    // A pipe would be waited for.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.bytes() as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
