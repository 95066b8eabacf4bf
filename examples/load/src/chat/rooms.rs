//! Who sits in which room. Pure.

/// Fewest members of a room: somebody must hear what is said.
pub(crate) const ROOM_SIZE_MIN: usize = 2;

/// The seating plan of one process's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rooms {
    clients: usize,
    seating: Seating,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seating {
    /// Client 0 sits in room 0, client 1 in room 1, and round again: arithmetic, so that no table has to be kept, and the last
    /// clients, which may have a role of their own, are spread over all rooms.
    Round { rooms: usize },
    /// Room after room; the number of each room's first client.
    Blocks { starts: Vec<usize> },
}

impl Rooms {
    /// As many rooms of `room_size` as `clients` fill; who is left over joins the first ones.
    pub(crate) fn equal(clients: usize, room_size: usize) -> Self {
        let rooms = (clients / room_size.max(1)).max(1);
        Self {
            clients,
            seating: Seating::Round { rooms },
        }
    }

    /// About as many rooms as equal ones of `room_size` would be, but of sizes by Zipf's law: the second is half as large as
    /// the first, the third a third, as the channels of real chats are. Nobody sits alone.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share of the clients is no more than the clients"
    )]
    pub(crate) fn zipf(clients: usize, room_size: usize) -> Self {
        let rooms = (clients / room_size.max(1)).max(1);
        let weights: f64 = (1..=rooms).map(|rank| 1.0 / rank as f64).sum();
        let mut starts = vec![0];
        let mut next = 0;
        for rank in 1..rooms {
            let share = clients as f64 / weights / rank as f64;
            next += (share.round() as usize).max(ROOM_SIZE_MIN);
            // The last room takes the rest, so one that would leave it too small is not opened.
            if next + ROOM_SIZE_MIN > clients {
                break;
            }
            starts.push(next);
        }
        Self {
            clients,
            seating: Seating::Blocks { starts },
        }
    }

    /// Number of rooms.
    pub(crate) fn len(&self) -> usize {
        match &self.seating {
            Seating::Round { rooms } => *rooms,
            Seating::Blocks { starts } => starts.len(),
        }
    }

    /// Number of clients.
    pub(crate) fn clients(&self) -> usize {
        self.clients
    }

    /// The client's room.
    pub(crate) fn room_of(&self, client: usize) -> usize {
        match &self.seating {
            Seating::Round { rooms } => client % rooms,
            Seating::Blocks { starts } => starts.partition_point(|start| *start <= client) - 1,
        }
    }

    /// The client's seat in its room.
    pub(crate) fn seat_of(&self, client: usize) -> usize {
        match &self.seating {
            Seating::Round { rooms } => client / rooms,
            Seating::Blocks { starts } => client - starts[self.room_of(client)],
        }
    }

    /// Members of the largest room.
    pub(crate) fn largest(&self) -> usize {
        match &self.seating {
            Seating::Round { rooms } => self.clients.div_ceil(*rooms),
            Seating::Blocks { .. } => self.sizes().max().unwrap_or(0),
        }
    }

    /// Pairs of a receiver and a sender in the same room.
    pub(crate) fn pairs(&self) -> usize {
        match &self.seating {
            Seating::Round { .. } => self.clients.saturating_mul(self.largest()),
            Seating::Blocks { .. } => self
                .sizes()
                .map(|size| size.saturating_mul(size))
                .fold(0, usize::saturating_add),
        }
    }

    fn sizes(&self) -> impl Iterator<Item = usize> {
        let starts = match &self.seating {
            Seating::Round { .. } => &[][..],
            Seating::Blocks { starts } => starts,
        };
        let ends = starts.iter().skip(1).chain(std::iter::once(&self.clients));
        starts.iter().zip(ends).map(|(start, end)| end - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes_of(rooms: &Rooms) -> Vec<usize> {
        let mut seats = std::collections::HashSet::new();
        let mut sizes = vec![0; rooms.len()];
        for client in 0..rooms.clients() {
            let (room, seat) = (rooms.room_of(client), rooms.seat_of(client));
            assert!(seats.insert((room, seat)), "{client} has somebody's seat");
            assert!(seat < rooms.largest());
            sizes[room] += 1;
        }
        assert_eq!(sizes.iter().max(), Some(&rooms.largest()));
        sizes
    }

    /// Goal: nobody sits alone, every room has at least the size asked for, and no seat is taken twice.
    #[test]
    fn equal_rooms_are_full() {
        for (clients, room_size, len) in
            [(10, 5, 2), (11, 5, 2), (9, 5, 1), (2, 2, 1), (100, 3, 33)]
        {
            let rooms = Rooms::equal(clients, room_size);
            assert_eq!(rooms.len(), len, "{clients} in rooms of {room_size}");
            let sizes = sizes_of(&rooms);
            assert!(sizes.iter().all(|size| *size >= room_size.min(clients)));
        }
    }

    /// Goal: one room is a giant, sizes fall by Zipf's law, and nobody sits alone however few there are.
    #[test]
    fn zipf_rooms_have_a_giant() {
        for (clients, room_size) in [(10_000, 50), (1000, 50), (100, 10), (7, 2), (3, 2), (2, 2)] {
            let rooms = Rooms::zipf(clients, room_size);
            let sizes = sizes_of(&rooms);
            assert_eq!(sizes.iter().sum::<usize>(), clients);
            assert!(sizes.iter().all(|size| *size >= ROOM_SIZE_MIN), "{sizes:?}");
            let squares: usize = sizes.iter().map(|size| size * size).sum();
            assert_eq!(rooms.pairs(), squares);
        }
        let sizes = sizes_of(&Rooms::zipf(10_000, 50));
        assert!((1600..1800).contains(&sizes[0]), "{}", sizes[0]);
        assert!((sizes[0] as f64 / sizes[1] as f64 - 2.0).abs() < 0.01);
        assert!((sizes[0] as f64 / sizes[9] as f64 - 10.0).abs() < 0.1);
    }
}
