//! Signals end a run in good order, whatever it waits for.

use std::{net::TcpListener, time::Duration};

use crate::{
    records,
    running::Running,
    s3::{Fault, S3},
    stores,
    tool::Folder,
};

/// An interval whose next tick is an hour away at least: no test waits so long.
#[allow(clippy::disallowed_methods, reason = "what is far away depends on the time of the day")]
fn far_interval() -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let hours = [24, 25, 29].into_iter().find(|hours| hours * 3_600 - now % (hours * 3_600) > 3_600);
    format!("{}h", hours.unwrap())
}

#[test]
fn a_run_that_waits_for_a_tick_that_is_far_away_ends_at_a_signal() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sources = [
        "socket = { listen = \"127.0.0.1:0\" }".to_owned(),
        format!("socket = \"{nobody}\""),
        "files = \"in\"".to_owned(),
        "generate = { kind = \"words\", rate = 1 }".to_owned(),
        "queue = { schema = \"line: text\", batches = [] }".to_owned(),
    ];
    for source in sources {
        let text = format!(
            "[pipeline]\nname = \"p\"\ninterval = \"{}\"\n[streams.lines]\n{source}\n\
             [outputs.lines]\nfrom = \"lines\"\nprint = true\n",
            far_interval()
        );
        let folder = Folder::new().with("p.toml", text);
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
        run.wait_until_idle();
        let ended = run.stop();
        assert!(ended.stderr.contains("stopping after the running batch"), "{source}: {ended:#?}");
        assert!(ended.stderr.contains("done batches=1 "), "{source}: {ended:#?}");
    }
}

/// A store that does not answer holds a run up before it has begun.
#[test]
fn a_signal_that_comes_before_the_first_batch_ends_a_run_in_good_order() {
    for signal in ["INT", "TERM"] {
        let (folder, store) = (records::folder(), S3::start());
        store.set_faults(|| Fault::Delay(Duration::from_secs(3_600)));
        let set = format!("pipeline.checkpoint={}", stores::URL);
        let mut run = Running::start(store.known_to(&mut folder.command(&["run", "pipeline.toml", "--set", &set])));
        run.wait_until("it asks the store", |_| ["GET", "LIST", "PUT"].iter().any(|method| store.requests(method) > 0));
        run.signal(signal);
        let ended = run.end();
        assert!(ended.code == 0 && ended.stderr.contains("stopped before the first batch"), "{ended:#?}");
    }
}
