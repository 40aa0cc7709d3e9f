//! What the machine asks of a consumer's fetcher. It knows fetchers by this trait alone, so that only who builds a consumer
//! names the type: a program without consumers has nothing of them in it.

use alloc::vec::Vec;

use super::{FetchRoom, Fetcher, Fetching, OffsetsAsked, Refused};
use crate::{Instant, cluster::Cluster, link::LinkId, machine::Frame, sync::MaySend, wire::Reader};

/// See [`Fetcher`]'s methods of the same names.
pub(crate) trait Fetches: MaySend {
    /// Its number, which answers come back with.
    fn begin(&mut self, slot: usize);
    fn run(&mut self, now: Instant, cluster: &mut Cluster, room: &mut FetchRoom);
    fn starving(&self) -> usize;
    fn queued(&self) -> usize;
    fn streams(&self) -> usize;
    fn deadline(&self) -> Instant;
    fn is_done(&self) -> bool;
    fn under_way(&self) -> Vec<i32>;
    fn abandon(&mut self);
    fn on_offsets(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        asked: OffsetsAsked,
        body: Reader<'_>,
    );
    fn on_offsets_lost(&mut self, now: Instant, cluster: &mut Cluster, asked: OffsetsAsked);
    fn on_fetched(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        fetching: Fetching,
        frame: Frame<'_>,
    );
    fn on_fetch_refused(&mut self, cluster: &mut Cluster, fetching: Fetching, refused: Refused<'_>);
    fn on_fetch_lost(&mut self, now: Instant, cluster: &mut Cluster, fetching: Fetching);
}

impl Fetches for Fetcher {
    fn begin(&mut self, slot: usize) {
        Fetcher::begin(self, slot);
    }

    fn run(&mut self, now: Instant, cluster: &mut Cluster, room: &mut FetchRoom) {
        Fetcher::run(self, now, cluster, room);
    }

    fn starving(&self) -> usize {
        Fetcher::starving(self)
    }

    fn queued(&self) -> usize {
        Fetcher::queued(self)
    }

    fn streams(&self) -> usize {
        Fetcher::streams(self)
    }

    fn deadline(&self) -> Instant {
        Fetcher::deadline(self)
    }

    fn is_done(&self) -> bool {
        Fetcher::is_done(self)
    }

    fn under_way(&self) -> Vec<i32> {
        Fetcher::under_way(self).collect()
    }

    fn abandon(&mut self) {
        Fetcher::abandon(self);
    }

    fn on_offsets(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        asked: OffsetsAsked,
        body: Reader<'_>,
    ) {
        Fetcher::on_offsets(self, now, cluster, link, version, asked, body);
    }

    fn on_offsets_lost(&mut self, now: Instant, cluster: &mut Cluster, asked: OffsetsAsked) {
        Fetcher::on_offsets_lost(self, now, cluster, asked);
    }

    fn on_fetched(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        link: LinkId,
        version: i16,
        fetching: Fetching,
        frame: Frame<'_>,
    ) {
        Fetcher::on_fetched(self, now, cluster, link, version, fetching, frame);
    }

    fn on_fetch_refused(&mut self, cluster: &mut Cluster, fetching: Fetching, refused: Refused<'_>) {
        Fetcher::on_fetch_refused(self, cluster, fetching, refused);
    }

    fn on_fetch_lost(&mut self, now: Instant, cluster: &mut Cluster, fetching: Fetching) {
        Fetcher::on_fetch_lost(self, now, cluster, fetching);
    }
}
