//! Records on their way into the buffer, all to one partition.

use core::task::{Poll, Waker, ready};

use crate::{
    Error, Instant, Record, Tickets,
    api::{Producer, producer::partition_of},
    producer::Refusal,
    waits::Place,
};

/// Some records that go to one partition, entered as far as there is room, by whoever polls it.
pub(in crate::api) struct Entering {
    producer: Producer,
    taken: Tickets,
    place: Place,
    until: Option<Instant>,
}

impl Entering {
    pub(super) fn new(producer: Producer) -> Self {
        Entering { producer, taken: Tickets::default(), place: Place::default(), until: None }
    }

    /// Goes on with the records, which are the same each time.
    ///
    /// # Errors
    /// The first record that was not taken has this reason; nothing behind it was.
    pub(in crate::api) fn poll(
        &mut self,
        waker: &Waker,
        (topic, partition): (&str, i32),
        records: &[Record<'_>],
    ) -> Poll<Result<(), Error>> {
        if self.taken.is_empty() {
            // Before any is taken: a mistake of the program is told of all, not of those behind it.
            records.iter().try_for_each(|record| belongs(record, topic, partition))?;
        }
        while let Some((first, rest)) = records.get(self.taken.len()..).and_then(<[_]>::split_first) {
            let before = self.taken.len();
            self.append_run(topic, partition, first, rest)?;
            if self.taken.len() > before {
                continue;
            }
            let first = Record { topic, partition: Some(partition), ..first.clone() };
            let until = *self.until.get_or_insert_with(|| self.producer.shared().blocked_until());
            let place = &mut self.place;
            let ticket = ready!(self.producer.poll_append(waker, &first, place, until, None))?;
            self.taken.add_ticket(&ticket);
            self.until = None;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what the batch that is open has room for.
    fn append_run(
        &mut self,
        topic: &str,
        partition: i32,
        first: &Record<'_>,
        rest: &[Record<'_>],
    ) -> Result<(), Error> {
        let topic = self.producer.topic(topic)?;
        let to = match partition_of(topic.get(), partition) {
            Ok(to) => to,
            Err(Refusal::Error(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        let mut left = core::iter::once(first).chain(rest);
        let next = || left.next().map(|record| record.appending(false));
        self.producer.shared().append_run(topic.get(), to, next, &mut self.taken);
        Ok(())
    }

    /// What was taken.
    pub(in crate::api) fn into_taken(mut self) -> Tickets {
        core::mem::take(&mut self.taken)
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        self.producer.shared().waits.leave(&mut self.place);
    }
}

fn belongs(record: &Record<'_>, topic: &str, partition: i32) -> Result<(), Error> {
    if (record.topic.is_empty() || record.topic == topic) && record.partition.is_none_or(|p| p == partition) {
        return Ok(());
    }
    let to = record.partition.map_or_else(alloc::string::String::new, |p| alloc::format!("-{p}"));
    Err(Error::config("record", alloc::format!("it goes to {}{to}, and this is {topic}-{partition}", record.topic)))
}
