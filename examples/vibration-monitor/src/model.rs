//! The vibration of one rotating machine, as a three-axis accelerometer on its housing reads it.
//!
//! Pure: the seed and the time step are arguments, so the same seed and steps give the same samples. A machine hums
//! at the speed of its shaft and twice that; now and then a burst (something strikes the housing) rings and dies
//! away. The sensor is mounted upright: at rest it reads 1 g on `z`.

use std::{f64::consts::TAU, time::Duration};

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// What the sensor can read on each axis: from minus this to plus this, in g.
pub const RANGE_G: f64 = 4.0;

/// Mean time from a burst's end to the next one's start.
const BURST_EVERY_SECONDS: f64 = 8.0;
/// The housing's own frequency, below half the sample rate of 100 Hz.
const RING_HERTZ: f64 = 37.0;

/// The reading on `machine/<id>/vibration`: acceleration in g (9.80665 m/s²), within ±[`RANGE_G`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Acceleration {
    /// Along the shaft.
    pub x: f32,
    /// Across the shaft, level.
    pub y: f32,
    /// Upwards.
    pub z: f32,
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Machine {
    id: String,
    rng: Rng,
    shaft_hertz: f64,
    hum_g: f64,
    /// Part of the shaft's turn, 0 to below 1.
    turn: f64,
    burst: Burst,
}

#[derive(Debug, Clone, Copy)]
enum Burst {
    /// Starts when this many seconds have passed.
    Waiting {
        seconds: f64,
    },
    Ringing {
        seconds: f64,
        height_g: f64,
        decay_seconds: f64,
    },
}

impl Machine {
    /// The machine number `index`, counted from 0, of the simulation with `seed`.
    pub fn new(seed: u64, index: usize) -> Self {
        // The odd constant (2^64 over the golden ratio) spreads neighbouring numbers over all 64 bits.
        let mut rng = Rng::with_seed(seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self {
            id: format!("m{:02}", index + 1),
            // Four-pole motors on 50 Hz turn a little below 25 Hz.
            shaft_hertz: between(&mut rng, 23.8, 24.8),
            hum_g: between(&mut rng, 0.02, 0.08),
            turn: rng.f64(),
            burst: wait(&mut rng),
            rng,
        }
    }

    /// The machine's id: a topic level.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lets `elapsed` pass and reads the sensor.
    pub fn sample(&mut self, elapsed: Duration) -> Acceleration {
        let seconds = elapsed.as_secs_f64();
        self.turn = (self.turn + seconds * self.shaft_hertz).rem_euclid(1.0);
        let shaft = (TAU * self.turn).sin();
        let quarter_later = (TAU * self.turn).cos();
        let twice = (2.0 * TAU * self.turn).sin();
        let ring = self.ring(seconds);

        let mut axis = |hum: f64, ring_part: f64, rest: f64| {
            let noise = 0.008 * (2.0 * self.rng.f64() - 1.0);
            (rest + self.hum_g * hum + ring_part * ring + noise).clamp(-RANGE_G, RANGE_G) as f32
        };
        Acceleration {
            x: axis(0.3 * twice, 0.3, 0.0),
            y: axis(shaft, 0.7, 0.0),
            z: axis(quarter_later + 0.3 * twice, 1.0, 1.0),
        }
    }

    /// What a burst adds after `seconds` more, in g.
    fn ring(&mut self, seconds: f64) -> f64 {
        match &mut self.burst {
            Burst::Waiting { seconds: left } if *left > seconds => {
                *left -= seconds;
                0.0
            }
            Burst::Waiting { .. } => {
                let height_g = between(&mut self.rng, 0.6, 2.5);
                let decay_seconds = between(&mut self.rng, 0.1, 0.4);
                self.burst = Burst::Ringing { seconds: 0.0, height_g, decay_seconds };
                // The strike itself.
                height_g
            }
            Burst::Ringing { seconds: since, height_g, decay_seconds } => {
                *since += seconds;
                let level = *height_g * (-*since / *decay_seconds).exp();
                let acceleration = level * (TAU * RING_HERTZ * *since).cos();
                if level < 0.01 {
                    self.burst = wait(&mut self.rng);
                }
                acceleration
            }
        }
    }
}

/// Bursts come by chance at a mean rate: the time to the next is exponential. At most ten times the mean.
fn wait(rng: &mut Rng) -> Burst {
    let seconds = (-(1.0 - rng.f64()).ln()).min(10.0) * BURST_EVERY_SECONDS;
    Burst::Waiting { seconds }
}

fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.f64()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: Duration = Duration::from_millis(10);

    fn samples(seed: u64, index: usize, count: usize) -> Vec<Acceleration> {
        let mut machine = Machine::new(seed, index);
        (0..count).map(|_| machine.sample(STEP)).collect()
    }

    proptest! {
        #[test]
        fn every_sample_is_within_the_sensors_range(seed: u64, index in 0usize..1000, step_ms in 1u64..60_000) {
            let mut machine = Machine::new(seed, index);
            for _ in 0..1000 {
                let Acceleration { x, y, z } = machine.sample(Duration::from_millis(step_ms));
                for axis in [x, y, z] {
                    prop_assert!(f64::from(axis.abs()) <= RANGE_G);
                }
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_samples(seed: u64, index in 0usize..50) {
            prop_assert_eq!(samples(seed, index, 200), samples(seed, index, 200));
        }

        #[test]
        fn machines_and_seeds_differ(seed: u64, index in 0usize..50) {
            let one = samples(seed, index, 10);
            prop_assert_ne!(&one, &samples(seed, index + 1, 10));
            prop_assert_ne!(&one, &samples(seed.wrapping_add(1), index, 10));
        }

        #[test]
        fn gravity_is_on_z(seed: u64) {
            let all = samples(seed, 0, 2000);
            let mean = |axis: fn(&Acceleration) -> f32| all.iter().map(axis).sum::<f32>() / all.len() as f32;
            prop_assert!((mean(|a| a.z) - 1.0).abs() < 0.1);
            prop_assert!(mean(|a| a.x).abs() < 0.1 && mean(|a| a.y).abs() < 0.1);
        }

        #[test]
        fn bursts_come_now_and_then_and_die_away(seed: u64) {
            // 200 seconds: the mean is a burst every eight, the longest wait 80.
            let all = samples(seed, 0, 20_000);
            let loud = all.iter().filter(|a| (a.z - 1.0).abs() > 0.5).count();
            prop_assert!(loud > 0, "no burst");
            prop_assert!(loud < all.len() / 10, "{loud} of {} samples are in a burst", all.len());
        }
    }
}
