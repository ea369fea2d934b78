//! A batch is committed on a thread beside the loop. Who waits for that, and finds that no thread has begun it, does it.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tidemill_model::{
    ports::{Spawn, Wake},
    time::Timestamp,
};

use super::{CommitJob, Committer};
use crate::{checkpoint::Keeper, failure::RunError};

/// The committer, and the batch that it is at, if it is: at most one, so that nothing is more than a batch apart.
pub(crate) struct Commits {
    here: Option<Box<Committer>>,
    /// Of the batch that is being committed.
    coming_bytes: u64,
    /// Somebody looks after a checkpoint.
    has_keeper: bool,
    shared: Arc<Shared>,
    spawn: Arc<dyn Spawn>,
}

/// What has come of the batch that is being committed.
pub(crate) enum News {
    /// It counts: peers can be told.
    Committed,
    /// All sinks have it, since that time; or not, and that ends the run.
    Done(Result<Timestamp, RunError>),
}

struct Shared {
    state: Mutex<State>,
    /// There are news.
    told: Condvar,
    /// Rung for them, while the loop does not wait for them alone.
    wake: Wake,
}

#[derive(Default)]
struct State {
    stage: Stage,
    is_committed: bool,
    /// Whether the bell is rung for news: the loop may be waiting for something else, and not for them.
    rings: bool,
}

#[derive(Default)]
enum Stage {
    /// The loop has the committer.
    #[default]
    Idle,
    Waiting(Box<Committer>, Box<CommitJob>),
    Working,
    Done(Box<Committer>, Result<Result<Timestamp, RunError>, Box<dyn Any + Send>>),
}

impl Commits {
    /// `wake` is rung when there are news.
    pub(crate) fn new(committer: Committer, spawn: Arc<dyn Spawn>, wake: Wake) -> Commits {
        let shared = Shared { state: Mutex::default(), told: Condvar::new(), wake };
        let has_keeper = committer.keeper.is_some();
        Commits { here: Some(Box::new(committer)), coming_bytes: 0, has_keeper, shared: Arc::new(shared), spawn }
    }

    /// About how many bytes the batch that is being committed may still write; `None`: there is none.
    pub(crate) fn coming_bytes(&self) -> Option<u64> {
        self.here.is_none().then_some(self.coming_bytes)
    }

    /// The committer.
    ///
    /// # Panics
    /// A batch is being committed: that was to be [waited](Commits::wait) for.
    pub(crate) fn idle(&mut self) -> &mut Committer {
        self.here.as_deref_mut().expect("the batch before has been waited for")
    }

    /// Whether there is a checkpoint.
    pub(crate) fn has_keeper(&self) -> bool {
        self.has_keeper
    }

    /// Who looks after the checkpoint, if there is one. As [`Commits::idle`].
    pub(crate) fn keeper(&mut self) -> Option<&mut Keeper> {
        self.idle().keeper.as_mut()
    }

    /// Has a batch committed. The one before has been waited for.
    pub(crate) fn hand_over(&mut self, job: CommitJob) {
        let committer = self.here.take().expect("the batch before has been waited for");
        self.coming_bytes = job.bytes();
        self.shared.lock().stage = Stage::Waiting(committer, Box::new(job));
        let shared = self.shared.clone();
        self.spawn.spawn("commit".to_owned(), Box::new(move || shared.serve()));
        if Arc::strong_count(&self.shared) == 1 {
            // The work is gone: it is done, or there was no thread for it.
            self.shared.serve();
        }
        // What is new by now is seen before anything is waited for.
        self.shared.lock().rings = true;
    }

    /// What is new of the batch that is being committed, without waiting for it.
    pub(crate) fn news(&mut self) -> Option<News> {
        let mut state = self.shared.lock();
        if std::mem::take(&mut state.is_committed) {
            return Some(News::Committed);
        }
        match std::mem::take(&mut state.stage) {
            Stage::Done(committer, result) => {
                state.rings = false;
                self.here = Some(committer);
                Some(News::Done(result.unwrap_or_else(|panic| resume_unwind(panic))))
            }
            stage => {
                state.stage = stage;
                None
            }
        }
    }

    /// The same, and waits until there is something; `None`: no batch is being committed.
    pub(crate) fn wait(&mut self) -> Option<News> {
        loop {
            let news = self.news();
            if news.is_some() || self.here.is_some() {
                return news;
            }
            self.shared.lock().rings = false;
            self.shared.serve();
            let is_untold = |state: &mut State| !state.is_committed && matches!(state.stage, Stage::Working);
            let state = self.shared.lock();
            drop(self.shared.told.wait_while(state, is_untold).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Whoever drops a run may begin another one in its place: nothing of this one is at work then.
impl Drop for Commits {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if matches!(state.stage, Stage::Waiting(..)) {
            state.stage = Stage::Idle;
        }
        let is_at_work = |state: &mut State| matches!(state.stage, Stage::Working);
        drop(self.shared.told.wait_while(state, is_at_work).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    /// Commits the batch that waits, unless somebody has begun.
    fn serve(&self) {
        let mut state = self.lock();
        let (mut committer, job) = match std::mem::take(&mut state.stage) {
            Stage::Waiting(committer, job) => (committer, job),
            stage => {
                state.stage = stage;
                return;
            }
        };
        state.stage = Stage::Working;
        drop(state);
        let result =
            catch_unwind(AssertUnwindSafe(|| committer.commit(*job, &|| self.tell(|state| state.is_committed = true))));
        self.tell(|state| state.stage = Stage::Done(committer, result));
    }

    fn tell(&self, news: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        news(&mut state);
        self.told.notify_all();
        if state.rings {
            self.wake.notify();
        }
    }

    /// Each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
