//! Several pieces of work at once, with a bound.

use std::future::ready;

use futures_util::StreamExt as _;
use futures_util::stream::iter;

/// How many calls of plugins a command has under way at once: as many as the broker has requests of one provider.
pub const AT_ONCE: usize = 8;

/// Does at most `at_once` pieces of work at a time, and hands each outcome to `each`, in the order of the work.
///
/// An outcome that waits for an earlier one takes up a place, so no more than `at_once` of them are ever kept. Work that waits
/// is looked at when it is woken, and not whenever other work is.
pub async fn in_order<F: Future>(at_once: usize, work: impl IntoIterator<Item = F>, mut each: impl FnMut(F::Output)) {
    let taken = |outcome| {
        each(outcome);
        ready(())
    };
    iter(work).buffered(at_once.max(1)).for_each(taken).await;
}

/// The same for outcomes that are wanted as soon as they are there: none takes up a place while it waits for an earlier one.
pub async fn as_they_end<F: Future>(
    at_once: usize,
    work: impl IntoIterator<Item = F>,
    mut each: impl FnMut(F::Output),
) {
    let taken = |outcome| {
        each(outcome);
        ready(())
    };
    iter(work).buffer_unordered(at_once.max(1)).for_each(taken).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Work that is looked at so many times until it ends, and that counts how much of it runs at once.
    async fn looked_at(times: usize, running: &Cell<(usize, usize)>) -> usize {
        let (now, most) = running.get();
        running.set((now + 1, most.max(now + 1)));
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
        let (now, most) = running.get();
        running.set((now - 1, most));
        times
    }

    #[tokio::test]
    async fn outcomes_stand_in_the_order_of_the_work_and_no_more_than_the_bound_runs_at_once() {
        for at_once in [0, 1, 3, 8, 100] {
            let running = Cell::new((0, 0));
            let times: Vec<usize> = (0..40).map(|number| 1 + number * 7 % 11).collect();
            let mut outcomes = Vec::new();
            in_order(at_once, times.iter().map(|times| looked_at(*times, &running)), |outcome| outcomes.push(outcome))
                .await;
            assert_eq!(outcomes, times);
            assert_eq!(running.get(), (0, at_once.clamp(1, times.len())));
        }
    }

    #[tokio::test]
    async fn no_outcome_keeps_a_place_while_it_waits_for_an_earlier_one() {
        for at_once in [0, 1, 3, 8, 100] {
            let running = Cell::new((0, 0));
            // The first takes longer than all others together.
            let times: Vec<usize> = std::iter::once(1_000).chain(1..40).collect();
            let mut outcomes = Vec::new();
            as_they_end(at_once, times.iter().map(|times| looked_at(*times, &running)), |outcome| {
                outcomes.push(outcome)
            })
            .await;
            assert_eq!(running.get(), (0, at_once.clamp(1, times.len())));
            let place = outcomes.iter().position(|times| *times == 1_000);
            assert_eq!(place, Some(if at_once > 1 { times.len() - 1 } else { 0 }));
            outcomes.sort_unstable();
            assert_eq!(outcomes, (1..40).chain(std::iter::once(1_000)).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn work_that_waits_is_left_alone_until_it_is_woken() {
        let looked = Cell::new(0);
        let work = |times: usize| {
            let looked = &looked;
            async move {
                if times > 0 {
                    return looked_at(times, &Cell::default()).await;
                }
                let mut ends = std::pin::pin!(tokio::time::sleep(std::time::Duration::from_millis(50)));
                std::future::poll_fn(|context| {
                    looked.set(looked.get() + 1);
                    ends.as_mut().poll(context)
                })
                .await;
                0
            }
        };
        in_order(2, [0, 30, 30, 30].map(work), |_| {}).await;
        assert!(looked.get() <= 3, "looked at {} times", looked.get());
    }

    #[tokio::test]
    async fn no_work_is_done_at_once() {
        in_order(4, std::iter::empty::<std::future::Ready<()>>(), |()| unreachable!("there is none")).await;
    }
}
