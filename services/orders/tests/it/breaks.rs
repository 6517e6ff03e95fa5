//! Servers that fail once when they are told to, before or after their effect.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mesh::{Code, Detail, Response, Status};

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// Nothing happens.
    Before,
    /// It happens, and the answer is lost.
    After,
}

/// What fails at its next call, by RPC.
#[derive(Clone, Default)]
pub(crate) struct Breaks {
    next: Arc<Mutex<HashMap<&'static str, Break>>>,
}

impl Breaks {
    pub(crate) fn set(&self, rpc: &'static str, at: Break) {
        self.next.lock().unwrap().insert(rpc, at);
    }

    /// Whether every failure that was asked for has happened.
    pub(crate) fn are_spent(&self) -> bool {
        self.next.lock().unwrap().is_empty()
    }

    /// Answers a call with its effect, or fails as it was told.
    pub(crate) fn answer<T>(
        &self,
        rpc: &'static str,
        effect: impl FnOnce() -> Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        let at = self.next.lock().unwrap().remove(rpc);
        if at != Some(Break::Before) {
            let answer = effect()?;
            if at.is_none() {
                return Ok(Response::new(answer));
            }
        }
        Err(refuse(Code::Unavailable, "BROKEN", "it fails as it was told"))
    }
}

/// A refusal of a server of the tests.
pub(crate) fn refuse(code: Code, reason: &str, message: &str) -> Status {
    mesh::refuse(code, "test.tradewind", reason, message, Detail::default())
}

/// What a server of the tests does not answer.
pub(crate) fn not_here<T>() -> Result<T, Status> {
    Err(refuse(Code::Unimplemented, "NOT_HERE", "no test needs this"))
}
