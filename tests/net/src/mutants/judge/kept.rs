//! What a mutant may spoil for others is copied before, and put back.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// Where guests are found by what they were compiled of, below the target folder.
const SPOILED: [&str; 3] = ["guests/compiled", "guests/components", "tmp"];

/// Copies of folders, once they are made.
#[derive(Default)]
pub struct Kept {
    target: PathBuf,
    copies: PathBuf,
}

impl Kept {
    /// Of this target folder, with the copies in the other.
    pub fn new(target: PathBuf, copies: PathBuf) -> Kept {
        Kept { target, copies }
    }

    /// Makes the copies, when no mutant has spoiled anything.
    pub fn make(&self) -> anyhow::Result<()> {
        self.remove()?;
        SPOILED.iter().try_for_each(|folder| copy(&self.target.join(folder), &self.copies.join(folder)))
    }

    /// Puts everything back as it was. Tests need not compile it again, which would count as their time.
    pub fn restore(&self) -> anyhow::Result<()> {
        for folder in SPOILED {
            let spoiled = self.target.join(folder);
            if spoiled.exists() {
                fs::remove_dir_all(&spoiled)?;
            }
            copy(&self.copies.join(folder), &spoiled)?;
        }
        Ok(())
    }

    pub fn remove(&self) -> anyhow::Result<()> {
        if self.copies.exists() {
            fs::remove_dir_all(&self.copies)?;
        }
        Ok(())
    }
}

/// With the times of files, by which cargo sees what is compiled.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    let status = Command::new("cp").arg("-a").args([from, to]).status().context("cp cannot be run")?;
    if !status.success() {
        bail!("{} cannot be copied", from.display());
    }
    Ok(())
}

#[test]
#[allow(clippy::unwrap_used, reason = "a test")]
fn what_was_spoiled_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::new(folder.path().join("target"), folder.path().join("kept"));
    let (file, new) = (folder.path().join("target/tmp/deep/file"), folder.path().join("target/guests/compiled/new"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "good").unwrap();
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    kept.make().unwrap();
    for _ in 0..2 {
        fs::write(&file, "bad").unwrap();
        fs::create_dir_all(new.parent().unwrap()).unwrap();
        fs::write(&new, "bad").unwrap();
        kept.restore().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "good");
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), time);
        assert!(!new.exists());
    }
    kept.remove().unwrap();
    assert!(!folder.path().join("kept").exists());
}
