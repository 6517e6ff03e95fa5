//! Which roles may be granted, and by whom.

use crate::error::Error;

/// What everyone holds who registers.
pub(crate) const CUSTOMER: &str = "customer";
/// What the administrator of a new project holds.
pub(crate) const ADMINISTRATOR: [&str; 2] = ["admin", "merchant"];
/// What the first administrator of the mesh holds.
pub(crate) const FIRST_ADMINISTRATOR: [&str; 3] = ["admin", "merchant", "superadmin"];

/// Refuses a change of roles by someone who holds less than what is granted or taken.
pub(crate) fn check(own: &[String], was: &[String], shall: &[String]) -> Result<(), Error> {
    let own = own.iter().map(|role| rank(role)).max().unwrap_or_default();
    match was.iter().chain(shall).find(|role| rank(role) > own) {
        Some(above) => Err(Error::RoleAboveOwn(above.clone())),
        None => Ok(()),
    }
}

/// Roles in their order, each once.
pub(crate) fn in_order(mut roles: Vec<String>) -> Vec<String> {
    roles.sort_unstable();
    roles.dedup();
    roles
}

fn rank(role: &str) -> u8 {
    match role {
        CUSTOMER => 0,
        "admin" => 2,
        "superadmin" => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn nobody_grants_or_takes_a_role_above_their_own() {
        let refused = |own: &[&str], was: &[&str], shall: &[&str]| {
            check(&roles(own), &roles(was), &roles(shall)).is_err()
        };

        assert!(!refused(&["admin"], &["customer"], &["admin", "support"]));
        assert!(refused(&["admin"], &["customer"], &["superadmin"]));
        assert!(refused(&["admin"], &["superadmin"], &["customer"]));
        assert!(refused(&[], &["customer"], &["support"]));
        assert!(!refused(&["superadmin"], &["superadmin"], &["customer"]));
    }
}
