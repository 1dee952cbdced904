//! The weather at one station: a daily curve, slow drift and seeded noise.
//!
//! Pure: the seed and the time step are arguments, so the same seed and steps give the same readings. A simulated
//! day passes in [`DAY`], so that a person who watches for some minutes sees the curve.

use std::{f64::consts::TAU, time::Duration};

use fastrand::Rng;
use serde::Serialize;

/// How long a simulated day takes.
pub const DAY: Duration = Duration::from_secs(600);

/// Bounds of every reading; the model stays within them for any seed and any steps.
pub mod bounds {
    use std::ops::RangeInclusive;

    /// Air temperature, degrees Celsius.
    pub const CELSIUS: RangeInclusive<f64> = -30.0..=45.0;
    /// Relative humidity, per cent.
    pub const PERCENT: RangeInclusive<f64> = 5.0..=100.0;
    /// Air pressure at sea level, hectopascal.
    pub const HECTOPASCAL: RangeInclusive<f64> = 950.0..=1060.0;
    /// Wind speed, metres a second.
    pub const WIND_SPEED_MPS: RangeInclusive<f64> = 0.0..=40.0;
}

/// The reading on `weather/<station>/temperature`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Temperature {
    /// Degrees Celsius, to a hundredth.
    pub celsius: f64,
}

/// The reading on `weather/<station>/humidity`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Humidity {
    /// Relative humidity in per cent, to a tenth.
    pub percent: f64,
}

/// The reading on `weather/<station>/pressure`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pressure {
    /// Hectopascal, to a hundredth.
    pub hectopascal: f64,
}

/// The reading on `weather/<station>/wind`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Wind {
    /// Metres a second, to a hundredth.
    pub speed_mps: f64,
    /// Where the wind comes from, in degrees clockwise from north: 0 to below 360, to a tenth.
    pub direction_degrees: f64,
}

/// All that a station reads at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weather {
    /// Air temperature.
    pub temperature: Temperature,
    /// Relative humidity.
    pub humidity: Humidity,
    /// Air pressure.
    pub pressure: Pressure,
    /// Wind speed and direction.
    pub wind: Wind,
}

/// One station.
#[derive(Debug, Clone)]
pub struct Station {
    name: String,
    rng: Rng,
    /// Part of the day that has passed, 0 at midnight to below 1.
    day_part: f64,
    mean_celsius: f64,
    amplitude_celsius: f64,
    /// How far the dew point lies under the day's mean temperature.
    dew_point_spread: f64,
    temperature_drift: Drift,
    dew_point_drift: Drift,
    pressure_drift: Drift,
    wind_drift: Drift,
    direction_drift: Drift,
}

/// Stations are called after islands and cliffs where murres breed; those past the list have a number.
const NAMES: [&str; 12] = [
    "skomer",
    "bempton",
    "lundy",
    "farne",
    "foula",
    "runde",
    "hornoya",
    "latrabjarg",
    "grimsey",
    "baccalieu",
    "triangle",
    "farallon",
];

impl Station {
    /// The station number `index`, counted from 0, of the simulation with `seed`.
    pub fn new(seed: u64, index: usize) -> Self {
        // Neighbouring seeds and numbers must not give alike stations: the odd constant (2^64 over the golden
        // ratio) spreads them over all 64 bits.
        let mut rng = Rng::with_seed(seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let name = NAMES.get(index).map_or_else(|| format!("station-{}", index + 1), ToString::to_string);
        Self {
            name,
            // Eight in the morning, an hour more or less: the stations are not on one meridian.
            day_part: (8.0 + noise(&mut rng)) / 24.0,
            mean_celsius: 11.0 + 6.0 * noise(&mut rng),
            amplitude_celsius: 5.0 + 2.0 * noise(&mut rng),
            dew_point_spread: 9.0 + 2.0 * noise(&mut rng),
            temperature_drift: Drift::new(4.0, &mut rng),
            dew_point_drift: Drift::new(2.0, &mut rng),
            pressure_drift: Drift::new(20.0, &mut rng),
            wind_drift: Drift::new(1.0, &mut rng),
            direction_drift: Drift::new(1.0, &mut rng),
            rng,
        }
    }

    /// The station's name: a topic level.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets `elapsed` pass and reads all instruments.
    pub fn step(&mut self, elapsed: Duration) -> Weather {
        let days = elapsed.as_secs_f64() / DAY.as_secs_f64();
        self.day_part = (self.day_part + days).rem_euclid(1.0);
        let front = self.temperature_drift.step(days);
        let moisture = self.dew_point_drift.step(days);
        let system = self.pressure_drift.step(days);
        let breeze = self.wind_drift.step(days);
        let veer = self.direction_drift.step(days);

        let rng = &mut self.rng;
        // The warmest hour is about three in the afternoon, when the wind is strongest too.
        let sun = (TAU * (self.day_part - 15.0 / 24.0)).cos();
        let celsius = self.mean_celsius + self.amplitude_celsius * sun + front + 0.08 * noise(rng);
        let dew_point = self.mean_celsius - self.dew_point_spread + front + moisture;
        let percent = relative_humidity(celsius, dew_point) + 0.4 * noise(rng);
        // The air's own tide: two crests a day of about one hectopascal.
        let tide = (2.0 * TAU * (self.day_part - 10.0 / 24.0)).cos();
        let hectopascal = 1013.25 + system + tide + 0.05 * noise(rng);
        // An exponent keeps the speed above zero and makes strong winds rare.
        let speed_mps = 5.0 * (breeze + 0.25 * sun).exp() * (1.0 + 0.25 * noise(rng));
        let direction = 225.0 + 120.0 * veer + 8.0 * noise(rng);

        Weather {
            temperature: Temperature { celsius: rounded(celsius, 100.0, bounds::CELSIUS) },
            humidity: Humidity { percent: rounded(percent, 10.0, bounds::PERCENT) },
            pressure: Pressure { hectopascal: rounded(hectopascal, 100.0, bounds::HECTOPASCAL) },
            wind: Wind {
                speed_mps: rounded(speed_mps, 100.0, bounds::WIND_SPEED_MPS),
                // Rounding may reach 360, which is north again.
                direction_degrees: rounded(direction.rem_euclid(360.0), 10.0, 0.0..=360.0) % 360.0,
            },
        }
    }
}

/// A slow, smooth drift around zero: two waves of some days' length, so it never leaves its spread.
#[derive(Debug, Clone)]
struct Drift {
    waves: [Wave; 2],
}

#[derive(Debug, Clone)]
struct Wave {
    height: f64,
    days: f64,
    /// Part of the wave that has passed, 0 to below 1.
    part: f64,
}

impl Drift {
    fn new(spread: f64, rng: &mut Rng) -> Self {
        // Weather systems pass in some days; two lengths that don't divide each other never repeat alike.
        let long = Wave { height: 0.6 * spread, days: 4.0 + noise(rng), part: rng.f64() };
        let short = Wave { height: 0.4 * spread, days: 1.8 + 0.4 * noise(rng), part: rng.f64() };
        Self { waves: [long, short] }
    }

    fn step(&mut self, days: f64) -> f64 {
        let mut sum = 0.0;
        for wave in &mut self.waves {
            wave.part = (wave.part + days / wave.days).rem_euclid(1.0);
            sum += wave.height * (TAU * wave.part).sin();
        }
        sum
    }
}

/// Relative humidity in per cent from temperature and dew point, by the Magnus formula with the constants of
/// Alduchov and Eskridge (1996).
fn relative_humidity(celsius: f64, dew_point: f64) -> f64 {
    let vapour = |t: f64| (17.625 * t / (243.04 + t)).exp();
    100.0 * vapour(dew_point) / vapour(celsius)
}

/// Evenly spread from -1 to below 1.
fn noise(rng: &mut Rng) -> f64 {
    2.0 * rng.f64() - 1.0
}

/// `value` within `range`, rounded to one part in `parts`.
fn rounded(value: f64, parts: f64, range: std::ops::RangeInclusive<f64>) -> f64 {
    (value.clamp(*range.start(), *range.end()) * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(seed: u64, index: usize, step: Duration, count: usize) -> Vec<Weather> {
        let mut station = Station::new(seed, index);
        (0..count).map(|_| station.step(step)).collect()
    }

    proptest! {
        #[test]
        fn every_reading_is_within_its_bounds(seed: u64, index in 0usize..1000, step_ms in 1u64..3_600_000) {
            for weather in run(seed, index, Duration::from_millis(step_ms), 200) {
                prop_assert!(bounds::CELSIUS.contains(&weather.temperature.celsius));
                prop_assert!(bounds::PERCENT.contains(&weather.humidity.percent));
                prop_assert!(bounds::HECTOPASCAL.contains(&weather.pressure.hectopascal));
                prop_assert!(bounds::WIND_SPEED_MPS.contains(&weather.wind.speed_mps));
                prop_assert!((0.0..360.0).contains(&weather.wind.direction_degrees));
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_weather(seed: u64, index in 0usize..50) {
            let second = Duration::from_secs(1);
            prop_assert_eq!(run(seed, index, second, 60), run(seed, index, second, 60));
        }

        #[test]
        fn stations_and_seeds_differ(seed: u64, index in 0usize..50) {
            let readings = run(seed, index, Duration::from_secs(1), 5);
            prop_assert_ne!(&readings, &run(seed, index + 1, Duration::from_secs(1), 5));
            prop_assert_ne!(&readings, &run(seed.wrapping_add(1), index, Duration::from_secs(1), 5));
        }
    }

    #[test]
    fn afternoons_are_warmer_than_nights() {
        // Over many days the drift evens out and the daily curve stays.
        let (hours, days) = (24, 100);
        let mut by_hour = vec![0.0; hours];
        for (hour, weather) in run(7, 0, DAY / 24, hours * days).iter().enumerate() {
            // The first step ends at nine in the morning, give or take an hour.
            by_hour[(hour + 9) % hours] += weather.temperature.celsius / days as f64;
        }
        assert!(by_hour[15] > by_hour[3] + 4.0, "{by_hour:?}");
    }

    #[test]
    fn temperature_does_not_jump_from_second_to_second() {
        let readings = run(3, 1, Duration::from_secs(1), 600);
        let largest = readings
            .windows(2)
            .map(|pair| (pair[1].temperature.celsius - pair[0].temperature.celsius).abs())
            .fold(0.0, f64::max);
        assert!(largest < 2.0, "{largest}");
    }

    #[test]
    fn dew_point_at_the_temperature_is_full_humidity() {
        assert!((relative_humidity(12.0, 12.0) - 100.0).abs() < 1e-9);
        assert!(relative_humidity(20.0, 10.0) < 60.0);
    }

    #[test]
    fn a_reading_is_an_object_with_its_unit() {
        let text = serde_json::to_string(&Temperature { celsius: 12.4 }).unwrap();
        assert_eq!(text, r#"{"celsius":12.4}"#);
    }
}
