//! The provider on the other side of the world: the simulator of payments, asked over a line that fails.

use mesh::{Context, async_trait};
use payments::provider::{Charge, Outcome, Provider, Record, Records, Repaid, Repayment};
use payments::simulator::Simulator;
use tradewind::payments::v1::provider_entry::Theirs;

use crate::agent::{Agent, Lie};
use crate::fault::{Fault, Place};
use crate::planted::Bug;

/// The provider, behind a line that fails.
pub(crate) struct Acquirer {
    there: Simulator,
    agent: Agent,
}

impl Acquirer {
    pub(crate) fn new(there: Simulator, agent: Agent) -> Self {
        Self { there, agent }
    }

    /// Asks a question, or lets go wrong what was drawn for it.
    async fn ask<T>(
        &self,
        drawn: Option<(Fault, u64)>,
        (unknown, unreached): (T, T),
        question: impl Future<Output = T>,
    ) -> T {
        match drawn {
            Some((Fault::QuestionLost, _)) => unknown,
            Some((Fault::Unreached, _)) => unreached,
            Some((Fault::AnswerLost, _)) => {
                question.await;
                unknown
            }
            Some((Fault::Late, lot)) => {
                self.agent.hold(lot).await;
                question.await
            }
            Some((Fault::KilledAfter, _)) => {
                question.await;
                self.agent.kill().await
            }
            Some(_) | None => question.await,
        }
    }

    fn draw(&self, question: &str) -> Option<(Fault, u64)> {
        self.agent.draw(Place::Provider, &format!("ask {question}"))
    }

    /// The opposite of what was answered, noted as such.
    fn opposite(&self, charge: &Charge, answer: Outcome) -> Outcome {
        let (lie, truth) = match answer {
            Outcome::Success { .. } => {
                (Outcome::Declined { code: "do_not_honor".into() }, "SUCCESS")
            }
            Outcome::Declined { .. } => {
                let reference = format!("lie_{}", charge.attempt_id);
                (Outcome::Success { reference, amount: charge.amount.clone() }, "DECLINED")
            }
            other @ (Outcome::Pending { .. }
            | Outcome::Voided
            | Outcome::NotAttempted
            | Outcome::Unknown) => return other,
        };
        self.agent.lied(Lie { attempt_id: charge.attempt_id.clone(), truth });
        lie
    }

    /// A record of a provider that stands by what it said.
    fn as_said(&self, record: Record) -> Record {
        let lies = self.agent.lies();
        match lies.iter().find(|lie| lie.attempt_id == record.key) {
            Some(lie) if lie.truth == "SUCCESS" => Record { theirs: Theirs::Declined, ..record },
            Some(_) => Record { theirs: Theirs::Done, ..record },
            None => record,
        }
    }
}

#[async_trait]
impl Provider for Acquirer {
    fn name(&self) -> &'static str {
        self.there.name()
    }

    fn accepts(&self, payment_method: &str) -> bool {
        self.there.accepts(payment_method)
    }

    async fn take(&self, context: &Context, charge: &Charge) -> Outcome {
        if self.agent.has(Bug::TakesTwice) {
            let attempt_id = format!("{}x", charge.attempt_id);
            self.there.take(context, &Charge { attempt_id, ..charge.clone() }).await;
        }
        let drawn = self.agent.draw(Place::Charge, "ask take");
        let others = (Outcome::Unknown, Outcome::NotAttempted);
        let answer = self.ask(drawn, others, self.there.take(context, charge)).await;
        match drawn {
            Some((Fault::Lie, _)) => self.opposite(charge, answer),
            Some(_) | None => answer,
        }
    }

    async fn look_up(&self, context: &Context, attempt_id: &str) -> Outcome {
        let others = (Outcome::Unknown, Outcome::Unknown);
        self.ask(self.draw("look_up"), others, self.there.look_up(context, attempt_id)).await
    }

    async fn void(&self, context: &Context, attempt_id: &str) -> Outcome {
        let others = (Outcome::Unknown, Outcome::Unknown);
        self.ask(self.draw("void"), others, self.there.void(context, attempt_id)).await
    }

    async fn refund(&self, context: &Context, repayment: &Repayment) -> Repaid {
        if self.agent.has(Bug::RefundsTwice) {
            let refund_id = format!("{}x", repayment.refund_id);
            self.there.refund(context, &Repayment { refund_id, ..repayment.clone() }).await;
        }
        let others = (Repaid::Unknown, Repaid::NotAttempted);
        self.ask(self.draw("refund"), others, self.there.refund(context, repayment)).await
    }

    async fn look_up_refund(&self, context: &Context, refund_id: &str) -> Repaid {
        let others = (Repaid::Unknown, Repaid::Unknown);
        let question = self.there.look_up_refund(context, refund_id);
        self.ask(self.draw("look_up_refund"), others, question).await
    }

    async fn records(&self, context: &Context, after: &str, most: u32) -> Records {
        let records = self.there.records(context, after, most).await;
        // It is looked at when all is over, and no bug does anything more.
        match records {
            Records::Are(all) if self.agent.bug() == Some(Bug::HidesLies) => {
                Records::Are(all.into_iter().map(|record| self.as_said(record)).collect())
            }
            records => records,
        }
    }

    async fn complete_action(
        &self,
        context: &Context,
        attempt_id: &str,
        approve: bool,
    ) -> Option<Outcome> {
        let others = (Some(Outcome::Unknown), Some(Outcome::Unknown));
        let question = self.there.complete_action(context, attempt_id, approve);
        self.ask(self.draw("complete_action"), others, question).await
    }
}
