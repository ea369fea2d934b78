//! The real program over a store of another maker: killed again and again, and taken over from.

use std::{process::Command, sync::mpsc::Receiver};

use crate::{
    producer,
    real::RealStore,
    records::{self, Delivered},
    running::{Running, end_of},
    stores::{RUN, SMALL_BUDGET, URL, feed, feed_files, kill_often, producer_at},
    tool::Folder,
};

fn known_to(store: &RealStore, command: &mut Command) {
    command.envs(store.settings());
}

fn start(folder: &Folder, store: &RealStore) -> Running {
    Running::start_ready(folder.command(&RUN).envs(store.settings()))
}

#[test]
fn nothing_is_lost_or_doubled_by_kills() {
    let (folder, store) = (records::folder(), RealStore::start());
    kill_often(&folder, |command| known_to(&store, command), &SMALL_BUDGET, feed_files(&folder));
}

#[test]
fn lines_that_were_logged_are_not_lost() {
    let (folder, store) = (records::folder(), RealStore::start());
    let address = producer::address();
    let socket = producer_at(&address.to_string());
    let feed = move |stopped: Receiver<()>| producer::feed(address, &stopped);
    kill_often(&folder, |command| known_to(&store, command), &["--set", &socket], feed);
}

#[test]
fn each_later_host_takes_over_from_one_at_work() {
    let (folder, store) = (records::folder(), RealStore::start());
    let mut lines = 0;
    let mut host = start(&folder, &store);
    for _ in 0..3 {
        feed(&folder, &mut lines);
        let earlier = std::mem::replace(&mut host, start(&folder, &store));
        let ended = earlier.end();
        assert!(ended.code == 1 && ended.stderr.contains("has taken this checkpoint over"), "{ended:#?}");
    }
    feed(&folder, &mut lines);
    host.stop();
    Delivered::read(folder.path()).check(lines);
    let ended = end_of(folder.command(&["inspect", URL]).envs(store.settings()));
    assert_eq!(ended.code, 0, "{ended:#?}");
}
