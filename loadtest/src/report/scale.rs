//! From values to places on paper: an axis of equal steps that ends, one of decades, one of percentiles.

/// Where the values of an axis of equal steps are: 0 at `from`, `last` at `to`, and what is beyond stays at the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Linear {
    /// The place of 0.
    pub(super) from: f64,
    /// The place of `last`.
    pub(super) to: f64,
    /// The largest value that has a place of its own.
    pub(super) last: f64,
}

impl Linear {
    /// The place of a value.
    pub(super) fn place(&self, value: f64) -> f64 {
        self.from + (self.to - self.from) * (value.clamp(0.0, self.last) / self.last)
    }

    /// Whether a value is beyond the end.
    pub(super) fn is_beyond(&self, value: f64) -> bool {
        value > self.last
    }
}

/// An axis on which each factor is a distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Logarithmic {
    /// The place of `low`.
    pub(super) from: f64,
    /// The place of `high`.
    pub(super) to: f64,
    /// The smallest value, above 0.
    pub(super) low: f64,
    /// The largest value, above `low`.
    pub(super) high: f64,
}

impl Logarithmic {
    /// An axis that shows all these values, its ends at 1, 2 or 5 times a power of ten; none if there is no value above 0.
    pub(super) fn around(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Option<Logarithmic> {
        let usable = values.into_iter().filter(|value| value.is_finite() && *value > 0.0);
        let (least, most) =
            usable.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        if most <= 0.0 {
            return None;
        }
        let first = (least.log10().floor() as i32) - 1;
        let steps: Vec<f64> = (first..first + 40).flat_map(decade).collect();
        let low = steps.iter().rev().find(|step| **step <= least * (1.0 + 1e-9))?;
        let high = steps.iter().find(|step| **step >= most * (1.0 - 1e-9) && **step > *low)?;
        Some(Logarithmic { from, to, low: *low, high: *high })
    }

    /// The place of a value; what is beyond an end stays there.
    pub(super) fn place(&self, value: f64) -> f64 {
        let part = (value.clamp(self.low, self.high) / self.low).ln() / (self.high / self.low).ln();
        self.from + (self.to - self.from) * part
    }

    /// The values at which the axis has a line: 1, 2 and 5 times the powers of ten, or these powers alone where that
    /// would be more than eight.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let first = (self.low.log10().floor() as i32) - 1;
        let inside = |step: &f64| *step >= self.low * (1.0 - 1e-9) && *step <= self.high * (1.0 + 1e-9);
        let all: Vec<f64> = (first..first + 40).flat_map(decade).filter(inside).collect();
        if all.len() <= 8 { all } else { (first..first + 40).map(power).filter(inside).collect() }
    }
}

/// An axis of percentiles on which each further nine is the same distance: 90, 99, 99.9.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percentiles {
    /// The place of the first one.
    pub(super) from: f64,
    /// The place of the last one, and of the largest value, which has no percentile short of 100.
    pub(super) to: f64,
    /// The first one, below 100; what is less stays there.
    pub(super) first: f64,
    /// The last one, above the first and below 100.
    pub(super) last: f64,
}

impl Percentiles {
    /// The place of a percentile from 0 to 100.
    pub(super) fn place(&self, percentile: f64) -> f64 {
        let (first, last) = (nines(self.first), nines(self.last));
        let part = (nines(percentile.clamp(self.first, self.last)) - first) / (last - first);
        self.from + (self.to - self.from) * part
    }
}

/// 1 of 90, 2 of 99, and what is between them.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).log10()
}

fn decade(exponent: i32) -> [f64; 3] {
    [1.0, 2.0, 5.0].map(|step| step * power(exponent))
}

fn power(exponent: i32) -> f64 {
    10_f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_steps_and_an_end() {
        let axis = Linear { from: 100.0, to: 300.0, last: 2.5 };
        assert_eq!([0.0, 1.0, 2.5, 9.0].map(|v| axis.place(v)), [100.0, 180.0, 300.0, 300.0]);
        assert!(axis.is_beyond(2.51) && !axis.is_beyond(2.5));
    }

    #[test]
    fn an_axis_of_decades_begins_and_ends_at_round_values() {
        let axis = Logarithmic::around([0.3, 17.0, f64::NAN, 0.0], 200.0, 0.0).unwrap();
        assert!((axis.low - 0.2).abs() < 1e-9 && (axis.high - 20.0).abs() < 1e-9, "{axis:?}");
        assert!((axis.place(0.2) - 200.0).abs() < 1e-9 && axis.place(20.0).abs() < 1e-9);
        assert!((axis.place(2.0) - 100.0).abs() < 1e-9, "the middle of two decades");
        assert!((axis.place(0.01) - 200.0).abs() < 1e-9, "beyond the end");
        assert_eq!(axis.ticks().len(), 7, "0.2 0.5 1 2 5 10 20: {:?}", axis.ticks());
    }

    #[test]
    fn one_value_that_is_round_has_an_axis_too() {
        let axis = Logarithmic::around([1.0], 0.0, 1.0).unwrap();
        assert_eq!((axis.low, axis.high), (1.0, 2.0));
        assert_eq!(Logarithmic::around([], 0.0, 1.0), None);
        assert_eq!(Logarithmic::around([0.0], 0.0, 1.0), None);
    }

    #[test]
    fn many_decades_have_a_line_each() {
        let axis = Logarithmic::around([0.01, 100.0], 0.0, 1.0).unwrap();
        assert_eq!(axis.ticks().len(), 5, "{:?}", axis.ticks());
    }

    #[test]
    fn each_nine_is_as_far_as_the_one_before() {
        let axis = Percentiles { from: 0.0, to: 300.0, first: 0.0, last: 99.9 };
        let places = [0.0, 90.0, 99.0, 99.9, 100.0].map(|p| axis.place(p).round());
        assert_eq!(places, [0.0, 100.0, 200.0, 300.0, 300.0]);
        let axis = Percentiles { from: 10.0, to: 20.0, first: 50.0, last: 99.99 };
        assert_eq!([0.0, 50.0, 99.99, 100.0].map(|p| axis.place(p).round()), [10.0, 10.0, 20.0, 20.0]);
    }
}
