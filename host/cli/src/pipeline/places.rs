//! Where a pipeline's outputs lie: no two in one folder, and none in the checkpoint, however their names are written. The plan
//! knows of those that are written alike; what other pipelines have is known when a run begins.

use std::{
    fs,
    path::{Component, Path, PathBuf, absolute},
};

use tidemill_model::connector::SinkSpec;
use tidemill_plan::CheckpointPlace;

use super::Ready;
use crate::failure::Failure;

/// What to do about it.
const ADVICE: &str = "give each its own folder";

/// Refuses outputs that would lose rows in each other, or make a checkpoint one that cannot be gone on with.
pub fn check(ready: &Ready) -> Result<(), Failure> {
    let checkpoint = match ready.checkpoint.as_ref().map(|entry| &entry.place) {
        Some(CheckpointPlace::Folder(folder)) => Some((folder.clone(), real(&ready.folder.join(folder)))),
        _ => None,
    };
    let mut known: Vec<(&str, PathBuf)> = Vec::new();
    for output in &ready.plan.outputs {
        let SinkSpec::Files(sink) = &output.sink else { continue };
        let (name, written, place) = (&output.name, sink.folder.display(), real(&ready.folder.join(&sink.folder)));
        if let Some((other, _)) = known.iter().find(|(_, other)| *other == place) {
            let message = format!("outputs `{other}` and `{name}` write to the same folder, `{written}`");
            return Err(Failure::input(message).hint(ADVICE));
        }
        if let Some((folder, _)) = checkpoint.as_ref().filter(|(_, checkpoint)| place.starts_with(checkpoint)) {
            let message = format!(
                "output `{name}` writes into the folder of the checkpoint, `{}`: `{written}` lies there",
                folder.display()
            );
            return Err(Failure::input(message).hint(ADVICE));
        }
        known.push((name, place));
    }
    Ok(())
}

/// The one name of a folder, as far as it is there; the rest as it is written.
fn real(path: &Path) -> PathBuf {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().fold(PathBuf::new(), |mut real, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = real.pop(),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                real.push(part);
                // Part by part: what is behind a link begins where it leads to.
                real = fs::canonicalize(&real).unwrap_or(real);
            }
        }
        real
    })
}
