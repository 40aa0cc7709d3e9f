//! Ends: handles that are dropped, drivers that end, and what everybody who waits is told.

use alloc::vec::Vec;
use core::{
    future::Future,
    pin::{Pin, pin},
    task::Poll,
};

use super::{Pair, failure, fetching, offset, producing::begun};
use crate::{Class, Error, Fate, NewTopic, Record, StartAt, Ticket, wire::api};

/// Every record's ticket resolves when the machine ends, each with its own fate: what was never written, what was sent
/// without an answer, and what an earlier try had sent.
#[test]
fn an_end_resolves_every_ticket_with_its_fate() {
    let (mut pair, producer) = begun();
    let sent = pair.enqueue(&producer, Record::to("t").partition(0).value("sent"));
    let request = pair.expect(api::PRODUCE);
    let open = pair.enqueue(&producer, Record::to("t").partition(0).value("open"));
    let lost = pair.enqueue(&producer, Record::to("t").partition(1).value("lost"));
    let lost_request = pair.expect(api::PRODUCE);
    pair.down = [2].into();
    pair.hang_up(lost_request.link);
    pair.turn();
    pair.stuck = true;
    let unwritten = pair.enqueue(&producer, Record::to("t").partition(2).value("unwritten"));
    pair.turn();
    let unseen = producer.try_enqueue(Record::to("t").partition(2).value("unseen")).expect("room");
    let now = pair.now();
    pair.machine.end(now);
    for (ticket, fate) in [
        (&sent, Fate::MaybePersisted),
        (&lost, Fate::MaybePersisted),
        (&open, Fate::NotPersisted),
        (&unwritten, Fate::NotPersisted),
        (&unseen, Fate::NotPersisted),
    ] {
        assert_eq!(failure(ticket), Error::Closed { fate });
    }
    let refused = producer.try_enqueue(Record::to("t").partition(0).value("after")).expect_err("closed");
    assert!(matches!(refused.error(), Error::Closed { fate: Fate::NotPersisted }));
    drop(request);
    pair.turn();
    assert!(pair.ended);
    assert_eq!(pair.client().budget().leased(Class::Produce), 0, "nothing of it is kept");
}

/// Everybody who waits is woken by the end and told: for room, for a flush, for a close, for records, for a topic, for
/// the first contact. And nothing can be begun after it.
#[test]
fn an_end_wakes_everybody() {
    let mut pair = Pair::new();
    pair.down = [1, 2, 3].into();
    let client = pair.client().clone();
    let producer = client.producer().build().expect("builds");
    let mut consumer = client.consumer().topics(["t"]).from(StartAt::Earliest).build().expect("builds");
    let admin = client.admin();
    let mut connected = pin!(client.connected());
    let mut enqueue = pin!(producer.enqueue(Record::to("t").value("a")));
    let mut flush = pin!(producer.flush());
    let mut close = pin!(producer.clone().close());
    let mut created = pin!(admin.create_topics([NewTopic::new("n", 1, 1)]));
    {
        let mut next = pin!(consumer.next());
        assert!(pair.poll(connected.as_mut()).is_pending());
        assert!(pair.poll(enqueue.as_mut()).is_pending());
        assert!(pair.poll(next.as_mut()).is_pending());
        assert!(pair.poll(created.as_mut()).is_pending());
        let woken = pair.woken.count();
        let now = pair.now();
        pair.machine.end(now);
        assert!(pair.woken.count() >= woken + 3);
        assert!(matches!(pair.poll(next.as_mut()), Poll::Ready(Ok(None))));
    }
    assert!(matches!(pair.poll(connected.as_mut()), Poll::Ready(Err(Error::Closed { .. }))));
    let Poll::Ready(Err(refused)) = pair.poll(enqueue.as_mut()) else { panic!("refused") };
    assert!(matches!(refused.error(), Error::Closed { fate: Fate::NotPersisted }));
    assert!(matches!(pair.poll(flush.as_mut()), Poll::Ready(Ok(()))));
    assert!(matches!(pair.poll(close.as_mut()), Poll::Ready(Ok(()))));
    assert!(matches!(pair.poll(created.as_mut()), Poll::Ready(Err(_))));
    assert!(matches!(client.producer().build(), Err(Error::Closed { .. })));
    assert!(matches!(client.consumer().topics(["t"]).build(), Err(Error::Closed { .. })));
}

/// When the last handle is gone the buffer is sent, and the machine ends as soon as that is settled.
#[test]
fn dropping_the_last_handle_sends_what_is_in_the_buffer() {
    let (mut pair, producer) = begun();
    let tickets: Vec<Ticket> =
        ["a", "b"].map(|v| pair.enqueue(&producer, Record::to("t").partition(0).value(v))).into();
    drop(producer);
    pair.drop_client();
    let request = pair.expect(api::PRODUCE);
    assert!(!pair.ended);
    pair.acknowledge(&request, 1);
    pair.turn();
    assert!(pair.ended);
    assert_eq!(tickets.iter().map(offset).collect::<Vec<_>>(), [1, 2]);
}

/// Who waits for a client's end is told when everything is settled, whether the client was shut down or its handles dropped, and is
/// no handle itself; who asks after the end is told at once.
#[test]
fn an_end_can_be_waited_for() {
    for shut_down in [true, false] {
        let (mut pair, producer) = begun();
        let client = pair.client().clone();
        let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
        let mut closed = pin!(client.closed());
        pair.turn();
        assert!(pair.poll(closed.as_mut()).is_pending(), "nobody has ended it");
        let late = if shut_down {
            client.shut_down();
            Some(client)
        } else {
            drop((client, producer));
            pair.drop_client();
            None
        };
        let request = pair.expect(api::PRODUCE);
        assert!(pair.poll(closed.as_mut()).is_pending(), "a record is not settled");
        let woken = pair.woken.count();
        pair.acknowledge(&request, 4);
        pair.turn();
        assert!(pair.ended && pair.woken.count() > woken);
        assert_eq!(pair.poll(closed.as_mut()), Poll::Ready(Ok(())));
        assert_eq!(offset(&ticket), 4);
        late.into_iter().for_each(|client| assert_eq!(pair.poll(pin!(client.closed())), Poll::Ready(Ok(()))));
    }
}

/// Who is woken on the way to the end does not find it there before everybody was told: what its record became is known then.
#[cfg(feature = "std")] // without it a client may not be shared with a waker
#[test]
fn the_end_is_there_when_everybody_was_told() {
    use crate::{Client, sync::Arc};
    use core::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Waker},
    };
    struct Looks(Client, Ticket, AtomicUsize);
    impl alloc::task::Wake for Looks {
        fn wake(self: Arc<Self>) {
            let has_ended = pin!(self.0.closed()).poll(&mut Context::from_waker(Waker::noop())).is_ready();
            assert!(!has_ended || self.1.outcome().is_some(), "the client has ended before its record");
            self.2.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (mut pair, producer) = begun();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let looks = Arc::new(Looks(pair.client().clone(), ticket, AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&looks));
    let mut closed = pin!(pair.client().closed());
    assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let now = pair.now();
    pair.machine.end(now);
    assert_eq!(looks.2.load(Ordering::SeqCst), 1);
    assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}

/// A client that is shut down sends what is in its buffers at once, though it would linger, takes nothing more, and ends
/// although there are handles; those that wait are told.
#[test]
fn a_client_that_is_shut_down_ends_with_its_handles() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().linger(core::time::Duration::from_secs(5)).build().expect("builds");
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let mut consumer = pair.client().consumer().assign([("t", 0)]).from(StartAt::Offset(0)).build().expect("builds");
    pair.turn();
    assert!(pair.take(api::PRODUCE).is_none(), "it lingers");
    assert!(fetching::next(&pair, &mut consumer).is_pending());
    let unseen = pair.client().producer().build().expect("builds");
    pair.client().shut_down();
    pair.client().shut_down();
    let late = pair.client().producer().build().expect_err("it ends");
    assert_eq!(late, Error::Closed { fate: Fate::NotPersisted });
    let request = pair.expect(api::PRODUCE);
    let refused = producer.try_enqueue(Record::to("t").partition(0).value("late")).expect_err("it ends");
    assert!(matches!(refused.error(), Error::Closed { fate: Fate::NotPersisted }));
    assert!(!pair.ended);
    let woken = pair.woken.count();
    pair.acknowledge(&request, 4);
    pair.turn();
    assert!(pair.ended);
    assert_eq!(offset(&ticket), 4);
    assert!(pair.woken.count() > woken, "the consumer's task waits on");
    assert!(matches!(fetching::next(&pair, &mut consumer), Poll::Ready(Ok(None))));
    drop(unseen);
}

/// Trap 108: a client that cannot send what it holds ends all the same, in its close timeout.
#[test]
fn closing_is_bounded() {
    let (mut pair, producer) = begun();
    let ticket = pair.enqueue(&producer, Record::to("t").partition(0).value("a"));
    let silent = pair.expect(api::PRODUCE);
    drop(producer);
    pair.drop_client();
    pair.advance_ms(29_999);
    assert!(!pair.ended);
    pair.advance_ms(1);
    assert!(pair.ended);
    assert_eq!(failure(&ticket).fate(), Fate::MaybePersisted);
    drop(silent);
}

/// A flush waits for what was in the buffer when it was asked for, and for nothing that came later.
#[test]
fn a_flush_is_over_with_what_was_there() {
    let mut pair = Pair::new();
    let producer = pair.client().producer().linger(core::time::Duration::from_secs(5)).build().expect("builds");
    let before = pair.enqueue(&producer, Record::to("t").partition(0).value("before"));
    pair.turn();
    assert!(pair.take(api::PRODUCE).is_none(), "it lingers");
    let mut first = pin!(producer.flush());
    assert!(pair.poll(first.as_mut()).is_pending());
    let request = pair.expect(api::PRODUCE);
    let after = pair.enqueue(&producer, Record::to("t").partition(1).value("after"));
    let mut second = pin!(producer.flush());
    assert!(pair.poll(second.as_mut()).is_pending());
    let later = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 0);
    pair.turn();
    assert!(pair.poll(first.as_mut()).is_ready());
    assert!(pair.poll(second.as_mut()).is_pending());
    pair.acknowledge(&later, 3);
    pair.turn();
    assert!(pair.poll(second.as_mut()).is_ready());
    assert_eq!((offset(&before), offset(&after)), (0, 3));
}

/// A ticket that is dropped cancels nothing, and one that moves to another task wakes that one.
#[test]
fn tickets_may_be_dropped_and_moved() {
    let (mut pair, producer) = begun();
    let mut kept = pair.enqueue(&producer, Record::to("t").partition(0).value("kept"));
    let dropped = producer.try_enqueue(Record::to("t").partition(0).value("dropped")).expect("room");
    drop(dropped);
    assert!(Pin::new(&mut kept).poll(&mut core::task::Context::from_waker(core::task::Waker::noop())).is_pending());
    assert!(pair.poll(&mut kept).is_pending());
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values, ["kept", "dropped"]);
    let woken = pair.woken.count();
    pair.acknowledge(&request, 1);
    assert_eq!(pair.woken.count(), woken + 1);
    assert!(matches!(pair.poll(&mut kept), Poll::Ready(Ok(meta)) if meta.offset() == 1));
}

/// Records outlive their consumer and the client, and let go of their memory when they are dropped.
#[test]
fn records_outlive_the_client() {
    let (mut pair, mut consumer, request) = fetching::at_ten();
    pair.bring(&request, 77, 0, &super::broker::batch_of(10, &["a"]));
    let records = fetching::records(&pair, &mut consumer);
    drop(consumer);
    pair.drop_client();
    pair.turn();
    assert!(pair.ended);
    drop(pair);
    assert_eq!(fetching::values(&records), ["a"]);
}
