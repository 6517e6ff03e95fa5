//! Mails sent: each handed to the mail server once, and again only where it is not known whether it was.

use std::sync::Arc;

use mesh::Context;
use serde::{Deserialize, Serialize};
use store::{Claim, Runner, Store, Task};
use tradewind::notifications::v1::Mail;
use tradewind::notifications::v1::mail::State;

use crate::error::Error;
use crate::smtp::{Outcome, Smtp};

/// A mail is to be sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendMail {
    /// Its id.
    pub(crate) mail: String,
}

impl Task for SendMail {
    const KIND: &'static str = "send_mail";
}

struct Delivery {
    store: Store,
    smtp: Smtp,
}

/// What does the work of this service. Without a mail server, mails that wait for one go on waiting.
pub(crate) fn runner(store: &Store, smtp: Option<Smtp>) -> Runner {
    let Some(smtp) = smtp else { return store.runner() };
    let delivery = Arc::new(Delivery { store: store.clone(), smtp });
    store.runner().on(move |context, task: SendMail, claim| {
        let delivery = Arc::clone(&delivery);
        async move { Ok(delivery.send(&context, &task, &claim).await?) }
    })
}

impl Delivery {
    async fn send(&self, context: &Context, task: &SendMail, claim: &Claim) -> Result<(), Error> {
        let mail: Mail = self.store.read(context).get(&task.mail).await?;
        if !is_waiting(&mail) {
            return Ok(());
        }
        let (state, error) = match self.smtp.send(&mail).await {
            Outcome::Sent => (State::Sent, String::new()),
            Outcome::Refused(why) => (State::Failed, why),
            Outcome::NotNow(error) => return Err(Error::NotSent(error)),
        };

        let mut tx = self.store.begin_for(context).await?;
        let mut mail: Mail = tx.get(&task.mail).await?;
        mail.set_state(state);
        mail.error = error;
        tx.update(&mail).await?;
        tx.finish(claim).await?;
        Ok(tx.commit().await?)
    }
}

fn is_waiting(mail: &Mail) -> bool {
    match mail.state() {
        State::Queued => true,
        State::Unspecified | State::Sent | State::Failed | State::Kept => false,
    }
}
