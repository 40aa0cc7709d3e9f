//! A link as a state machine, against a model of it that is nothing but lists.

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::time::Duration;

use super::Choices;
use crate::{
    Budget, Class, Instant, Memory,
    link::{Body, IN_FLIGHT_MAX, Incoming, Link, LinkId, Outgoing, Room, State, Unanswered, Use},
    producer::BatchBody,
    record::BATCH_HEADER_LEN,
    sync::Arc,
    wire::{
        api::METADATA,
        frame::{Split, request_frame},
        metadata_request::MetadataRequest,
    },
};

/// Operations of one run.
const OPERATIONS_MAX: usize = 300;
const LINK_BYTES: usize = 1_000;
/// A link's read-ahead: the least that any has.
const STAGE: usize = 256;

/// What the model knows of a request.
struct Asked {
    context: u32,
    id: i32,
    /// Whether its answer's header has tagged fields.
    tagged: bool,
    deadline: Instant,
    /// Where its last byte stands among all that were queued.
    end: usize,
}

/// A frame that the broker has sent.
struct Sent {
    /// The request that it answers; `None` for one that answers nothing.
    answers: Option<u32>,
    len: usize,
    body: usize,
}

struct Run {
    budget: Arc<Budget>,
    link: Option<Link<u32>>,
    now: Instant,
    ready_by: Instant,
    muted_until: Instant,
    /// Requests, in the order in which they were queued: those with an answer, and those without.
    open: VecDeque<Asked>,
    mute: VecDeque<Asked>,
    /// So many of the first that are open were answered, and the answers are on their way.
    answered: usize,
    up: Vec<u8>,
    written: usize,
    down: VecDeque<u8>,
    frames: VecDeque<Sent>,
    context: u32,
}

/// Requests are queued, bytes taken and received in pieces, time passes, the broker answers rightly or wrongly, pauses, and
/// connections end. Each answer meets its request, each deadline is the model's, what was sent is what was queued, and all
/// memory comes back.
pub fn link(data: &[u8]) {
    let mut choices = Choices(data);
    let mut run = Run::new();
    for _ in 0..OPERATIONS_MAX {
        if choices.are_over() {
            break;
        }
        run.operate(&mut choices);
        run.check();
    }
    run.end();
}

impl Run {
    fn new() -> Run {
        let mut run = Run {
            budget: Budget::new(Memory::of(64 << 10)),
            link: None,
            now: Instant::from_nanos(1),
            ready_by: Instant::FAR,
            muted_until: Instant::ZERO,
            open: VecDeque::new(),
            mute: VecDeque::new(),
            answered: 0,
            up: Vec::new(),
            written: 0,
            down: VecDeque::new(),
            frames: VecDeque::new(),
            context: 0,
        };
        run.connect(0);
        run
    }

    fn connect(&mut self, choice: usize) {
        let memory = self.budget.lease(Class::Control, LINK_BYTES).expect("all of it came back");
        self.ready_by = self.now.after(Duration::from_millis(choice as u64));
        let mut link = Link::new(LinkId(0), 1, Use::Control, self.ready_by, STAGE, memory);
        link.state = if choice.is_multiple_of(2) { State::Ready } else { State::Greeting(3) };
        self.link = Some(link);
        (self.muted_until, self.answered, self.written) = (Instant::ZERO, 0, 0);
        self.up.clear();
        self.down.clear();
        self.frames.clear();
    }

    fn operate(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 8 {
            0 => self.ask(choices),
            1 => self.write(choices.number()),
            2 => self.answer(choices),
            3 => self.receive(choices.number(), choices.byte()),
            4 => self.now = self.now.after(Duration::from_millis(choices.number() as u64)),
            5 => self.pause(Duration::from_millis(choices.number() as u64)),
            6 => self.say_nonsense(choices),
            _ => {
                self.end();
                self.connect(choices.number());
            }
        }
    }

    fn link(&mut self) -> &mut Link<u32> {
        self.link.as_mut().expect("there always is one")
    }

    fn ask(&mut self, choices: &mut Choices<'_>) {
        if self.link().open_requests() >= IN_FLIGHT_MAX {
            return;
        }
        let (version, answered) = (i16::from(choices.byte()) % (METADATA.max + 1), !choices.byte().is_multiple_of(4));
        let name: String = core::iter::repeat_n('n', usize::from(choices.byte())).collect();
        let deadline = self.now.after(Duration::from_millis(choices.number() as u64));
        let (context, id) = (self.context, self.link().correlation_id());
        self.context += 1;
        let body = MetadataRequest { topics: Some(&[]), ..MetadataRequest::default() };
        let mut frame = request_frame(&body, version, id, Some(&name)).expect("a sound request");
        let batch = self.batch(choices);
        self.up.extend(&frame.bytes);
        if let Some(body) = &batch {
            frame.splits.push(Split { at: frame.bytes.len(), len: BATCH_HEADER_LEN + body.batch.len() });
            self.up.extend(body.header);
            self.up.extend(body.batch.chunks().flatten());
        }
        self.link().queue(Outgoing {
            api: METADATA,
            version,
            frame: &frame,
            bodies: &mut batch.into_iter(),
            deadline,
            response_max: 1 << 20,
            answered,
            context,
        });
        let tagged = METADATA.response_header_version(version) == 1;
        let asked = Asked { context, id, tagged, deadline, end: self.up.len() };
        if answered { self.open.push_back(asked) } else { self.mute.push_back(asked) }
    }

    /// Records that go out between the pieces of a frame, while there is memory for some.
    fn batch(&mut self, choices: &mut Choices<'_>) -> Option<Body> {
        let fill = choices.byte();
        if !fill.is_multiple_of(3) {
            return None;
        }
        let mut chunk = self.budget.chunk()?;
        chunk.bytes_mut().extend(core::iter::repeat_n(fill, usize::from(choices.byte())));
        Some(Body {
            header: [!fill; BATCH_HEADER_LEN],
            batch: Arc::new(BatchBody::of(Vec::from([chunk]), Default::default())),
        })
    }

    /// The network takes at most so many bytes.
    fn write(&mut self, most: usize) {
        let (up, from) = (core::mem::take(&mut self.up), self.written);
        let mut slices: [&[u8]; 4] = [&[]; 4];
        let count = self.link().transmit(&mut slices);
        let offered = slices[..count].concat();
        assert_eq!(offered, up[from..from + offered.len()], "what was queued is what is sent");
        assert_eq!(offered.is_empty(), from == up.len(), "all of it, some time");
        let taken = most.min(offered.len());
        self.link().transmitted(taken);
        (self.up, self.written) = (up, from + taken);
        while let Some(context) = self.link().next_done_unanswered() {
            let done = self.mute.pop_front().expect("it was asked");
            assert_eq!(context, done.context);
            assert!(done.end <= self.written, "done with its last byte, not before");
        }
        assert!(self.mute.front().is_none_or(|next| next.end > self.written), "and not later");
    }

    /// The broker answers the next request that it has all of.
    fn answer(&mut self, choices: &mut Choices<'_>) {
        let body = choices.number() % 2_000;
        let Some(asked) = self.open.get(self.answered).filter(|asked| asked.end <= self.written) else { return };
        let (context, id, head) = (asked.context, asked.id, 4 + usize::from(asked.tagged));
        self.answered += 1;
        self.frame(Some(context), id, head, body);
    }

    /// An answer to nothing.
    fn say_nonsense(&mut self, choices: &mut Choices<'_>) {
        let (id, body) = (-1 - choices.number() as i32, choices.number() % 2_000);
        self.frame(None, id, 4, body);
    }

    fn frame(&mut self, answers: Option<u32>, id: i32, head: usize, body: usize) {
        let len = head + body;
        self.down.extend((len as u32).to_be_bytes());
        self.down.extend(id.to_be_bytes());
        self.down.extend(core::iter::repeat_n(0, head - 4));
        // Without tagged fields, if these are taken for such.
        self.down.extend((0..body).map(|at| at as u8));
        self.frames.push_back(Sent { answers, len, body });
    }

    /// So many bytes come, and what is whole then is handled; `room`: whether there is any for a large frame.
    fn receive(&mut self, most: usize, room: u8) {
        let down = &mut self.down;
        let Some(link) = &mut self.link else { return };
        let buffer = link.assembly.buffer();
        assert!(!buffer.is_empty(), "there is always room for more");
        let count = most.min(buffer.len()).min(down.len());
        for (to, from) in buffer.iter_mut().zip(down.drain(..count)) {
            *to = from;
        }
        link.assembly.received(count);
        while let Some(incoming) = self.next(room.is_multiple_of(2)) {
            if !self.handle(incoming) {
                self.end();
                return self.connect(0);
            }
        }
        self.link().assembly.compact();
    }

    fn next(&mut self, has_room: bool) -> Option<Incoming> {
        let (budget, len) = (Arc::clone(&self.budget), self.frames.front().map(|frame| frame.len));
        let link = self.link();
        if let Some(announced) = link.assembly.announced() {
            let len = len.expect("nothing comes that was not sent");
            assert_eq!(announced as usize, len);
            if !link.assembly.fits_stage(len) {
                let buffer = if has_room { budget.fetch_buf(Class::Fetch, len) } else { None };
                link.assembly.begin(len, buffer.map_or(Room::None, Room::Buffer));
            }
        }
        link.assembly.next()
    }

    /// Whether the link goes on.
    fn handle(&mut self, incoming: Incoming) -> bool {
        let frame = self.frames.pop_front().expect("it was sent");
        match incoming {
            Incoming::Leased(buffer) => self.meet(&frame, buffer.as_ref(), frame.body),
            Incoming::Staged { start, end } | Incoming::Refused { start, end, .. } => {
                let stage = self.link().assembly.lend();
                let bytes = &stage[start..end];
                let goes_on = self.meet(&frame, bytes, bytes.len() - (frame.len - frame.body));
                if goes_on {
                    self.link().assembly.give_back(stage);
                }
                goes_on
            }
        }
    }

    fn meet(&mut self, frame: &Sent, bytes: &[u8], body: usize) -> bool {
        match (self.link().answered(bytes), frame.answers) {
            (Ok((pending, reader)), Some(context)) => {
                assert_eq!(pending.context, context, "an answer meets its request");
                let asked = self.open.pop_front().expect("it was asked");
                assert_eq!(asked.context, context, "in the order of the requests");
                assert!((0..body).eq(reader.rest().iter().enumerate().map(|(at, byte)| {
                    assert_eq!(*byte, at as u8);
                    at
                })));
                self.answered -= 1;
                true
            }
            (Err(_), None) => false,
            (Ok(_), None) => panic!("nonsense was taken for an answer"),
            (Err(fault), Some(_)) => panic!("an answer was taken for nonsense: {fault}"),
        }
    }

    fn pause(&mut self, span: Duration) {
        let now = self.now;
        self.link().pause(now, span);
        self.muted_until = now.after(span);
        for asked in self.open.iter_mut().chain(&mut self.mute) {
            asked.deadline = asked.deadline.after(span);
        }
    }

    fn check(&mut self) {
        let (now, muted_until) = (self.now, self.muted_until);
        let first = |asked: &VecDeque<Asked>| asked.front().map_or(Instant::FAR, |asked| asked.deadline);
        let answer = first(&self.open).min(first(&self.mute));
        let (ready_by, open) = (self.ready_by, self.open.len() + self.mute.len());
        let contexts: Vec<u32> = self.open.iter().map(|asked| asked.context).collect();
        let has_output = self.written < self.up.len();
        let link = self.link();
        let is_ready = link.state == State::Ready;
        assert_eq!(link.deadline(), if is_ready { answer } else { answer.min(ready_by) });
        assert_eq!(link.is_ready(now), is_ready && muted_until <= now);
        assert_eq!(link.open_requests(), open);
        assert!(open <= IN_FLIGHT_MAX);
        assert!(link.open().copied().eq(contexts));
        assert_eq!(link.has_output(), has_output);
    }

    /// The connection ends: everybody is told, and all memory comes back.
    fn end(&mut self) {
        let told = self.link.take().expect("there always is one").end();
        let told = told.map(|Unanswered { context, sent }| (context, sent));
        let written = self.written;
        let expected =
            self.open.drain(..).chain(self.mute.drain(..)).map(|asked| (asked.context, asked.end <= written));
        assert!(told.eq(expected), "who is told, and whether the broker may have acted on it");
        for class in [Class::Control, Class::Produce, Class::Fetch] {
            assert_eq!(self.budget.leased(class), 0, "{class} memory comes back");
        }
    }
}
