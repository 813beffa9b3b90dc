//! How often which duration was seen, in buckets that grow with it: bounded memory, and an error of 4 % at most.

/// How many buckets each doubling has: a power of two.
const STEPS: u64 = 32;

/// The bits of [`STEPS`].
const BITS: u32 = STEPS.trailing_zeros();

/// How many buckets there are: one for each number below twice the steps, and the steps of each doubling above.
const BUCKETS: usize = (64 - BITS as usize + 1) * STEPS as usize;

/// Counts of microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Nothing where nothing was counted.
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

/// The bucket of a number.
fn bucket(number: u64) -> usize {
    let doublings = number.max(1).ilog2().saturating_sub(BITS);
    // Between the steps and twice as many, since the highest bit is always among them.
    let step = number >> doublings;
    usize::try_from(u64::from(doublings) * STEPS + step).unwrap_or(BUCKETS - 1)
}

/// The largest number of a bucket.
fn largest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doublings = bucket / STEPS - 1;
    let step = bucket - doublings * STEPS;
    // All bits below the step's are set, and the last bucket's are all that there are.
    u64::try_from(((u128::from(step) + 1) << doublings) - 1).unwrap_or(u64::MAX)
}

impl Histogram {
    pub(super) fn add(&mut self, number: u64) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        if let Some(count) = self.buckets.get_mut(bucket(number)) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(number);
    }

    /// Adds what another one counted.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// What so many hundredths of the numbers do not exceed; 0 where there are none.
    pub(super) fn at(&self, hundredths: u64) -> u64 {
        let wanted = (u128::from(self.count) * u128::from(hundredths)).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count);
            if *count > 0 && seen >= wanted {
                return largest(bucket).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_a_bucket_that_ends_at_most_four_percent_above_it() {
        let mut numbers: Vec<u64> = (0..5_000).chain([u64::MAX, u64::MAX - 1]).collect();
        for power in 6..64 {
            numbers.extend([(1 << power) - 1, 1 << power, (1 << power) + 1, 3 << (power - 2)]);
        }
        for number in numbers {
            let end = largest(bucket(number));
            assert!(bucket(number) < BUCKETS, "{number}");
            assert!(end >= number && u128::from(end - number) * 25 <= u128::from(number), "{number} {end}");
            assert_eq!(bucket(end), bucket(number), "{number}");
            assert!(end == u64::MAX || bucket(end + 1) == bucket(number) + 1, "{number}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_numbers() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.at(50), histogram.count(), histogram.max()), (0, 0, 0));
        let mut sorted: Vec<u64> = (0..10_000_u64).map(|number| (number * 7919) % 10_007 * number % 100_003).collect();
        sorted.iter().for_each(|number| histogram.add(*number));
        sorted.sort_unstable();
        for hundredths in [1, 50, 95, 99, 100] {
            let place = usize::try_from(hundredths * 100 - 1).unwrap_or_default();
            let exact = sorted.get(place).copied().unwrap_or_default();
            let told = histogram.at(hundredths);
            assert!(told >= exact && (told - exact) * 25 <= exact, "{hundredths}: {told} {exact}");
        }
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!((twice.at(95), twice.count(), twice.max()), (histogram.at(95), 20_000, histogram.max()));
    }

    #[test]
    fn one_slow_operation_of_a_hundred_is_seen_by_the_last_percentile_alone() {
        let mut histogram = Histogram::default();
        (0..99).for_each(|_| histogram.add(10));
        histogram.add(1_000_000);
        assert_eq!([50, 95, 99, 100].map(|at| histogram.at(at)), [10, 10, 10, 1_000_000]);
    }
}
