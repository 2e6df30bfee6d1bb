//! Background work. Enqueueing takes the transaction's own connection: that is the outbox, so a crash can lose neither the
//! change nor its message. `pending → running → done | dead`; dead jobs are kept and can be retried.
//!
//! `queue` holds the statements, `worker` runs them. Features register handlers by kind.

mod queue;
mod worker;

pub use queue::{NewJob, discard, enqueue, is_pending, is_waiting, retry};
pub use worker::{Postponed, Registry, Waker, Worker};

crate::text_enum! {
    /// State of a job.
    pub enum JobState {
        /// Waits for its time.
        Pending = "pending",
        /// Held by a worker under a lease.
        Running = "running",
        /// Finished.
        Done = "done",
        /// Gave up after its last try; kept until somebody retries or discards it.
        Dead = "dead",
    }
}
