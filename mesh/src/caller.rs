//! Who calls.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The project of a request that names none.
pub const DEFAULT_PROJECT: &str = "default";

/// Who makes a call, in which project, and what they may do there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    principal: Principal,
    project: Arc<str>,
    permissions: Arc<BTreeSet<&'static str>>,
}

/// What a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// No credential.
    Nobody,
    /// A customer without an account, known by a token alone.
    Guest {
        /// Such as `gst_01j…`.
        id: Arc<str>,
    },
    /// An account.
    User {
        /// Such as `usr_01j…`.
        id: Arc<str>,
        /// The session that its token belongs to.
        session: Arc<str>,
    },
    /// A service of the mesh.
    Service {
        /// Such as `orders`.
        name: Arc<str>,
        /// The customer whose row it works on.
        on_behalf: Option<Arc<str>>,
    },
}

impl Caller {
    /// Nobody, in a project.
    #[must_use]
    pub fn nobody(project: impl Into<Arc<str>>) -> Self {
        Self::new(Principal::Nobody, project, Arc::default())
    }

    /// A service, working on a customer's row or on nobody's.
    #[must_use]
    pub fn service(
        name: impl Into<Arc<str>>,
        project: impl Into<Arc<str>>,
        on_behalf: Option<Arc<str>>,
    ) -> Self {
        Self::new(Principal::Service { name: name.into(), on_behalf }, project, Arc::default())
    }

    /// A caller with the permissions that its roles give.
    #[must_use]
    pub fn new(
        principal: Principal,
        project: impl Into<Arc<str>>,
        permissions: Arc<BTreeSet<&'static str>>,
    ) -> Self {
        Self { principal, project: project.into(), permissions }
    }

    /// What it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The project that everything it does is in.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The customer that rows are owned by: the user, the guest, or whom a service works for.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match &self.principal {
            Principal::Nobody => None,
            Principal::Guest { id } | Principal::User { id, .. } => Some(id),
            Principal::Service { on_behalf, .. } => on_behalf.as_deref(),
        }
    }

    /// What audit records and rate limits know it by.
    #[must_use]
    pub fn actor(&self) -> &str {
        match &self.principal {
            Principal::Nobody => "nobody",
            Principal::Guest { id } | Principal::User { id, .. } => id,
            Principal::Service { name, .. } => name,
        }
    }

    /// Whether it is a service of the mesh.
    #[must_use]
    pub fn is_service(&self) -> bool {
        matches!(self.principal, Principal::Service { .. })
    }

    /// What it may do besides what everyone may; services may do all.
    pub(crate) fn permissions(&self) -> &Arc<BTreeSet<&'static str>> {
        &self.permissions
    }

    /// Whether it holds any permission at all.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.is_service() || !self.permissions.is_empty()
    }

    /// Whether it holds a permission; services hold them all.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.is_service() || self.permissions.contains(permission)
    }
}
