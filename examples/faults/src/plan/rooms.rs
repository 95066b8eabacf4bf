//! What acts on a message's way through a room.

use super::Plan;
use crate::point::Point;
use crate::{await_in_fanout, lock_across_await};

impl Plan {
    /// [`Point::RoomLookup`]: waits for a lock, and perhaps while holding it, if `lock-across-await` is on. Needs a runtime
    /// with timers.
    pub async fn room_lookup(&self, room: &str) {
        if self.is_armed(Point::RoomLookup) {
            Box::pin(self.room_lookup_armed(room)).await;
        }
    }

    /// [`Point::FanOut`]: blocks the calling thread if `giant-room` is on and due, and waits if `await-in-fanout` is. Needs
    /// a runtime with timers.
    pub async fn fan_out(&self) {
        if self.is_armed(Point::FanOut) {
            Box::pin(self.fan_out_armed()).await;
        }
    }

    async fn room_lookup_armed(&self, room: &str) {
        let fault = &lock_across_await::FAULT;
        if let Some(held) = self.effects.rooms.look_up(room, || self.claim(fault)).await {
            self.ended(fault, held);
        }
    }

    async fn fan_out_armed(&self) {
        self.block(Point::FanOut);
        let fault = &await_in_fanout::FAULT;
        if let Some(waited) = self.effects.member.send(|| self.claim(fault)).await {
            self.ended(fault, waited);
        }
    }
}
