//! A batch that is being written: a folder with a file for each part, which no reader looks at yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use tidemill_model::{
    ports::{Disk, DiskCall, DiskWriter, SinkRows},
    time::Timestamp,
};

use super::{FileFormat, remove, sync_folder, write_rows};

/// Bytes that are collected before they are written to a file.
const WRITE_BYTES: usize = 256 << 10;

/// Files that are open at once. Of a source with many partitions of its own a batch may have more.
pub(super) const OPEN_MAX: usize = 32;

/// Rows of a batch, as far as they have come.
#[derive(Debug)]
pub(super) struct Writing {
    pub time: Timestamp,
    folder: PathBuf,
    format: FileFormat,
    /// Parts that have rows.
    parts: BTreeSet<u32>,
    /// Files of parts that more may be written to, and when they were written to last.
    open: BTreeMap<u32, (u64, File)>,
    writes: u64,
}

impl Writing {
    /// Begins a batch without any rows.
    pub fn begin(disk: &Disk, time: Timestamp, folder: PathBuf, format: FileFormat) -> io::Result<Writing> {
        remove(disk, &folder)?;
        Ok(Writing { time, folder, format, parts: BTreeSet::new(), open: BTreeMap::new(), writes: 0 })
    }

    pub fn write(&mut self, disk: &Disk, rows: &SinkRows<'_>) -> io::Result<()> {
        if rows.rows.num_rows() == 0 {
            return Ok(());
        }
        if self.parts.is_empty() {
            // Not the folders above it: one that has vanished is brought back by a person, with what is in it.
            disk.call(DiskCall::MakeFolder(&self.folder), || fs::create_dir(&self.folder))?;
        }
        let path = self.file(rows.part);
        let file = self.open(disk, rows.part, &path)?;
        let mut writer = BufWriter::with_capacity(WRITE_BYTES, DiskWriter { disk, path: &path, file: &file });
        write_rows(&mut writer, self.format, rows.schema, rows.rows)?;
        writer.flush()?;
        drop(writer);
        self.writes += 1;
        self.open.insert(rows.part, (self.writes, file));
        Ok(())
    }

    #[cfg(test)]
    pub fn open_files(&self) -> usize {
        self.open.len()
    }

    /// Makes the rows of these parts durable, each in the file with its place in the order. Whether there are any.
    pub fn finish(mut self, disk: &Disk, order: &[u32]) -> io::Result<bool> {
        if self.parts.is_empty() {
            return Ok(false);
        }
        while let Some(part) = self.open.first_key_value().map(|(&part, _)| part) {
            self.close(disk, part)?;
        }
        self.put_in_order(disk, order)?;
        sync_folder(disk, &self.folder)?;
        Ok(true)
    }

    /// Nothing of it is left.
    pub fn discard(self, disk: &Disk) -> io::Result<()> {
        if self.parts.is_empty() { Ok(()) } else { remove(disk, &self.folder) }
    }

    /// The file of a part, made if it is not there.
    fn open(&mut self, disk: &Disk, part: u32, path: &Path) -> io::Result<File> {
        if let Some((_, file)) = self.open.remove(&part) {
            return Ok(file);
        }
        let oldest = self.open.iter().min_by_key(|(_, (written, _))| *written).map(|(&part, _)| part);
        if let Some(oldest) = oldest.filter(|_| self.open.len() >= OPEN_MAX) {
            self.close(disk, oldest)?;
        }
        if self.parts.insert(part) {
            disk.call(DiskCall::MakeFile(path), || File::create(path))
        } else {
            OpenOptions::new().append(true).open(path)
        }
    }

    fn close(&mut self, disk: &Disk, part: u32) -> io::Result<()> {
        let path = self.file(part);
        let Some((_, file)) = self.open.remove(&part) else { return Ok(()) };
        disk.call(DiskCall::SyncFile(&path), || file.sync_all())
    }

    /// Files were named when nobody knew which parts would come before them.
    fn put_in_order(&self, disk: &Disk, order: &[u32]) -> io::Result<()> {
        let places = (0..).zip(order).filter(|(place, part)| place != *part && self.parts.contains(part));
        let moved: Vec<(PathBuf, PathBuf, PathBuf)> = places
            .map(|(place, &part)| (self.file(part), self.folder.join(format!(".part-{part}")), self.file(place)))
            .collect();
        let rename = |from: &Path, to: &Path| disk.call(DiskCall::Rename(from, to), || fs::rename(from, to));
        // A name is free only when the file that had it has been moved.
        moved.iter().try_for_each(|(from, between, _)| rename(from, between))?;
        let unwanted = self.parts.iter().filter(|part| !order.contains(part));
        unwanted.map(|&part| self.file(part)).try_for_each(|file| remove(disk, &file))?;
        moved.iter().try_for_each(|(_, between, to)| rename(between, to))
    }

    fn file(&self, part: u32) -> PathBuf {
        let extension = match self.format {
            FileFormat::Text => "txt",
            FileFormat::Jsonl => "jsonl",
        };
        self.folder.join(format!("part-{part:05}.{extension}"))
    }
}
