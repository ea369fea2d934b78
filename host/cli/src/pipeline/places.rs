//! Where outputs write and streams listen: no two at one place, and no output in the checkpoint, or this in that, however the places
//! are spelled.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use tidemill_model::connector::Listens;
use tidemill_plan::{CheckpointEntry, CheckpointPlace, graph::Plan};

use crate::failure::Failure;

/// Links that one path leads through at most, as on most systems.
const LINKS_MAX: u32 = 40;

/// A folder that may not be there yet.
struct Place {
    /// As it was written.
    shown: String,
    /// Without links, and without what leads back.
    real: PathBuf,
    /// The link on the way that leads to what is not there.
    link: Option<Link>,
}

/// A link to what is not there.
struct Link {
    /// As it was written.
    shown: String,
    /// What it leads to.
    real: PathBuf,
}

/// Refuses outputs that would take each other's place, or the checkpoint's. `base`: what relative paths begin in.
pub fn check(plan: &Plan, checkpoint: Option<&CheckpointEntry>, base: &Path) -> Result<(), Failure> {
    check_addresses(plan)?;
    let outputs: Vec<(&str, Place)> = plan
        .outputs
        .iter()
        .filter_map(|output| Some((output.name.as_str(), Place::of(base, output.sink.folder()?))))
        .collect();
    for (index, (second, place)) in outputs.iter().enumerate() {
        if let Some((first, other)) = outputs[..index].iter().find(|(_, other)| is_same(&place.real, &other.real)) {
            let message = format!(
                "outputs `{first}` and `{second}` write to the same folder: `{}` is `{}`",
                place.shown, other.shown
            );
            return Err(Failure::input(message).hint("give each its own folder"));
        }
    }
    let folder = match checkpoint.map(|checkpoint| &checkpoint.place) {
        Some(CheckpointPlace::Folder(folder)) => Some(Place::of(base, folder)),
        _ => None,
    };
    if let Some(checkpoint) = &folder {
        check_beside(&outputs, checkpoint)?;
    }
    check_links(&outputs, folder.as_ref())
}

/// Refuses outputs in the checkpoint, and the checkpoint in one of them.
fn check_beside(outputs: &[(&str, Place)], checkpoint: &Place) -> Result<(), Failure> {
    for (name, place) in outputs {
        if place.real.ancestors().any(|above| is_same(above, &checkpoint.real)) {
            let message = format!(
                "output `{name}` writes into the folder of the checkpoint: `{}` is in `{}`",
                place.shown, checkpoint.shown
            );
            return Err(Failure::input(message).hint("give each its own folder"));
        }
        if checkpoint.real.ancestors().any(|above| is_same(above, &place.real)) {
            let message = format!(
                "the checkpoint lies in the folder of output `{name}`: `{}` is in `{}`",
                checkpoint.shown, place.shown
            );
            return Err(Failure::input(message).hint("give each its own folder"));
        }
    }
    Ok(())
}

/// Refuses places behind a link to what is not there, which no run makes, unless it is the place of what a run makes before.
fn check_links(outputs: &[(&str, Place)], checkpoint: Option<&Place>) -> Result<(), Failure> {
    let begun = checkpoint.map(|place| ("the checkpoint".to_owned(), place));
    let outputs = outputs.iter().map(|(name, place)| (format!("output `{name}`"), place));
    let mut made: Vec<&Path> = Vec::new();
    for (what, place) in begun.into_iter().chain(outputs) {
        if let Some(link) = place.link.as_ref().filter(|link| !made.iter().any(|made| made.starts_with(&link.real))) {
            let message =
                format!("{what} is to be in `{}`: `{}` is a link to what is not there", place.shown, link.shown);
            return Err(Failure::input(message).hint("make what it leads to, or choose another folder"));
        }
        made.push(&place.real);
    }
    Ok(())
}

/// Refuses streams that would wait for producers at one address: the second one would wait for the first, without end.
fn check_addresses(plan: &Plan) -> Result<(), Failure> {
    let listening = plan.nodes.iter().filter_map(|node| Some((node.name.as_str(), node.source()?.listens()?)));
    let listening: Vec<(&str, Listens)> = listening.collect();
    for (index, (second, address)) in listening.iter().enumerate() {
        if let Some((first, other)) = listening[..index].iter().find(|(_, other)| other.is_in_the_way_of(address)) {
            let (one, two) = (&other.shown, &address.shown);
            let message = format!("streams `{first}` and `{second}` listen at the same address: `{one}` is `{two}`");
            return Err(Failure::input(message).hint("give each its own port"));
        }
    }
    Ok(())
}

impl Place {
    fn of(base: &Path, path: &Path) -> Place {
        // By its parts: a link with a `/` behind it is no link to the system.
        let whole: PathBuf = Path::new(".").join(base).join(path).components().collect();
        let is_link = |path: &Path| path.is_symlink() && !path.exists();
        let link = whole.ancestors().find(|above| is_link(above)).map(|link| {
            let shown = link.strip_prefix(Path::new(".").join(base)).unwrap_or(link);
            Link { shown: shown.display().to_string(), real: real(link, LINKS_MAX) }
        });
        Place { shown: path.display().to_string(), real: real(&whole, LINKS_MAX), link }
    }
}

/// Whether two paths without links lead to one folder: by their names, or, as where one is mounted twice, by what it is.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || identity(one).is_some_and(|one| identity(other) == Some(one))
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

/// The path without links, as far as it is there; behind that, without what leads back.
fn real(path: &Path, links_max: u32) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    // A link to what is not there yet leads there as soon as somebody makes it.
    if let (Ok(target), Some(folder), 1..) = (fs::read_link(path), path.parent(), links_max) {
        return real(&folder.join(target), links_max - 1);
    }
    let mut parts = path.components();
    match parts.next_back() {
        Some(Component::Normal(name)) => real(parts.as_path(), links_max).join(name),
        Some(Component::ParentDir) => {
            let mut above = real(parts.as_path(), links_max);
            above.pop();
            above
        }
        Some(Component::CurDir) if parts.as_path() != Path::new("") => real(parts.as_path(), links_max),
        _ => path.to_owned(),
    }
}
