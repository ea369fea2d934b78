//! The few calls that are made of a store: a conditional PUT, GET of a range, LIST, DELETE.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    Error, GetOptions, GetRange, ListResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, Result, path::Path,
};

/// How often a call is made when it fails in a way that may pass, beside the tries that the store's client makes by itself.
const TRIES_MAX: usize = 3;

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
    let mut tries = 0;
    loop {
        tries += 1;
        let options = PutOptions::from(PutMode::Create);
        match store.put_opts(&path, content.clone().into(), options).await {
            Ok(_) => return Ok(Put::Ours),
            Err(error @ Error::AlreadyExists { .. }) => match content_of(&*store, &path).await {
                Ok(Some(found)) => return Ok(if found == content { Put::Ours } else { Put::Taken }),
                // Somebody else's try that failed in the end, or what was there has just gone.
                Ok(None) | Err(Error::Generic { .. }) if tries < TRIES_MAX => {}
                Ok(None) => return Err(error),
                Err(unread) => return Err(unread),
            },
            Err(Error::Generic { .. }) if tries < TRIES_MAX => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether the store refuses to make an object whose name is taken, as this one's is.
pub(super) async fn is_put_conditional(store: Arc<dyn ObjectStore>, path: Path, content: Bytes) -> Result<bool> {
    let mut tries = 0;
    loop {
        tries += 1;
        match store.put_opts(&path, content.clone().into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => return Ok(false),
            Err(Error::AlreadyExists { .. }) => return Ok(true),
            Err(Error::Generic { .. }) if tries < TRIES_MAX => {}
            Err(error) => return Err(error),
        }
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
    let mut tries = 0;
    loop {
        tries += 1;
        match get_once(&*store, &path, range.clone()).await {
            Ok(got) => return Ok(Some(got)),
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(Error::Generic { .. }) if tries < TRIES_MAX => {}
            // Stores answer so where an object is empty, and a range of it can only begin at its end.
            Err(error @ Error::Generic { .. }) if range.start == 0 => {
                return match store.head(&path).await {
                    Ok(meta) if meta.size == 0 => Ok(Some(Got { bytes: Bytes::new(), size: 0 })),
                    _ => Err(error),
                };
            }
            Err(error) => return Err(error),
        }
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
    match store.head(&path).await {
        Ok(meta) => Ok(Some(meta.size)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All objects below a folder, or below nothing: then of the whole bucket.
pub(super) async fn list(store: Arc<dyn ObjectStore>, folder: Path) -> Result<Vec<object_store::ObjectMeta>> {
    store.list(Some(&folder)).try_collect().await
}

/// The objects in a folder, and the folders in it.
pub(super) async fn look(store: Arc<dyn ObjectStore>, folder: Path) -> Result<ListResult> {
    store.list_with_delimiter(Some(&folder)).await
}

/// Deletes objects. That one is not there is no error; after one that cannot be deleted the others are tried all the same.
pub(super) async fn delete(store: Arc<dyn ObjectStore>, paths: Vec<Path>) -> Result<()> {
    let deleted: Vec<Result<Path>> =
        store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed()).collect().await;
    let failed = deleted.into_iter().find(|path| !matches!(path, Ok(_) | Err(Error::NotFound { .. })));
    failed.map_or(Ok(()), |failed| failed.map(drop))
}
