//! OAUTHBEARER's tokens, got by the driver while others are served.

use core::task::{Context, Poll};

use super::{
    Cluster,
    authenticate::{Sessions, Step},
};
use crate::{
    Instant,
    chores::ChoreWaker,
    kick::Kick,
    link::LinkId,
    sasl::{SaslFault, Token, TokenFuture, fault_of},
    sync::{Arc, Lock},
};

/// One token at a time is got, for everybody who waits.
pub(super) struct Tokens {
    waker: ChoreWaker,
    /// Behind a lock only because a future need not be `Sync`, and the machine is.
    getting: Lock<Option<TokenFuture>>,
}

impl Tokens {
    pub(super) fn new(kick: &Arc<Kick>) -> Tokens {
        Tokens { waker: ChoreWaker::new(kick), getting: Lock::new(None) }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.getting.lock().is_none()
    }

    /// Begins with `begin` if nothing is under way, and looks whether there is something.
    fn poll(&mut self, begin: impl FnOnce() -> Option<TokenFuture>) -> Option<Result<Token, SaslFault>> {
        let woken = self.waker.take();
        let mut getting = self.getting.lock();
        if getting.is_none() {
            *getting = begin();
        } else if !woken {
            return None;
        }
        let mut cx = Context::from_waker(self.waker.waker());
        let Poll::Ready(got) = getting.as_mut()?.as_mut().poll(&mut cx) else { return None };
        *getting = None;
        Some(got.map_err(|error| fault_of(&error)))
    }
}

impl Sessions {
    /// Whether a link waits for a token.
    pub(super) fn wants_token(&self) -> bool {
        self.links.values().any(|s| matches!(&s.step, Step::Exchange(exchange) if exchange.wants_token()))
    }
}

impl Cluster {
    /// Everybody who waits for a token goes on when there is one, or when there will be none.
    pub(super) fn bear(&mut self, now: Instant) {
        let config = Arc::clone(&self.config);
        let Some(sasl) = &config.sasl else { return };
        if !self.sasl.wants_token() {
            return;
        }
        let Some(got) = self.sasl.tokens.poll(|| sasl.token()) else { return };
        let wants = |(id, session): (&LinkId, &mut super::authenticate::Session)| match &mut session.step {
            Step::Exchange(exchange) if exchange.wants_token() => {
                let said = got.clone().and_then(|token| sasl.bear(exchange, &token));
                Some((*id, said))
            }
            _ => None,
        };
        let told: alloc::vec::Vec<_> = self.sasl.links.iter_mut().filter_map(wants).collect();
        for (id, said) in told {
            match said {
                Ok(Some(message)) => self.send_token(now, id, &message),
                Ok(None) => {}
                Err(fault) => self.on_sasl_fault(now, id, fault),
            }
        }
    }
}
