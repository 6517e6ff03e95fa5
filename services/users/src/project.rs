//! What a project is and may become.

use tradewind::users::v1::Project;

use crate::error::Error;

/// A new project, with the settings of another.
pub(crate) fn new(id: &str, settings: &Project) -> Result<Project, Error> {
    let project = Project {
        id: id.into(),
        etag: String::new(),
        create_time: None,
        update_time: None,
        ..settings.clone()
    };
    check(&project)?;
    Ok(project)
}

/// Whether a project that is there is the one that a repeated call asks for.
pub(crate) fn is_repeat(there: &Project, asked: &Project) -> bool {
    there.currency_code == asked.currency_code && there.display_name == asked.display_name
}

/// Puts a project in the place of what it was.
pub(crate) fn changed(was: &Project, project: Project) -> Result<Project, Error> {
    let project = Project {
        id: was.id.clone(),
        create_time: was.create_time,
        update_time: was.update_time,
        ..project
    };
    check(&project)?;
    Ok(project)
}

/// What the contract's rules cannot say: what holds between fields.
fn check(project: &Project) -> Result<(), Error> {
    let Some(rate) = &project.shipping_rate else {
        let problem = "it must be said; it may be 0".into();
        return Err(Error::InvalidProject { field: "project.shipping_rate", problem });
    };
    if rate.minor < 0 {
        let problem = "it must not be below 0".into();
        return Err(Error::InvalidProject { field: "project.shipping_rate.minor", problem });
    }
    if rate.currency_code != project.currency_code {
        let field = "project.shipping_rate.currency_code";
        let problem = format!("it must be the project's own, {}", project.currency_code);
        return Err(Error::InvalidProject { field, problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tradewind::money::v1::Money;

    use super::*;
    use crate::Config;

    #[test]
    fn shipping_is_paid_in_the_currency_of_the_project_and_never_negative() {
        let was = new("default", &Config::default().project).unwrap();

        for (rate, at) in [
            (None, "project.shipping_rate"),
            (Some(Money::new(-1, "EUR")), "project.shipping_rate.minor"),
            (Some(Money::new(1, "USD")), "project.shipping_rate.currency_code"),
        ] {
            let changed = changed(&was, Project { shipping_rate: rate, ..was.clone() });
            let Err(Error::InvalidProject { field, .. }) = changed else {
                panic!("{at} was not refused")
            };
            assert_eq!(field, at);
        }
    }

    #[test]
    fn a_project_keeps_its_id_and_its_times() {
        let was = new("default", &Config::default().project).unwrap();

        let named = Project { id: "other".into(), display_name: "Shop".into(), ..was.clone() };

        assert_eq!(changed(&was, named).unwrap(), Project { display_name: "Shop".into(), ..was });
    }
}
