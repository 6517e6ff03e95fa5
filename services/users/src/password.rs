//! What is kept of a password, and how one is checked against it.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{Error as HashError, PasswordHasher};
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};

use crate::config::Hashing;
use crate::error::Error;

/// What is kept of a password that takes another one's place, or the first one's.
#[derive(Debug)]
pub(crate) struct NewPassword {
    /// Argon2id in PHC form.
    pub(crate) hash: String,
    /// Until when it is good, where it is a one-time password.
    pub(crate) one_time_until: Option<i64>,
}

impl NewPassword {
    /// A password that its owner has chosen.
    pub(crate) fn chosen(hash: String) -> Self {
        Self { hash, one_time_until: None }
    }
}

/// A new one-time password: 100 random bits that can be read out and typed.
pub(crate) fn one_time() -> String {
    // Without l and o, 0 and 1, which are taken for each other.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters = rand::random::<[u8; 20]>().map(|byte| LETTERS[usize::from(byte % 32)]);
    let groups = letters.chunks(5).map(|group| group.iter().copied().map(char::from).collect());
    groups.collect::<Vec<String>>().join("-")
}

/// Hashes passwords, with the parameters of today.
#[derive(Debug, Clone)]
pub(crate) struct Hasher {
    params: Params,
    /// How many passwords were checked.
    #[cfg(test)]
    pub(crate) checks: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

/// What a check of a password has found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Whether it is the account's.
    pub(crate) is_right: bool,
    /// The hash to keep from now on, where the parameters have risen since.
    pub(crate) renewed: Option<String>,
}

impl Hasher {
    /// A hasher; parameters that argon2 cannot work with become the nearest that it can.
    pub(crate) fn new(config: &Hashing) -> Self {
        let lanes = config.lanes.clamp(1, 64);
        let memory = config.memory_kib.max(8 * lanes);
        let params = Params::new(memory, config.passes.max(1), lanes, None).unwrap_or_default();
        Self {
            params,
            #[cfg(test)]
            checks: std::sync::Arc::default(),
        }
    }

    /// What is kept of a password.
    pub(crate) fn hash(&self, password: &str) -> Result<String, Error> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let hash: PasswordHash =
            argon2.hash_password(password.as_bytes()).map_err(Error::Hashing)?;
        Ok(hash.to_string())
    }

    /// Checks a password against what is kept of one, by the parameters that are kept with it.
    pub(crate) fn check(&self, password: &str, kept: &str) -> Result<Checked, Error> {
        let hash = PasswordHash::new(kept).map_err(|error| Error::Hashing(error.into()))?;
        #[cfg(test)]
        self.checks.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match Argon2::default().verify_password(password.as_bytes(), &hash) {
            Ok(()) => {
                let renewed = self.has_risen(&hash).then(|| self.hash(password)).transpose()?;
                Ok(Checked { is_right: true, renewed })
            }
            Err(HashError::PasswordInvalid) => Ok(Checked { is_right: false, renewed: None }),
            Err(error) => Err(Error::Hashing(error)),
        }
    }

    /// A hash of no password: what is checked where no account is, and takes as long.
    pub(crate) fn decoy(&self) -> Result<String, Error> {
        let phc = |error: argon2::password_hash::phc::Error| Error::Hashing(error.into());
        let decoy = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params).map_err(Error::Hashing)?,
            salt: Some(Salt::new(&rand::random::<[u8; 16]>()).map_err(phc)?),
            hash: Some(Output::new(&rand::random::<[u8; 32]>()).map_err(phc)?),
        };
        Ok(decoy.to_string())
    }

    fn has_risen(&self, kept: &PasswordHash) -> bool {
        let Ok(was) = Params::try_from(kept) else { return true };
        kept.algorithm != Algorithm::Argon2id.ident()
            || was.m_cost() < self.params.m_cost()
            || was.t_cost() < self.params.t_cost()
            || was.p_cost() < self.params.p_cost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_time_password_is_four_groups_of_five_and_never_the_same() {
        let (one, other) = (one_time(), one_time());

        assert_ne!(one, other);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [5; 4]);
    }

    fn hasher(memory_kib: u32) -> Hasher {
        Hasher::new(&Hashing { memory_kib, passes: 1, ..Hashing::default() })
    }

    #[test]
    fn a_password_is_right_for_its_own_hash_alone() {
        let hasher = hasher(8);
        let kept = hasher.hash("correct horse").unwrap();

        assert_eq!(
            hasher.check("correct horse", &kept).unwrap(),
            Checked { is_right: true, renewed: None }
        );
        assert!(!hasher.check("Correct horse", &kept).unwrap().is_right);
        assert_ne!(kept, hasher.hash("correct horse").unwrap());
    }

    #[test]
    fn a_hash_is_renewed_when_the_parameters_have_risen_and_not_when_they_fell() {
        let kept = hasher(8).hash("correct horse").unwrap();

        let renewed = hasher(16).check("correct horse", &kept).unwrap().renewed.unwrap();

        assert!(renewed.contains("m=16"), "{renewed}");
        assert_eq!(hasher(8).check("correct horse", &renewed).unwrap().renewed, None);
        assert_eq!(hasher(16).check("wrong horse", &kept).unwrap().renewed, None);
    }

    #[test]
    fn the_decoy_costs_what_a_hash_of_today_costs() {
        let hasher = hasher(16);
        let parameters =
            |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();

        let decoy = hasher.decoy().unwrap();

        assert_eq!(parameters(&decoy), parameters(&hasher.hash("any").unwrap()));
        assert!(!hasher.check("any", &decoy).unwrap().is_right);
    }

    #[test]
    fn parameters_that_cannot_be_become_the_nearest_that_can() {
        let nothing = Hashing { memory_kib: 0, passes: 0, lanes: 0, ..Hashing::default() };

        assert!(Hasher::new(&nothing).hash("any").unwrap().contains("m=8,t=1,p=1"));
    }
}
