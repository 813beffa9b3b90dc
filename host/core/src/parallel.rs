//! Several pieces of work at once, with a bound, and their outcomes in the order in which the work was given.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Poll;

/// How many calls of plugins a command has under way at once: as many as the broker has requests of one provider.
pub const AT_ONCE: usize = 8;

/// Work that has begun.
enum Slot<F: Future> {
    Running(Pin<Box<F>>),
    Ended(F::Output),
}

/// Does at most `at_once` pieces of work at a time, and hands each outcome to `each`, in the order of the work.
///
/// An outcome that waits for an earlier one takes up a place, so no more than `at_once` of them are ever kept.
pub async fn in_order<F: Future>(at_once: usize, work: impl IntoIterator<Item = F>, mut each: impl FnMut(F::Output)) {
    let mut work = work.into_iter().fuse();
    let mut slots: VecDeque<Slot<F>> = VecDeque::new();
    std::future::poll_fn(|context| {
        loop {
            let free = at_once.max(1).saturating_sub(slots.len());
            slots.extend(work.by_ref().take(free).map(|begun| Slot::Running(Box::pin(begun))));
            if slots.is_empty() {
                return Poll::Ready(());
            }
            for slot in &mut slots {
                if let Slot::Running(running) = slot
                    && let Poll::Ready(outcome) = running.as_mut().poll(context)
                {
                    *slot = Slot::Ended(outcome);
                }
            }
            if matches!(slots.front(), Some(Slot::Running(_))) {
                return Poll::Pending;
            }
            while let Some(slot) = slots.pop_front() {
                match slot {
                    Slot::Ended(outcome) => each(outcome),
                    running @ Slot::Running(_) => {
                        slots.push_front(running);
                        break;
                    }
                }
            }
        }
    })
    .await;
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
    async fn no_work_is_done_at_once() {
        in_order(4, std::iter::empty::<std::future::Ready<()>>(), |()| unreachable!("there is none")).await;
    }
}
