//! Who sits in which room, and which message has which number: arithmetic, so that no table has to be kept. Pure.

/// The seating plan: client 0 sits in room 0, client 1 in room 1, and round again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rooms {
    clients: usize,
    len: usize,
}

impl Rooms {
    /// As many rooms of `room_size` as `clients` fill; who is left over joins the first ones.
    pub(crate) fn new(clients: usize, room_size: usize) -> Self {
        Self {
            clients,
            len: (clients / room_size.max(1)).max(1),
        }
    }

    /// Number of rooms.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Number of clients.
    pub(crate) fn clients(&self) -> usize {
        self.clients
    }

    /// The client's room.
    pub(crate) fn room_of(&self, client: usize) -> usize {
        client % self.len
    }

    /// The client's seat in its room.
    pub(crate) fn seat_of(&self, client: usize) -> usize {
        client / self.len
    }

    /// The sender's number, from 1, of the message with this index in the schedule: all clients send in turn.
    pub(crate) fn number_of(&self, index: usize) -> u32 {
        u32::try_from(index / self.clients + 1).unwrap_or(u32::MAX)
    }

    /// The index in the schedule of a sender's message.
    pub(crate) fn index_of(&self, sender: usize, number: u32) -> usize {
        let earlier = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        earlier.saturating_mul(self.clients).saturating_add(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: nobody sits alone, every room has at least the size asked for, and no seat is taken twice.
    #[test]
    fn rooms_are_full() {
        for (clients, room_size, len) in
            [(10, 5, 2), (11, 5, 2), (9, 5, 1), (2, 2, 1), (100, 3, 33)]
        {
            let rooms = Rooms::new(clients, room_size);
            let seats_max = clients.div_ceil(len);
            assert_eq!(rooms.len(), len, "{clients} in rooms of {room_size}");
            let mut seats = std::collections::HashSet::new();
            let mut sizes = vec![0; len];
            for client in 0..clients {
                assert!(seats.insert((rooms.room_of(client), rooms.seat_of(client))));
                assert!(rooms.seat_of(client) < seats_max);
                sizes[rooms.room_of(client)] += 1;
            }
            assert!(
                sizes
                    .iter()
                    .all(|size| (room_size.min(clients)..=seats_max).contains(size))
            );
        }
    }

    /// Goal: index and number lead to each other; a hostile number does not overflow.
    #[test]
    fn numbers_and_indexes_agree() {
        let rooms = Rooms::new(7, 3);
        for index in 0..100 {
            assert_eq!(rooms.index_of(index % 7, rooms.number_of(index)), index);
        }
        assert_eq!(rooms.index_of(3, 0), 3);
        assert!(rooms.index_of(6, u32::MAX) > 1_000_000);
    }
}
