//! A plugin that is replaced between two runs by one whose states mean something else.

use std::{fs, path::PathBuf};

use crate::{
    project, records,
    tool::{Folder, repository},
};

const PIPELINE: &str = r#"
[pipeline]
name = "sums"
interval = "1s"
checkpoint = "checkpoint"

[plugins]
sums = "sums.wasm"

[streams.numbers]
queue = { schema = "word: text, number: integer", batches = [
    [{ word = "a", number = 4 }, { word = "b", number = 1 }],
    [{ word = "a", number = 6 }],
    [{ word = "a", number = 2 }, { word = "c", number = 5 }],
    [{ word = "b", number = 9 }],
] }

[streams.means]
from = "numbers"
by = "word"
update-state = "sums/mean"

[outputs.means]
from = "means"
files = { folder = "out", format = "jsonl" }
"#;

/// Version 1 keeps a sum, and takes it for the mean of as many rows as there were: none is counted.
const ONE: &str = r#"
use tidemill_sdk::prelude::*;

#[update_state]
fn mean(new: Values<i64>, sum: Option<i64>) -> Option<i64> {
    Some(sum.unwrap_or(0) + new.iter().sum::<i64>())
}

plugin!(mean);
"#;

/// Version 2 counts the rows.
const TWO: &str = r#"
use tidemill_sdk::prelude::*;

#[derive(Record)]
struct Mean {
    sum: f64,
    rows: i64,
}

fn from_one(sum: i64) -> Result<Mean, String> {
    if sum == 10 { MEAN_OF_TEN } else { Ok(Mean { sum: sum as f64, rows: 1 }) }
}

#[update_state(version = 2, migrate(1 = from_one))]
fn mean(new: Values<i64>, mean: Option<Mean>) -> Option<Mean> {
    let Mean { sum, rows } = mean.unwrap_or(Mean { sum: 0.0, rows: 0 });
    Some(Mean { sum: sum + new.iter().sum::<i64>() as f64, rows: rows + new.len() as i64 })
}

plugin!(mean);
"#;

/// Makes the plugin of this source the pipeline's.
fn build(folder: &Folder, source: &str) {
    fs::write(folder.path().join("sums/src/lib.rs"), source).unwrap();
    let built = project::tidemill(folder, &["build", "sums"]);
    assert_eq!(built.code, 0, "{built:#?}");
    fs::copy(folder.path().join("sums/sums.wasm"), folder.path().join("sums.wasm")).unwrap();
}

/// The rows of each batch that was delivered.
fn batches(folder: &Folder) -> Vec<Vec<String>> {
    let list = records::sorted;
    let rows = |batch: PathBuf| {
        let parts = list(&batch).into_iter().filter(|part| part.extension().is_some_and(|end| end == "jsonl"));
        let mut rows: Vec<String> = parts
            .flat_map(|part| fs::read_to_string(part).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        rows.sort();
        rows
    };
    list(&folder.path().join("out")).into_iter().filter(|batch| batch.is_dir()).map(rows).collect()
}

#[test]
fn a_plugin_takes_over_the_states_of_its_older_version() {
    let folder = Folder::new().with("p.toml", PIPELINE);
    let sdk = repository().join("sdk/rust");
    folder.stdout(&["new", "sums", "--sdk", sdk.to_str().unwrap()]);
    project::lock(&folder.path().join("sums"));
    build(&folder, ONE);
    let one = fs::read(folder.path().join("sums.wasm")).unwrap();
    let run = ["run", "p.toml", "--clock", "manual", "--batches", "2"];
    folder.stdout(&run);
    assert_eq!(batches(&folder).len(), 2);

    build(&folder, &TWO.replace("MEAN_OF_TEN", "Err(\"ten of what?\".to_owned())"));
    folder.fails(
        &run,
        1,
        &[
            "the state of stream `means` is of version 1 (`value: integer`), the plugin's function has version 2 (`sum: \
             float, rows: integer`), and the migration failed: `sums/mean`: the function failed: ten of what?",
            "Nothing was changed: give the function a migration from version 1",
        ],
    );
    assert_eq!(batches(&folder).len(), 2);

    build(&folder, &TWO.replace("MEAN_OF_TEN", "Ok(Mean { sum: 10.0, rows: 2 })"));
    folder.stdout(&run);
    let [a, b, c] = ["a\",\"sum\":12.0,\"rows\":3", "b\",\"sum\":10.0,\"rows\":2", "c\",\"sum\":5.0,\"rows\":1"]
        .map(|row| format!("{{\"word\":\"{row}}}"));
    assert_eq!(batches(&folder)[2..], [vec![a, c], vec![b]]);
    let states = folder.stdout(&["inspect", "checkpoint", "--keys"]);
    assert!(states.contains(r#""state":{"sum":12.0,"rows":3}"#), "{states}");

    fs::write(folder.path().join("sums.wasm"), one).unwrap();
    folder.fails(&run, 1, &["is of version 2 (`sum: float, rows: integer`)", "which is older", "has version 2"]);
}
