//! Batches form while the storage is busy, and nobody who waits is forgotten.

use std::sync::Mutex;
use std::time::Duration;

use super::*;

const SAVE: Duration = Duration::from_secs(1);

/// A save that takes a second, remembers its batches, and refuses odd numbers.
#[derive(Debug, Default)]
struct Slow {
    batches: Mutex<Vec<Vec<u32>>>,
}

impl Slow {
    async fn save(&self, batch: Vec<u32>) -> Vec<Result<()>> {
        self.batches.lock().unwrap().push(batch.clone());
        tokio::time::sleep(SAVE).await;
        let one = |item| {
            if item % 2 == 0 { Ok(()) } else { Err(Error::new(ErrorKind::Invalid, format!("{item}"))) }
        };
        batch.into_iter().map(one).collect()
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.batches.lock().unwrap().clone()
    }
}

type Task = tokio::task::JoinHandle<Result<()>>;

struct Desk {
    gather: Arc<Gather<u32>>,
    slow: Arc<Slow>,
}

impl Desk {
    fn new(slots: usize, max_items: usize) -> Self {
        let gather = Gather::new(slots, max_items, 1000, |item| *item as usize);
        Self { gather: Arc::new(gather), slow: Arc::default() }
    }

    /// Starts a save of each and lets all get to where they wait.
    async fn arrive(&self, items: impl IntoIterator<Item = u32>) -> Vec<Task> {
        let start = |item| {
            let (gather, slow) = (Arc::clone(&self.gather), Arc::clone(&self.slow));
            tokio::spawn(async move { gather.join(&item, |batch| slow.save(batch)).await })
        };
        let tasks = items.into_iter().map(start).collect();
        tokio::time::sleep(Duration::from_millis(1)).await;
        tasks
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_go_at_once_and_what_arrives_meanwhile_goes_together() {
    let desk = Desk::new(2, 100);
    desk.arrive([2]).await;
    desk.arrive([4]).await;
    for task in desk.arrive([6, 8, 10]).await {
        task.await.unwrap().unwrap();
    }
    assert_eq!(desk.slow.batches(), [vec![2], vec![4], vec![6, 8, 10]]);
}

#[tokio::test(start_paused = true)]
async fn each_gets_its_own_result() {
    let desk = Desk::new(1, 100);
    let results = futures::future::join_all(desk.arrive(0..6).await).await;
    for (item, result) in results.into_iter().enumerate() {
        let refused = result.unwrap().err().map(|error| error.to_string());
        assert_eq!(refused, (item % 2 == 1).then(|| item.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_closed_by_its_number_and_by_its_weight() {
    let desk = Desk::new(1, 3);
    for task in desk.arrive([2, 4, 6, 8, 10, 600, 500, 2000, 12]).await {
        task.await.unwrap().unwrap();
    }
    let expected = [vec![2], vec![4, 6, 8], vec![10, 600], vec![500], vec![2000], vec![12]];
    assert_eq!(desk.slow.batches(), expected);
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_is_dropped_the_others_of_its_batch_begin_again() {
    let desk = Desk::new(1, 100);
    let first = desk.arrive([2]).await;
    let others = desk.arrive([4, 6, 8]).await;
    tokio::time::sleep(SAVE).await;
    assert_eq!(desk.slow.batches().last(), Some(&vec![4, 6, 8]));

    others[0].abort();

    let results = futures::future::join_all(others).await;
    assert!(results[0].as_ref().unwrap_err().is_cancelled());
    assert!(results[1..].iter().all(|result| result.as_ref().unwrap().is_ok()));
    assert_eq!(desk.slow.batches()[2..].concat(), [6, 8]);
    first.into_iter().next().unwrap().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_who_is_dropped_while_waiting_is_not_saved_and_holds_nobody_up() {
    let desk = Desk::new(1, 100);
    let tasks = desk.arrive([2, 4, 6, 8]).await;
    tasks[1].abort();
    tokio::time::sleep(2 * SAVE).await;
    assert_eq!(desk.slow.batches(), [vec![2], vec![6, 8]]);
}

#[tokio::test(start_paused = true)]
async fn the_lead_passed_to_one_who_is_dropped_goes_to_the_next() {
    let gather: Gather<u32> = Gather::new(1, 100, 1000, |_| 1);
    let slot = gather.enter(&1).unwrap();
    let second = gather.enter(&2).unwrap_err();
    let third = gather.enter(&3).unwrap_err();
    drop(slot);
    // The second holds the lead without having looked at it.
    drop(second);
    assert!(matches!(third.await, Ok(Turn::Lead(_))));
    assert!(gather.enter(&4).is_ok(), "the slot is free again");
}

#[tokio::test(start_paused = true)]
async fn a_save_that_answers_too_few_results_fails_the_rest() {
    let gather: Gather<u32> = Gather::new(1, 100, 1000, |_| 1);
    let error = gather.join(&1, |_| async { Vec::new() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}
