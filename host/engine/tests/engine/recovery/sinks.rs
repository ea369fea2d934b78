//! Of several sinks one fails, the first, the second or the third: what the others have got, and what comes again.

use tidemill_engine::{RunError, checkpoint::Point};

use super::{
    BATCHES, at, check_like, world as new_world,
    world::{Broken, Ended, Stop},
};

/// The outputs of the pipeline, in order.
const OUTPUTS: [&str; 3] = ["sums", "totals", "all"];

#[test]
fn whichever_sink_fails_the_next_run_gives_every_sink_what_it_lacks() {
    let expect = new_world();
    assert_eq!(expect.run(None), Ended::Done);
    for batch in [1, 2, 3, BATCHES] {
        for (place, output) in OUTPUTS.into_iter().enumerate() {
            for is_prepared in [true, false] {
                let world = new_world();
                let broken = Broken { output, is_prepared, batch: at(batch) };
                *world.broken.lock().unwrap() = Some(broken);
                let error = world.open().and_then(|mut run| run.run()).unwrap_err();
                let RunError::Sink { output: told, batch: told_batch, .. } = &error else { panic!("{error}") };
                assert_eq!((told.as_str(), *told_batch), (output, at(batch)));
                // Nothing is delivered before all of it is prepared; then those before it have their rows.
                let delivered = if is_prepared { 0 } else { place };
                for (other, name) in OUTPUTS.into_iter().enumerate() {
                    let has_it = world.batches_of(name).contains(&at(batch));
                    assert_eq!(has_it, other < delivered, "{broken:?}: {name}");
                }
                assert_eq!(world.run(None), Ended::Done, "{broken:?}");
                check_like(&world, &expect, &format!("{broken:?}"));
                let twice = world.deliveries() - world.batches_of("sums").len() * OUTPUTS.len();
                assert_eq!(twice, delivered, "{broken:?}: only what was not known as delivered comes again");
            }
        }
    }
}

#[test]
fn a_batch_that_is_run_again_is_one_of_those_that_were_asked_for() {
    for (point, after, begins_with) in [(Point::Plan, true, 3), (Point::Commit, false, 3), (Point::Commit, true, 4)] {
        for asked in 1..=2 {
            let world = new_world();
            let stop = Stop { point, after, batch: at(3) };
            assert_eq!(world.run(Some(stop)), Ended::Stopped);
            let summary = world.run_batches(asked).unwrap();
            assert_eq!(summary.batches, asked, "{stop:?}");
            let last = begins_with + asked as i64 - 1;
            assert_eq!(world.batches_of("all"), (1..=last).map(at).collect::<Vec<_>>(), "{stop:?}");
        }
    }
}
