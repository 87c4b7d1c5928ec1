//! How the room of a claim is shared out among lists: no I/O.

use conserver_core::queue::ListShare;

/// What a list has to give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Supply {
    pub(crate) waiting: usize,
    pub(crate) paused: bool,
}

/// Room that is left: in all, and of each chain.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) left: usize,
    pub(crate) rooms: Vec<usize>,
}

impl Room {
    /// How many retries each room may take: at most half while its lists have ids, so that a storm of them cannot starve
    /// what is new. Half of an odd number is rounded by `odd`: both get their turn where there is one place only.
    pub(crate) fn retries(&self, lists: &[ListShare], supplies: &[Supply], odd: usize) -> Vec<usize> {
        let mut fresh = vec![0_usize; self.rooms.len()];
        for (share, supply) in lists.iter().zip(supplies).filter(|(_, supply)| !supply.paused) {
            fresh[share.room] = fresh[share.room].saturating_add(supply.waiting);
        }
        let most = |(room, fresh): (&usize, usize)| ((room + odd) / 2).max(room.saturating_sub(fresh));
        self.rooms.iter().zip(fresh).map(most).collect()
    }

    /// How many new ids each list gives: its quota first, what is left to the lists in order.
    pub(crate) fn share_out(&mut self, lists: &[ListShare], supplies: &[Supply], room: usize) -> Vec<usize> {
        let mut wanted = vec![0; lists.len()];
        let quotas: Vec<usize> = ListShare::quotas(lists, room).collect();
        for most in [Some(quotas), None] {
            for (n, (share, supply)) in lists.iter().zip(supplies).enumerate() {
                if supply.paused {
                    continue;
                }
                let quota = most.as_ref().map_or(usize::MAX, |quotas| quotas[n]);
                let more = quota.min(supply.waiting - wanted[n]).min(self.left).min(self.rooms[share.room]);
                wanted[n] += more;
                self.left -= more;
                self.rooms[share.room] -= more;
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(weight: u32, room: usize) -> ListShare {
        ListShare { list: "a".into(), weight, room }
    }

    fn supply(waiting: usize) -> Supply {
        Supply { waiting, paused: false }
    }

    #[test]
    fn what_a_list_lacks_goes_to_the_first_that_has_more() {
        let lists = [share(3, 0), share(1, 0), share(1, 0), share(5, 0)];
        let mut room = Room { left: 10, rooms: vec![10] };
        assert_eq!(
            room.share_out(&lists, &[supply(40), supply(40), supply(40), supply(0)], 10),
            [8, 1, 1, 0]
        );
        assert_eq!((room.left, room.rooms), (0, vec![0]));
    }

    #[test]
    fn a_room_is_never_overfilled_and_a_paused_list_gives_nothing() {
        let lists = [share(1, 0), share(1, 0), share(1, 1)];
        let paused = Supply { waiting: 9, paused: true };
        let mut room = Room { left: 20, rooms: vec![3, 20] };
        assert_eq!(room.share_out(&lists, &[supply(9), paused, supply(9)], 23), [3, 0, 9]);
    }

    #[test]
    fn retries_take_half_while_there_is_anything_new() {
        let lists = [share(1, 0)];
        let room = Room { left: 5, rooms: vec![5] };
        assert_eq!(room.retries(&lists, &[supply(9)], 0), [2]);
        assert_eq!(room.retries(&lists, &[supply(9)], 1), [3]);
        assert_eq!(room.retries(&lists, &[supply(1)], 0), [4]);
        assert_eq!(room.retries(&lists, &[supply(0)], 0), [5]);
    }
}
