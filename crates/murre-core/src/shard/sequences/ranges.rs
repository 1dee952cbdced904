//! A set of numbers as ranges, for numbers that mostly come in runs.

/// Ranges of one set. Past it the two lowest become one, with all that lies between them.
const RANGES_MAX: usize = 256;

/// A set of numbers. It never forgets one that was put in; when it gets too ragged it takes in others besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    /// First and last of each, in order; none touches the next.
    ranges: Vec<(u64, u64)>,
}

impl Ranges {
    /// Whether a number is in it.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.ranges.get(self.behind(number)).is_some_and(|(first, _)| *first <= number)
    }

    /// Puts a number in.
    pub(super) fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let at = self.behind(number);
        let touches_last = at > 0 && self.ranges.get(at - 1).is_some_and(|(_, last)| last + 1 == number);
        let touches_next = self.ranges.get(at).is_some_and(|(first, _)| number + 1 == *first);
        let first = if touches_last { self.ranges.remove(at - 1).0 } else { number };
        let at = at - usize::from(touches_last);
        let last = if touches_next { self.ranges.remove(at).1 } else { number };
        self.ranges.insert(at, (first, last));
        self.bound();
    }

    /// Takes a number out.
    pub(super) fn remove(&mut self, number: u64) {
        if !self.contains(number) {
            return;
        }
        let at = self.behind(number);
        let (first, last) = self.ranges.remove(at);
        if number < last {
            self.ranges.insert(at, (number + 1, last));
        }
        if first < number {
            self.ranges.insert(at, (first, number - 1));
        }
        self.bound();
    }

    /// First and last of each range, in order.
    pub(super) fn bounds(&self) -> impl Iterator<Item = u64> {
        self.ranges.iter().flat_map(|(first, last)| [*first, *last])
    }

    /// What [`Self::bounds`] gave; none where it can't have.
    pub(super) fn from_bounds(bounds: &[u64]) -> Option<Self> {
        let (pairs, []) = bounds.as_chunks::<2>() else { return None };
        let ranges: Vec<(u64, u64)> = pairs.iter().map(|[first, last]| (*first, *last)).collect();
        bounds.is_sorted().then_some(Self { ranges })
    }

    /// The place of the first range that ends at the number or behind it.
    fn behind(&self, number: u64) -> usize {
        self.ranges.partition_point(|(_, last)| *last < number)
    }

    fn bound(&mut self) {
        if self.ranges.len() > RANGES_MAX {
            let (first, _) = self.ranges.remove(0);
            if let Some(lowest) = self.ranges.first_mut() {
                lowest.0 = first;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((0u8..20, 0u64..60), 0..200),
        ) {
            let (mut set, mut model) = (Ranges::default(), BTreeSet::new());
            for (step, number) in steps {
                match step {
                    0..10 => {
                        set.insert(number);
                        model.insert(number);
                    }
                    _ => {
                        set.remove(number);
                        model.remove(&number);
                    }
                }
            }
            let found: BTreeSet<u64> = (0..70).filter(|number| set.contains(*number)).collect();
            prop_assert_eq!(&found, &model);
            let apart = set.ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0);
            prop_assert!(apart, "{:?}", set);
            let bounds: Vec<u64> = set.bounds().collect();
            prop_assert_eq!(Ranges::from_bounds(&bounds), Some(set));
        }
    }

    #[test]
    fn it_is_bounded_and_forgets_none() {
        let mut set = Ranges::default();
        let numbers = || (0..2000).map(|n| n * 2);
        numbers().for_each(|number| set.insert(number));
        assert!(set.ranges.len() <= RANGES_MAX && numbers().all(|number| set.contains(number)));
        set.remove(3998);
        assert!(!set.contains(3998) && set.contains(3996));
    }
}
