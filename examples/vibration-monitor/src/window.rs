//! A second of samples in one figure.

use std::time::Duration;

use serde::Serialize;

use crate::model::Acceleration;

/// The reading on `machine/<id>/rms`: how strongly the machine shook in the last second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rms {
    /// Root mean square of the acceleration's magnitude, gravity left out, in g.
    pub rms_g: f32,
    /// The greatest magnitude, gravity left out, in g.
    pub peak_g: f32,
    /// Samples that the figures are made of.
    pub samples: u32,
    /// Samples that were due and not taken, since the device fell behind.
    pub skipped: u64,
}

/// Gathers samples and gives their [`Rms`] once a second.
///
/// Gravity is the mean of the window, so the figures don't depend on how the sensor is mounted.
#[derive(Debug, Clone, Default)]
pub struct Window {
    length: Duration,
    samples: Vec<[f64; 3]>,
    skipped: u64,
}

impl Window {
    /// How long a window is.
    pub const LENGTH: Duration = Duration::from_secs(1);

    /// Adds a sample, the time since the one before, and how many were left out between them; gives the figures when
    /// a second is full.
    pub fn add(&mut self, sample: Acceleration, elapsed: Duration, skipped: u64) -> Option<Rms> {
        self.length += elapsed;
        self.skipped += skipped;
        self.samples.push([sample.x, sample.y, sample.z].map(f64::from));
        // The beat closest to a full second ends it: periods like a third of a second don't add up exactly.
        if self.length + elapsed / 2 < Self::LENGTH {
            return None;
        }
        let rms = self.figures();
        // The room of the samples is kept; its bound is the rate.
        self.samples.clear();
        self.skipped = 0;
        self.length = Duration::ZERO;
        Some(rms)
    }

    fn figures(&self) -> Rms {
        let count = self.samples.len() as f64;
        let mean = [0, 1, 2].map(|axis| self.samples.iter().map(|sample| sample[axis]).sum::<f64>() / count);
        let (mut sum, mut peak) = (0.0, 0.0_f64);
        for sample in &self.samples {
            let square: f64 = sample.iter().zip(mean).map(|(value, mean)| (value - mean).powi(2)).sum();
            sum += square;
            peak = peak.max(square);
        }
        Rms {
            rms_g: (sum / count).sqrt() as f32,
            peak_g: peak.sqrt() as f32,
            samples: self.samples.len() as u32,
            skipped: self.skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second_of(samples: impl Iterator<Item = Acceleration>) -> Vec<Rms> {
        let mut window = Window::default();
        samples.filter_map(|sample| window.add(sample, Duration::from_millis(10), 0)).collect()
    }

    #[test]
    fn a_machine_at_rest_does_not_shake() {
        let rest = Acceleration { x: 0.0, y: 0.0, z: 1.0 };
        let rms = second_of(std::iter::repeat_n(rest, 100));
        assert_eq!(rms, [Rms { rms_g: 0.0, peak_g: 0.0, samples: 100, skipped: 0 }]);
    }

    #[test]
    fn a_square_wave_has_its_height_as_rms_and_peak() {
        let wave = (0..200).map(|n| Acceleration { x: 0.0, y: if n % 2 == 0 { 0.5 } else { -0.5 }, z: 1.0 });
        let rms = second_of(wave);
        assert_eq!(rms.len(), 2, "one each second");
        assert!((rms[1].rms_g - 0.5).abs() < 1e-6 && (rms[1].peak_g - 0.5).abs() < 1e-6, "{rms:?}");
    }

    #[test]
    fn three_samples_a_second_make_windows_of_three() {
        let mut window = Window::default();
        let third = Duration::from_secs_f64(1.0 / 3.0);
        let sample = Acceleration { x: 0.0, y: 0.0, z: 1.0 };
        let counts: Vec<u32> =
            (0..9).filter_map(|_| window.add(sample, third, 0)).map(|rms| rms.samples).collect();
        assert_eq!(counts, [3, 3, 3]);
    }

    #[test]
    fn skipped_samples_are_counted_and_their_time_counts() {
        let mut window = Window::default();
        let sample = Acceleration { x: 0.0, y: 0.0, z: 1.0 };
        assert_eq!(window.add(sample, Duration::from_millis(600), 59), None);
        let rms = window.add(sample, Duration::from_millis(400), 39).unwrap();
        assert_eq!((rms.samples, rms.skipped), (2, 98));
        // The next window starts anew.
        assert_eq!(window.add(sample, Window::LENGTH, 0).unwrap().skipped, 0);
    }
}
