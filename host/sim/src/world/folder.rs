//! A folder in which lines appear as files, each of them whole.

use std::ops::Range;

use crate::random::Random;

/// Lines of a file at most.
const FILE_LINES_MAX: usize = 8;

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// The places of its lines in the feed.
    pub lines: Range<usize>,
    /// It was read, and removed.
    pub is_gone: bool,
}

/// See the module.
pub(crate) struct Folder {
    /// In the order in which they appear.
    pub files: Vec<File>,
    /// Lines of the file that is being written, when it is done.
    lines: usize,
    random: Random,
}

impl Folder {
    pub fn new(mut random: Random) -> Folder {
        let lines = random.length(1, FILE_LINES_MAX);
        Folder { files: Vec::new(), lines, random }
    }

    /// So many lines have arrived in all. `is_last`: there will be no more.
    pub fn arrive(&mut self, lines: usize, is_last: bool) {
        let mut first = self.files.last().map_or(0, |file| file.lines.end);
        while lines - first >= self.lines {
            self.files.push(File { lines: first..first + self.lines, is_gone: false });
            first += self.lines;
            self.lines = self.random.length(1, FILE_LINES_MAX);
        }
        if is_last && first < lines {
            self.files.push(File { lines: first..lines, is_gone: false });
        }
    }

    /// Removes some files whose lines all stand before a place.
    pub fn remove_before(&mut self, place: usize, random: &mut Random) {
        let read = self.files.iter_mut().filter(|file| file.lines.end <= place);
        read.filter(|_| random.once_in(3)).for_each(|file| file.is_gone = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_into_one_file_in_the_end() {
        let mut folder = Folder::new(Random::new(1, "files"));
        (0..100).for_each(|lines| folder.arrive(lines, false));
        folder.arrive(100, true);
        let places: Vec<usize> = folder.files.iter().flat_map(|file| file.lines.clone()).collect();
        assert_eq!(places, (0..100).collect::<Vec<_>>());
        assert!(folder.files.len() > 100 / FILE_LINES_MAX, "files have other lengths");
        assert!(folder.files.iter().all(|file| (1..=FILE_LINES_MAX).contains(&file.lines.len())));
    }
}
