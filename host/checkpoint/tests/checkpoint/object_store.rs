//! A store in memory that fails as stores do, and storages over it.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use tidemill_checkpoint::{ObjectStorage, StorageError};
use tidemill_model::ports::Spawn;

/// What happens to some calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// They fail and have done nothing.
    Before,
    /// They have done everything, and fail.
    After,
}

/// Something that happens while a host waits for the store.
type Event = Box<dyn FnOnce() + Send>;

/// A store whose calls are counted, and some of which fail.
#[derive(Clone, Debug, Default)]
pub struct Store {
    inner: Arc<InMemory>,
    plan: Arc<Mutex<Plan>>,
    /// Rung when an object was written.
    written: Arc<Condvar>,
}

/// How long objects are waited for that are to come. A machine that is busy with other things may need long.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Plan {
    calls: u64,
    troubled: Range<u64>,
    trouble: Option<Trouble>,
    /// What happens before one call.
    event: Option<(u64, Event)>,
    /// Bytes that were read.
    read_bytes: u64,
    /// It does what no store should: a PUT takes what is there away.
    overwrites: bool,
    /// Lists are backwards.
    lists_backwards: bool,
}

/// Threads of the system.
pub struct Threads;

impl Spawn for Threads {
    #[allow(clippy::disallowed_methods, reason = "the port's implementation for tests")]
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        std::thread::Builder::new().name(name).spawn(work).unwrap();
    }
}

impl Store {
    /// From here on these calls, counted from 0 anew, have this trouble.
    pub fn set_trouble(&self, calls: Range<u64>, trouble: Trouble) {
        *self.plan.lock().unwrap() = Plan { troubled: calls, trouble: Some(trouble), ..Plan::default() };
    }

    /// Before this call, counted from 0 anew, something happens.
    pub fn set_event(&self, call: u64, event: impl FnOnce() + Send + 'static) {
        *self.plan.lock().unwrap() = Plan { event: Some((call, Box::new(event))), ..Plan::default() };
    }

    /// A store of its own with the same objects, without trouble.
    pub fn copy(&self) -> Store {
        Store { inner: Arc::new(self.inner.fork()), ..Store::default() }
    }

    pub fn overwriting(self) -> Store {
        self.plan.lock().unwrap().overwrites = true;
        self
    }

    /// From here on lists are backwards; these calls have this trouble.
    pub fn list_backwards(&self, calls: Range<u64>, trouble: Trouble) {
        self.set_trouble(calls, trouble);
        self.plan.lock().unwrap().lists_backwards = true;
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.plan.lock().unwrap().calls
    }

    /// How many bytes of objects were asked for since the last call of this.
    pub fn take_read_bytes(&self) -> u64 {
        std::mem::take(&mut self.plan.lock().unwrap().read_bytes)
    }

    pub fn open(&self, writer: u64, part_bytes: usize) -> std::result::Result<ObjectStorage, StorageError> {
        let store = Arc::new(self.clone());
        Ok(ObjectStorage::open(store, "a/b", "mem://a/b", writer, &Threads)?.with_part_bytes(part_bytes))
    }

    pub fn look(&self) -> std::result::Result<ObjectStorage, StorageError> {
        ObjectStorage::existing(Arc::new(self.clone()), "a/b", "mem://a/b", &Threads)
    }

    /// The names of all objects below the prefix.
    pub fn names(&self) -> Vec<String> {
        let listed = block_on(self.inner.list(None).collect::<Vec<_>>());
        let mut names: Vec<String> = listed.into_iter().map(|meta| meta.unwrap().location.to_string()).collect();
        names.sort();
        names.into_iter().map(|name| name.strip_prefix("a/b/").map_or(name.clone(), str::to_owned)).collect()
    }

    /// Waits until there are so many objects.
    #[track_caller]
    pub fn wait_for(&self, objects: usize) {
        let plan = self.plan.lock().unwrap();
        let too_few = |_: &mut Plan| self.names().len() < objects;
        let (plan, waited) = self.written.wait_timeout_while(plan, PATIENCE, too_few).unwrap();
        drop(plan);
        assert!(!waited.timed_out(), "{objects} objects are to come, and there are {:?}", self.names());
    }

    pub fn put(&self, name: &str, content: &[u8]) {
        block_on(self.inner.put(&Path::from(format!("a/b/{name}")), content.to_vec().into())).unwrap();
    }

    pub fn get(&self, name: &str) -> Vec<u8> {
        let got = async { self.inner.get(&Path::from(format!("a/b/{name}"))).await.unwrap().bytes().await };
        block_on(got).unwrap().to_vec()
    }

    pub fn delete(&self, name: &str) {
        block_on(self.inner.delete(&Path::from(format!("a/b/{name}")))).unwrap();
    }

    fn trouble(&self) -> Option<Trouble> {
        let mut plan = self.plan.lock().unwrap();
        let number = plan.calls;
        plan.calls += 1;
        let event = plan.event.take_if(|(call, _)| *call == number);
        let trouble = plan.trouble.filter(|_| plan.troubled.contains(&number));
        drop(plan);
        // Without the lock: it uses the store itself.
        event.into_iter().for_each(|(_, event)| event());
        trouble
    }

    /// A list of which, with trouble, the first page comes and no more.
    fn listed(&self, listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let backwards = |listed: BoxStream<'static, Result<ObjectMeta>>| {
            let all = async { stream::iter(listed.collect::<Vec<_>>().await.into_iter().rev()) };
            stream::once(all).flatten().boxed()
        };
        let listed = if self.plan.lock().unwrap().lists_backwards { backwards(listed) } else { listed };
        match self.trouble() {
            None => listed,
            Some(Trouble::Before) => stream::once(async { Err(failed()) }).boxed(),
            Some(Trouble::After) => listed.take(2).chain(stream::once(async { Err(failed()) })).boxed(),
        }
    }

    async fn call<T>(&self, effect: impl Future<Output = Result<T>>) -> Result<T> {
        match self.trouble() {
            None => effect.await,
            Some(Trouble::Before) => Err(failed()),
            Some(Trouble::After) => effect.await.and(Err(failed())),
        }
    }
}

fn failed() -> Error {
    Error::Generic { store: "test", source: "injected".into() }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan {{ calls {} }}", self.calls)
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that fails")
    }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.plan.lock().unwrap().overwrites {
            options = PutOptions::default();
        }
        let put = self.call(self.inner.put_opts(location, payload, options)).await;
        // With the lock: who waits has looked before, or is rung.
        let _plan = self.plan.lock().unwrap();
        self.written.notify_all();
        put
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.call(self.inner.get_opts(location, options)).await?;
        self.plan.lock().unwrap().read_bytes += got.range.end - got.range.start;
        Ok(got)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                store.call(store.inner.delete(&location)).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    /// One that fails afterwards has given one page.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.inner.list_with_delimiter(prefix)).await
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("not every store has it")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unreachable!("not every store has it")
    }
}
