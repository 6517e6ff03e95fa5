//! Which rows a caller reaches.

use contract::Resource;
use mesh::Context;

use crate::statement::Statement;
use crate::table;

/// The rows of a resource that a caller reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of the project.
    Project,
    /// Those of one owner.
    Owner(String),
    /// None: rows have owners, and the caller is nobody.
    Nothing,
}

impl Scope {
    pub(crate) fn of<R: Resource>(context: &Context) -> Self {
        let caller = &context.caller;
        let any = R::READ_ANY.is_some_and(|permission| caller.may(permission));
        if R::OWNER.is_none() || caller.is_service() || any {
            return Self::Project;
        }
        caller.subject().map_or(Self::Nothing, |subject| Self::Owner(subject.to_owned()))
    }
}

/// The statement that reads one row; none when the caller reaches none.
pub(crate) fn get<R: Resource + 'static>(
    context: &Context,
    id: &str,
    lock: &str,
) -> Option<Statement> {
    let table = table::of::<R>();
    let project = context.caller.project();
    let text = |sql: &'static str| {
        if lock.is_empty() { Statement::new(sql) } else { Statement::new(format!("{sql}{lock}")) }
    };
    match Scope::of::<R>(context) {
        Scope::Project => Some(text(&table.get).bind(project).bind(id)),
        Scope::Owner(owner) => Some(text(&table.get_owned).bind(project).bind(id).bind(owner)),
        Scope::Nothing => None,
    }
}
