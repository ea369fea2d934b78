//! What a run takes from and delivers to: a peer that is fed, and a sink that knows its batches.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use tidemill_model::{
    ports::{Acknowledging, Irregularity, Owner, PortError, Sealed, Sink, SinkParts, SinkRows, Source, Taken},
    schema::Schema,
    testing::Value,
    time::Timestamp,
};

use super::{Broken, BrokenSource, Delivered, Feed, OnAsk, Rows};
use crate::{show, sink::Written, source::chunk_of};

/// A source that nobody can read again: words that came up to a tick, each with the count 1.
pub struct Live {
    pub schema: Schema,
    pub feed: Feed,
    pub sealed: Option<Timestamp>,
    pub acknowledged: Option<Arc<Mutex<usize>>>,
    /// How much was taken of a feed from which nothing goes, now and at the last pin.
    pub place: usize,
    pub pinned: usize,
    /// The peer has been told something, and sends.
    pub is_open: bool,
    pub broken: Arc<Mutex<Option<BrokenSource>>>,
}

impl Live {
    fn check(&self, is_taken: bool, batch: Timestamp) -> Result<(), PortError> {
        let mut broken = self.broken.lock().unwrap();
        let now = BrokenSource { is_taken, batch };
        broken.take_if(|broken| *broken == now).map_or(Ok(()), |_| Err(PortError::configuration("it is broken")))
    }
}

impl Source for Live {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let Some(until) = self.sealed else { return Ok(Taken::default()) };
        self.check(true, until)?;
        let mut feed = self.feed.lock().unwrap();
        let next = match self.acknowledged {
            Some(_) if !self.is_open => None,
            Some(_) => feed.get(self.place).filter(|(time, _)| *time <= until).cloned(),
            None => feed.pop_front_if(|(time, _)| *time <= until),
        };
        self.place += 1;
        let Some((_, words)) = next else {
            self.place -= 1;
            self.sealed = None;
            return Ok(Taken { end: true, ..Taken::default() });
        };
        let rows: Vec<Vec<Value>> = words.iter().map(|word| vec![Value::text(word), Value::Integer(1)]).collect();
        let chunks = if rows.is_empty() { Vec::new() } else { vec![chunk_of(&self.schema, &rows)] };
        Ok(Taken { chunks, bytes: 1, end: false })
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        self.check(false, at)?;
        self.sealed = Some(at);
        let left = self.feed.lock().unwrap().iter().any(|(time, _)| *time > at);
        Ok(Sealed { present: true, last: !left })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn acknowledging(&mut self) -> Option<&mut dyn Acknowledging> {
        if self.acknowledged.is_some() { Some(self) } else { None }
    }
}

impl Acknowledging for Live {
    fn pin(&mut self) -> Result<String, PortError> {
        self.pinned = self.place;
        Ok(self.pinned.to_string())
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        pin.parse::<usize>().map(drop).map_err(|_| PortError::configuration("it is another source's pin"))
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        self.place = pin.parse().unwrap();
        self.pinned = self.place;
        let told = *self.acknowledged.as_ref().unwrap().lock().unwrap();
        assert!(told <= self.place, "{told} were told, and {} are known: the peer has forgotten some", self.place);
        Ok(())
    }

    fn acknowledge(&mut self) {
        self.is_open = true;
        *self.acknowledged.as_ref().unwrap().lock().unwrap() = self.pinned;
    }
}

/// A sink that knows its batches. A batch that comes again must be the same.
pub struct Exactly {
    pub output: String,
    pub written: Written,
    pub prepared: Option<Rows>,
    pub delivered: Arc<Mutex<Delivered>>,
    pub broken: Arc<Mutex<Option<Broken>>>,
    pub on_ask: Option<OnAsk>,
    /// The outputs whose places were made, if it says whether its own was.
    pub places: Option<Arc<Mutex<BTreeSet<String>>>>,
}

impl Exactly {
    fn asked(&self, what: &str) {
        self.on_ask.iter().for_each(|on_ask| on_ask(what));
    }

    fn check(&self, is_prepared: bool, batch: Timestamp) -> Result<(), PortError> {
        let mut broken = self.broken.lock().unwrap();
        let is_now = |broken: &mut Broken| {
            (broken.output, broken.is_prepared, broken.batch) == (self.output.as_str(), is_prepared, batch)
        };
        broken.take_if(is_now).map_or(Ok(()), |_| Err(PortError::configuration("it is broken")))
    }
}

impl Sink for Exactly {
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        self.written.write(rows);
        Ok(())
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        self.check(true, batch.time)?;
        let values = |rows: &Vec<_>| rows.iter().flat_map(|rows| show::values(batch.schema, rows)).collect::<Vec<_>>();
        let of_partition = |rows: &Vec<_>| values(rows).iter().map(|row| show::row(row)).collect();
        self.prepared = Some(self.written.take(batch).iter().map(of_partition).collect());
        Ok(())
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        self.written.discard(batch);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        self.check(false, time)?;
        let prepared = self.prepared.take().expect("a batch is prepared before it is delivered");
        let mut delivered = self.delivered.lock().unwrap();
        delivered.count += 1;
        let before = delivered.batches.insert((self.output.clone(), time), prepared.clone());
        assert!(before.is_none_or(|before| before == prepared), "a batch comes again with other rows");
        Ok(())
    }

    fn begin(&mut self, _owner: &Owner<'_>) -> Result<(), PortError> {
        self.check(false, Broken::BEGINS)?;
        if let Some(places) = &self.places {
            places.lock().unwrap().insert(self.output.clone());
        }
        Ok(())
    }

    fn is_new(&self) -> bool {
        self.asked("is_new");
        self.places.as_ref().is_some_and(|places| !places.lock().unwrap().contains(&self.output))
    }

    fn newest(&self) -> Result<Option<Timestamp>, PortError> {
        self.asked("newest");
        let delivered = self.delivered.lock().unwrap();
        Ok(delivered.batches.keys().filter(|(output, _)| *output == self.output).map(|(_, time)| *time).max())
    }
}
