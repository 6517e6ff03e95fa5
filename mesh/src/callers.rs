//! Which service may call which: what each service declares, held at the one that is called.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::failure::Refusal;

/// Who may call whom. Whoever is not declared is refused by those that have callers declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Callers {
    of: HashMap<&'static str, BTreeSet<String>>,
}

impl Callers {
    /// Declares that a service calls another.
    #[must_use]
    pub fn allow(mut self, caller: &str, callee: &'static str) -> Self {
        self.of.entry(callee).or_default().insert(caller.to_owned());
        self
    }

    /// Those that may call a service; nothing when none are declared.
    #[must_use]
    pub fn of(&self, callee: &str) -> Option<&BTreeSet<String>> {
        self.of.get(callee)
    }

    pub(crate) fn check(&self, caller: &str, callee: &str) -> Result<(), Refusal> {
        match self.of.get(callee) {
            Some(callers) if !callers.contains(caller) => Err(Refusal::UndeclaredCaller {
                caller: caller.to_owned(),
                callee: callee.to_owned(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

/// The same, at a process that answers contracts.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    callers: Callers,
    /// The noun of each contract that is answered here. The mesh's own contracts have none: they are for
    /// every service.
    nouns: OnceLock<HashMap<&'static str, &'static str>>,
}

impl Guard {
    pub(crate) fn new(callers: Callers) -> Self {
        Self { callers, nouns: OnceLock::new() }
    }

    /// Names the contracts that are answered here.
    pub(crate) fn answers(&self, nouns: HashMap<&'static str, &'static str>) {
        // A mesh runs once.
        let _ = self.nouns.set(nouns);
    }

    /// Whether a service may call a contract that is answered here.
    pub(crate) fn check(&self, caller: &str, contract: &str) -> Result<(), Refusal> {
        let noun = self.nouns.get().and_then(|nouns| nouns.get(contract));
        noun.map_or(Ok(()), |noun| self.callers.check(caller, noun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_callers_of_a_service_that_has_any_may_call() {
        let guard = Guard::new(Callers::default().allow("orders", "payments"));
        guard.answers(HashMap::from([("shop.Payments", "payments"), ("shop.Catalog", "catalog")]));

        assert!(guard.check("orders", "shop.Payments").is_ok());
        assert!(guard.check("cart", "shop.Payments").is_err());
        assert!(guard.check("cart", "shop.Catalog").is_ok(), "nobody is declared");
        assert!(guard.check("cart", "mesh.Events").is_ok(), "it is every service's");
    }
}
