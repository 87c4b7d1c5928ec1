//! Cases about [`Queue::claim`](conserver_core::queue::Queue::claim): how lists and rooms are shared.

use conserver_core::QueueName;
use conserver_core::queue::{ClaimRequest, Lane, ListShare};

use super::*;

fn share(list: &str, weight: u32, room: usize) -> ListShare {
    ListShare { list: QueueName::new(list), weight, room }
}

async fn fill(queue: &Arc<dyn Queue>, list: &str, count: usize) {
    let ids: Vec<String> = (0..count).map(|n| format!("{list}-{n}")).collect();
    push(queue, list, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// How many ids a claim brings from each list, by rooms.
async fn counts(
    queue: &Arc<dyn Queue>,
    worker: &WorkerId,
    lists: &[ListShare],
    rooms: &[usize],
) -> Vec<usize> {
    let request = ClaimRequest { rooms, lists, lane: Lane::Main };
    let claimed = claim_as(queue, worker, &request).await;
    let count =
        |list: &ListShare| claimed.leases.iter().filter(|lease| lease.entry.list == list.list).count();
    let counts = lists.iter().map(count).collect();
    finish_all(queue, worker, claimed.leases).await;
    counts
}

/// See [`CASES`](super::CASES).
pub async fn every_list_gets_its_share(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let lists = [share("a", 3, 0), share("b", 1, 0), share("{c} d", 1, 0), share("empty", 5, 0)];
    for list in ["a", "b", "{c} d"] {
        fill(&queue, list, 40).await;
    }
    // 3, 1, 1 and 5 of ten; what the empty one leaves goes to the first.
    assert_eq!(counts(&queue, &worker, &lists, &[10]).await, [8, 1, 1, 0]);
    assert_eq!(counts(&queue, &worker, &lists[..3], &[10]).await, [6, 2, 2]);
    let request = ClaimRequest { rooms: &[0], lists: &lists, lane: Lane::Main };
    let claimed = claim_as(&queue, &worker, &request).await;
    assert_eq!(claimed.lengths, [26, 37, 37, 0]);
}

/// See [`CASES`](super::CASES).
pub async fn no_room_is_overfilled(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let lists = [share("a", 1, 0), share("b", 1, 0), share("c", 1, 1), share("d", 1, 2)];
    for list in ["a", "b", "c", "d"] {
        fill(&queue, list, 40).await;
    }
    for _ in 0..3 {
        let counts = counts(&queue, &worker, &lists, &[3, 20, 0]).await;
        assert_eq!((counts[0] + counts[1], counts[2], counts[3]), (3, 20, 0), "{counts:?}");
        fill(&queue, "c", 20).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn lists_of_no_weight_are_served_in_strict_order(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    for list in ["a", "b", "c"] {
        fill(&queue, list, 5).await;
    }
    let strict = [share("a", 0, 0), share("b", 0, 0), share("c", 0, 0)];
    assert_eq!(counts(&queue, &worker, &strict, &[4]).await, [4, 0, 0]);
    assert_eq!(counts(&queue, &worker, &strict, &[4]).await, [1, 3, 0]);
    let last = [share("b", 0, 0), share("c", 1, 0)];
    assert_eq!(counts(&queue, &worker, &last, &[4]).await, [0, 4]);
    assert_eq!(counts(&queue, &worker, &last, &[4]).await, [2, 1]);
}
