//! Events in plain words.

use core::fmt::{self, Write};

use super::{Cause, Event, Peer, Purpose, Shortage, TopicPartition, WhyClosed};
use crate::{Acks, Class, Fate, ResetPolicy};

/// Hosts are a broker's words, and a line must stay one line.
struct Printable<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Printable<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (at, piece) in text.split(char::is_control).enumerate() {
            if at > 0 {
                self.0.write_char('?')?;
            }
            self.0.write_str(piece)?;
        }
        Ok(())
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Printable(f);
        match self {
            Event::Connecting { .. }
            | Event::Connected { .. }
            | Event::ConnectFailed { .. }
            | Event::ConnectionLost { .. }
            | Event::ConnectionClosed { .. }
            | Event::Throttled { .. } => connection(f, self),
            Event::LeaderChanged { .. }
            | Event::TopicReplaced { .. }
            | Event::MetadataFailed { .. }
            | Event::MetadataRenewed { .. }
            | Event::BrokersLeftOut { .. } => cluster(f, self),
            Event::BatchRetried { .. }
            | Event::BatchFailed { .. }
            | Event::BatchExpired { .. }
            | Event::BatchSplit { .. }
            | Event::ProducerIdGiven { .. }
            | Event::ProducerIdFailed { .. }
            | Event::EpochRaised { .. }
            | Event::NotIdempotent { .. } => producer(f, self),
            Event::PositionFound { .. }
            | Event::OffsetOutOfRange { .. }
            | Event::FetchRetried { .. }
            | Event::FetchedAlone { .. }
            | Event::BatchRefetched { .. }
            | Event::PartitionStopped { .. }
            | Event::TopicUnknown { .. } => consumer(f, self),
            Event::RecordsKept(_)
            | Event::ProduceFull(_)
            | Event::WaitersFull { .. }
            | Event::Closing { .. }
            | Event::Closed { .. }
            | Event::LeftOut { .. } => client(f, self),
        }
    }
}

fn connection(f: &mut Printable<'_, '_>, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::Connecting { peer, purpose } => write!(f, "connecting to {peer} for {purpose}"),
        Event::Connected { peer, purpose, produce, fetch } => {
            write!(f, "connected to {peer} for {purpose}; it speaks Produce {produce}, Fetch {fetch}")
        }
        Event::ConnectFailed { peer, purpose, why, failures, again_after } => write!(
            f,
            "could not connect to {peer} for {purpose}: {why}; {failures} in a row, tried again after {again_after:?}"
        ),
        Event::ConnectionLost { peer, purpose, why, unanswered, again_after } => write!(
            f,
            "lost the connection to {peer} for {purpose}: {why}; {unanswered} requests were open, opened again after \
             {again_after:?}"
        ),
        Event::ConnectionClosed { peer, purpose, why } => {
            write!(f, "closed the connection to {peer} for {purpose}: {why}")
        }
        Event::Throttled { peer, purpose, pause } => {
            write!(f, "{peer} asks for a pause of {pause:?} for {purpose}: a quota is used up")
        }
        _ => Ok(()),
    }
}

fn cluster(f: &mut Printable<'_, '_>, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::LeaderChanged { place, from, to: -1, .. } => write!(f, "nobody leads {place}; broker {from} did"),
        Event::LeaderChanged { place, from: -1, to, epoch } => {
            write!(f, "broker {to} leads {place} in epoch {epoch}; nobody did")
        }
        Event::LeaderChanged { place, from, to, epoch } => {
            write!(f, "broker {to} leads {place} in epoch {epoch}; broker {from} did")
        }
        Event::TopicReplaced { topic } => write!(f, "topic {topic} was deleted and made anew"),
        Event::MetadataFailed { code: Some(code), again_after } => {
            write!(f, "metadata was refused: {code}; asked again after {again_after:?}")
        }
        Event::MetadataFailed { code: None, again_after } => {
            write!(f, "metadata was not to be had; asked again after {again_after:?}")
        }
        Event::MetadataRenewed { brokers, topics, partitions, complete } => {
            write!(f, "metadata is renewed: {brokers} brokers, {topics} topics, {partitions} partitions")?;
            f.write_str(if *complete { "" } else { "; something is missing, it is asked for again" })
        }
        Event::BrokersLeftOut { left_out, max } => {
            write!(f, "{left_out} brokers are left out, with what they lead: only {max} are remembered (max_brokers)")
        }
        _ => Ok(()),
    }
}

fn producer(f: &mut Printable<'_, '_>, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::BatchRetried { place, records, why, failures, again_after } => write!(
            f,
            "a batch of {records} records to {place} is sent again after {again_after:?}, {failures} in a row{}",
            Because(why)
        ),
        Event::BatchFailed { place, records, why, fate } => {
            write!(f, "{records} records to {place} failed for good: {why}{}", Fated(*fate))
        }
        Event::BatchExpired { place, records, after, why, fate } => write!(
            f,
            "{records} records to {place} were not delivered within {after:?} (delivery_timeout_ms){}{}",
            Because(why),
            Fated(*fate)
        ),
        Event::BatchSplit { place, records, bytes } => write!(
            f,
            "a batch of {records} records and {bytes} bytes is larger than {place} takes, and is sent in parts; lower \
             batch_bytes or raise the topic's max.message.bytes"
        ),
        Event::ProducerIdGiven { producer_id, epoch } => write!(f, "producer id {producer_id} in epoch {epoch}"),
        Event::ProducerIdFailed { code: Some(code), again_after } => {
            write!(f, "no producer id: {code}; asked for again after {again_after:?}")
        }
        Event::ProducerIdFailed { code: None, again_after } => {
            write!(f, "no producer id; asked for again after {again_after:?}")
        }
        Event::EpochRaised { place, producer_id, epoch } => {
            write!(f, "the sequence of {place} begins anew: producer id {producer_id} in epoch {epoch}")
        }
        Event::NotIdempotent { acks } => {
            let acks = match acks {
                Acks::None => "none",
                Acks::Leader => "leader",
                Acks::All => "all",
            };
            write!(f, "a producer with acks {acks} is not idempotent: retries may write records twice")
        }
        _ => Ok(()),
    }
}

fn consumer(f: &mut Printable<'_, '_>, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::PositionFound { place, offset } => write!(f, "{place} is read from offset {offset}"),
        Event::OffsetOutOfRange { place, offset, policy } => {
            let done = match policy {
                ResetPolicy::Fail => "it is not read until the application seeks",
                ResetPolicy::Earliest => "reading goes on at the oldest record",
                ResetPolicy::Latest => "reading goes on after the newest record",
            };
            write!(f, "offset {offset} of {place} is out of range; {done}")
        }
        Event::FetchRetried { place, code, again_after } => {
            write!(f, "{place} cannot be read now: {code}; asked for again after {again_after:?}")
        }
        Event::FetchedAlone { place, offset, bytes } => write!(
            f,
            "the batch of {place} at offset {offset} did not fit beside others, and is fetched alone with {bytes} bytes; \
             not said again for this partition"
        ),
        Event::BatchRefetched { place, offset } => {
            write!(f, "records of {place} came damaged, and are fetched again from offset {offset}")
        }
        Event::PartitionStopped { place, why: Some(why) } => {
            write!(f, "{place} is not read until the application seeks: {why}")
        }
        Event::PartitionStopped { place, why: None } => {
            write!(f, "{place} is not read until the application seeks; next() has said why")
        }
        Event::TopicUnknown { topic } => {
            write!(f, "brokers do not know topic {topic}; it is read as soon as they do, and not said again until then")
        }
        _ => Ok(()),
    }
}

fn client(f: &mut Printable<'_, '_>, event: &Event<'_>) -> fmt::Result {
    match event {
        Event::RecordsKept(shortage) => kept(f, shortage),
        Event::ProduceFull(Shortage { class, limit, wanted, lasted, held, .. }) => write!(
            f,
            "records have waited for {wanted} bytes of {class} memory for {lasted:?}: {held} of {limit} bytes ({}) are \
             held by records without an acknowledgement",
            class.knob()
        ),
        Event::WaitersFull { refused, max } => {
            write!(f, "{refused} tasks were refused because {max} wait already (max_waiters)")
        }
        Event::Closing { within } => write!(f, "closing; what is in the buffers has {within:?} (close_timeout_ms)"),
        Event::Closed { unsettled: 0 } => f.write_str("closed"),
        Event::Closed { unsettled } => write!(f, "closed; {unsettled} records were left over"),
        Event::LeftOut { name, count } => write!(f, "{count} more events of kind {name} were left out"),
        _ => Ok(()),
    }
}

fn kept(f: &mut Printable<'_, '_>, shortage: &Shortage) -> fmt::Result {
    let Shortage { class, limit, wanted, lasted, held, queued, standing, promised } = shortage;
    let what = if *class == Class::Fetch { "a fetch has" } else { "next(), or a batch that is to be split, has" };
    write!(
        f,
        "{what} waited for {wanted} bytes of {class} memory for {lasted:?}: of {limit} bytes ({}) ",
        class.knob()
    )?;
    write!(f, "{held} are held, {} of them by records that the application keeps", shortage.kept())?;
    for (bytes, whose) in [(queued, "that next() has not handed out"), (standing, "by producers and consumers")] {
        if *bytes > 0 {
            write!(f, ", {bytes} {whose}")?;
        }
    }
    if *promised > 0 {
        write!(f, "; {promised} are promised to answers on their way")?;
    }
    f.write_str("; drop records sooner, keep copies (to_owned), or raise the limit")
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.node, self.host.contains(':')) {
            (_, _) if self.host.is_empty() => write!(f, "broker {}", self.node),
            (0.., true) => write!(f, "broker {} ([{}]:{})", self.node, self.host, self.port),
            (0.., false) => write!(f, "broker {} ({}:{})", self.node, self.host, self.port),
            (_, true) => write!(f, "[{}]:{}", self.host, self.port),
            (_, false) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for TopicPartition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Purpose::Control => "control",
            Purpose::Produce => "produce",
            Purpose::Fetch => "fetch",
        })
    }
}

impl fmt::Display for WhyClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WhyClosed::Idle => "the broker closed it, nothing was open",
            WhyClosed::Unused => "nobody waits for it any more",
            WhyClosed::Moved => "the cluster does not list that address any more",
        })
    }
}

struct Because<'a>(&'a Option<Cause<'a>>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

struct Fated(Fate);

impl fmt::Display for Fated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Fate::NotPersisted => Ok(()),
            Fate::MaybePersisted => f.write_str("; they may be in the log"),
        }
    }
}
