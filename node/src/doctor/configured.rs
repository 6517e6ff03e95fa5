//! Whether `serve` would take what it is told.

use anyhow::Result;

use super::finding::Finding;
use crate::compose::Noun;
use crate::serve::Arguments;
use crate::settings;

const CHECK: &str = "configuration";

/// What each part of the configuration comes to, where it comes to nothing.
pub(super) fn look(arguments: &Arguments, here: &[Noun]) -> Vec<Finding> {
    let Arguments { retention, administrator, others, trial, mail, .. } = arguments;
    let parts = [
        places(arguments, here),
        retention.keep().map(drop),
        administrator.bootstrap(trial.demo_shop).map(drop),
        others.callers().map(drop),
        others.calls().map(drop),
        notifications::Config::new(mail.smtp.as_deref(), &mail.mail_from)
            .map(drop)
            .map_err(anyhow::Error::from),
        trial.check(),
    ];
    let refused: Vec<_> = parts.into_iter().filter_map(Result::err).collect();
    if refused.is_empty() {
        let names: Vec<_> = here.iter().map(|noun| noun.name()).collect();
        return vec![Finding::pass(
            CHECK,
            format!("serve takes it, and runs {}", names.join(", ")),
        )];
    }
    let advice = "`tradewind config serve` with the same flags says where each value comes from";
    refused.into_iter().map(|error| Finding::fail(CHECK, format!("{error:#}"), advice)).collect()
}

fn places(arguments: &Arguments, here: &[Noun]) -> Result<()> {
    let others = &arguments.others;
    let elsewhere = settings::elsewhere(&others.at)?;
    settings::check_places(here, &elsewhere, others.mesh_key.is_some() || others.certs.is_some())
}
