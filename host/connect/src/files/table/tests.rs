//! The table says what it is asked for: what changed, all of that and nothing else, and it is what is given back.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;

use super::*;

/// A table in a few words: `h` here, `g` gone and `a` away, each with a name and a mark, as `ha1 gb2`.
fn rows(told: &str) -> Rows {
    let row = |told: &str| {
        let place = match &told[..1] {
            "h" => Place::Here,
            "g" => Place::Gone,
            _ => Place::Away,
        };
        let number: u32 = told[2..].parse().unwrap();
        ((place, told[1..2].into()), Mark { identity: u64::MAX - u64::from(number), content: number })
    };
    told.split_whitespace().map(row).collect()
}

/// What a table is after another: everything that can happen to files, and several of it at once.
const STEPS: [&str; 10] = [
    "",
    "ha1 hb2",
    "ha1 hb2",
    "ha1 hb2 hc3",
    "ha1 gb2 hc3",
    // Another mark, another place, one that goes and one that comes, all together.
    "ha4 hd5 gc3",
    "aa4 ad5 ac3 he6",
    "ha4 hd5 hc3 ae6 ge6",
    "ha4 hd5 hc3",
    "",
];

/// The keys of changes, with whether they have gone.
fn keys(changes: &[SourceRows]) -> Vec<((Place, OsString), bool)> {
    let files = changes.iter().flat_map(|rows| files_of(rows).unwrap());
    files.map(|(key, mark)| (key, mark.is_none())).collect()
}

#[test]
fn what_changed_is_told_and_makes_the_table() {
    let mut all = Vec::new();
    for (step, pair) in STEPS.windows(2).enumerate() {
        let [before, is] = [rows(pair[0]), rows(pair[1])];
        let changes = written(&differences(&before, &is));
        let mut expect: Vec<_> =
            before.keys().filter(|key| !is.contains_key(key)).map(|key| (key.clone(), true)).collect();
        let came = is.iter().filter(|(key, mark)| before.get(key) != Some(mark));
        expect.extend(came.map(|(key, _)| (key.clone(), false)));
        let mut got = keys(&changes);
        got.sort();
        expect.sort();
        assert_eq!(got, expect, "step {step}");
        assert_eq!(differences(&is, &is), [], "step {step}");
        all.extend(changes);
        // Another host gets all changes, or the whole table.
        for given in [&all, &written(&differences(&Rows::new(), &is))] {
            assert_eq!(read(given).unwrap(), is, "step {step}");
        }
    }
}

/// A million files are no more than so many rows at a time, and none of them is forgotten.
#[test]
fn many_files_are_told_in_several_pieces() {
    for count in [ROWS_MAX, ROWS_MAX + 1, 2 * ROWS_MAX + 1] {
        let rows: Rows = (0..count).map(|n| ((Place::Here, n.to_string().into()), Mark::default())).collect();
        let came = written(&differences(&Rows::new(), &rows));
        let went = written(&differences(&rows, &Rows::new()));
        for (changes, is_gone) in [(&came, false), (&went, true)] {
            assert_eq!(changes.len(), count.div_ceil(ROWS_MAX), "{count}");
            assert!(changes.iter().all(|rows| rows.keys.num_rows() <= ROWS_MAX), "{count}");
            let names: BTreeSet<_> = keys(changes).into_iter().collect();
            assert_eq!(names, rows.keys().map(|key| (key.clone(), is_gone)).collect(), "{count}");
        }
    }
}

/// Names that lead out of the folder, and numbers that say nothing, are none of this table's.
#[test]
fn a_table_that_is_none_is_refused() {
    let one = |place: i64, name: &[u8], content: i64| {
        let mut given = rows_of(&[((Place::Here, "a".into()), Some(Mark::default()))]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![place])), Arc::new(BinaryArray::from_iter_values([name]))];
        given.keys = RecordBatch::try_new(given.keys.schema(), columns).unwrap();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![-1])), Arc::new(Int64Array::from(vec![content]))];
        given.rows = RecordBatch::try_new(given.rows.schema(), columns).unwrap();
        read(&[given]).map(drop)
    };
    for place in 0..3 {
        assert_eq!(one(place, b"a \xff", i64::from(u32::MAX)), Ok(()), "{place}");
    }
    for place in [-1, 3, i64::MAX] {
        assert!(one(place, b"a", 0).unwrap_err().contains(&format!("unknown place {place}")));
    }
    for name in [&b""[..], b".", b"..", b"a/b", b"../a", b"/a", b"/", b"a/"] {
        assert!(one(0, name, 0).is_err(), "{}", name.escape_ascii());
    }
    for content in [-1, i64::from(u32::MAX) + 1, i64::MAX] {
        assert!(one(0, b"a", content).unwrap_err().contains("a mark that is none"), "{content}");
    }
    let mut other = rows_of(&[((Place::Here, "a".into()), Some(Mark::default()))]);
    std::mem::swap(&mut other.keys, &mut other.rows);
    assert!(read(&[other]).unwrap_err().contains("other fields"));
}
