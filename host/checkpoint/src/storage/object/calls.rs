//! The few calls that are made of a store: a conditional PUT, GET of a range, LIST, DELETE.
//!
//! Each is made again by the same rule ([`Tries`]), also where its answer broke off. Of a LIST that has come half the rest is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    Error, GetOptions, GetRange, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, Result,
    path::Path,
};

use super::trouble;

/// How often a call is made when it fails in a way that may pass, beside the tries that the store's client makes by itself.
const TRIES_MAX: usize = 3;

/// The tries of a call.
#[derive(Default)]
struct Tries(usize);

impl Tries {
    /// Whether a call that failed so is made once more.
    fn again(&mut self, error: &Error) -> bool {
        self.are_left() && trouble::may_pass(error)
    }

    fn are_left(&mut self) -> bool {
        self.0 += 1;
        self.0 < TRIES_MAX
    }
}

/// What comes of a call that may be made several times.
async fn tried<T, Answer: Future<Output = Result<T>>>(mut call: impl FnMut() -> Answer) -> Result<T> {
    let mut tries = Tries::default();
    loop {
        match call().await {
            Err(error) if tries.again(&error) => {}
            answer => return answer,
        }
    }
}

/// What came of a conditional PUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// The object is there, with this content.
    Ours,
    /// The name has another content.
    Taken,
}

/// A part of an object.
pub(super) struct Got {
    /// As many bytes as were asked for, or fewer at the object's end.
    pub bytes: Bytes,
    /// The object's length.
    pub size: u64,
}

/// Makes an object, if its name is free. That the name is taken may be the work of an earlier try, whose answer was lost:
/// so it counts what is there.
pub(super) async fn put_new(store: Arc<dyn ObjectStore>, path: Path, content: Bytes) -> Result<Put> {
    let mut tries = Tries::default();
    loop {
        let error = match put_if_free(&*store, &path, &content).await {
            Ok(()) => return Ok(Put::Ours),
            Err(error @ Error::AlreadyExists { .. }) => match content_of(&*store, &path).await {
                Ok(Some(found)) => return Ok(if found == content { Put::Ours } else { Put::Taken }),
                // Somebody else's try that failed in the end, or what was there has just gone.
                Ok(None) if tries.are_left() => continue,
                Ok(None) => return Err(error),
                Err(unread) => unread,
            },
            Err(error) => error,
        };
        if !tries.again(&error) {
            return Err(error);
        }
    }
}

async fn put_if_free(store: &dyn ObjectStore, path: &Path, content: &Bytes) -> Result<()> {
    let options = PutOptions::from(PutMode::Create);
    store.put_opts(path, content.clone().into(), options).await.map(drop)
}

/// Whether the store refuses to make an object whose name is taken, as this one's is.
pub(super) async fn is_put_conditional(store: Arc<dyn ObjectStore>, path: Path, content: Bytes) -> Result<bool> {
    match tried(|| put_if_free(&*store, &path, &content)).await {
        Ok(()) => Ok(false),
        Err(Error::AlreadyExists { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

async fn content_of(store: &dyn ObjectStore, path: &Path) -> Result<Option<Bytes>> {
    let got = match store.get(path).await {
        Ok(got) => got,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    got.bytes().await.map(Some)
}

/// A range of an object that begins before the object's end; nothing if it is not there.
pub(super) async fn get(store: Arc<dyn ObjectStore>, path: Path, range: Range<u64>) -> Result<Option<Got>> {
    match tried(|| get_once(&*store, &path, range.clone())).await {
        Ok(got) => Ok(Some(got)),
        Err(Error::NotFound { .. }) => Ok(None),
        // Stores answer so where an object is empty, and a range of it can only begin at its end.
        Err(error @ Error::Generic { .. }) if range.start == 0 => match size(store, path).await {
            Ok(Some(0)) => Ok(Some(Got { bytes: Bytes::new(), size: 0 })),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

async fn get_once(store: &dyn ObjectStore, path: &Path, range: Range<u64>) -> Result<Got> {
    let options = GetOptions::new().with_range(Some(GetRange::Bounded(range)));
    let got = store.get_opts(path, options).await?;
    let size = got.meta.size;
    Ok(Got { bytes: got.bytes().await?, size })
}

/// An object's length; nothing if it is not there.
pub(super) async fn size(store: Arc<dyn ObjectStore>, path: Path) -> Result<Option<u64>> {
    match tried(|| store.head(&path)).await {
        Ok(meta) => Ok(Some(meta.size)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All objects below a folder, or below nothing: then of the whole bucket. Where the list breaks off, it goes on behind what has
/// come; so that of many pages every one has its tries.
pub(super) async fn list(store: Arc<dyn ObjectStore>, folder: Path) -> Result<Vec<ObjectMeta>> {
    let mut found = BTreeMap::new();
    let (mut tries, mut last, mut is_sorted) = (Tries::default(), None, true);
    loop {
        // A store that lists in another order, as far as can be told, is asked for everything again.
        let mut listed = match last.as_ref().filter(|_| is_sorted && found.len() > 1) {
            Some(last) => store.list_with_offset(Some(&folder), last),
            None => store.list(Some(&folder)),
        };
        let (before, mut previous) = (found.len(), None);
        let error = loop {
            match listed.try_next().await {
                Ok(Some(object)) => {
                    is_sorted &= previous.as_ref().is_none_or(|previous| *previous < object.location);
                    previous = Some(object.location.clone());
                    found.insert(object.location.clone(), object);
                }
                Ok(None) => return Ok(found.into_values().collect()),
                Err(error) => break error,
            }
        };
        if found.len() > before {
            tries = Tries::default();
        }
        if !tries.again(&error) {
            return Err(error);
        }
        last = found.last_key_value().map(|(location, _)| location.clone());
    }
}

/// The objects in a folder, and the folders in it.
pub(super) async fn look(store: Arc<dyn ObjectStore>, folder: Path) -> Result<ListResult> {
    tried(|| store.list_with_delimiter(Some(&folder))).await
}

/// Deletes objects. That one is not there is no error; after one that cannot be deleted the others are tried all the same.
pub(super) async fn delete(store: Arc<dyn ObjectStore>, mut paths: Vec<Path>) -> Result<()> {
    let mut tries = Tries::default();
    loop {
        let deleting = store.delete_stream(stream::iter(paths.clone().into_iter().map(Ok)).boxed());
        let deleted: Vec<Result<Path>> = deleting.collect().await;
        let has_gone: BTreeSet<&Path> = deleted.iter().filter_map(|deleted| deleted.as_ref().ok()).collect();
        let left: Vec<Path> = paths.into_iter().filter(|path| !has_gone.contains(path)).collect();
        let failed = deleted.into_iter().find(|deleted| !matches!(deleted, Ok(_) | Err(Error::NotFound { .. })));
        paths = left;
        match failed {
            Some(Err(error)) if tries.again(&error) => {}
            failed => return failed.map_or(Ok(()), |failed| failed.map(drop)),
        }
    }
}
