//! What a crash would keep of a peer's lines.

use std::sync::Arc;

use tidemill_checkpoint::{BatchPlan, Log, MemoryStorage, Record, SourcePin};
use tidemill_model::time::Timestamp;

use crate::{
    check::kept_lines,
    scenario::{ACKNOWLEDGED, PIPELINE},
};

#[test]
fn lines_are_kept_when_a_record_stands_behind_the_one_that_says_so() {
    let storage = MemoryStorage::new();
    let mut world = super::world(ACKNOWLEDGED);
    assert_eq!(kept_lines(&storage, &world), 0);
    let open = |host| Log::open(Arc::new(storage.clone()), PIPELINE, host, Timestamp(0)).expect("nothing fails").0;
    let mut log = open("host");
    let pin = SourcePin { stream: format!("{ACKNOWLEDGED}-1"), pin: "{\"lines\":7}".to_owned(), logged: None };
    let plan = BatchPlan {
        batch: Timestamp(1),
        sources: vec![pin],
        plugins: Vec::new(),
        delivered: None,
        tables: Vec::new(),
        away: Vec::new(),
    };
    log.append(Record::Plan(plan), &[]).expect("nothing fails");
    assert_eq!(kept_lines(&storage, &world), 0, "the newest record may turn out damaged");
    open("next");
    assert_eq!(kept_lines(&storage, &world), 7);
    let newest = storage.files().into_keys().next_back().expect("there are records");
    world.unsettled.insert(newest);
    assert_eq!(kept_lines(&storage, &world), 0, "its folder was not synced");
}
