//! One vehicle on the route, and what its GPS receiver reads.
//!
//! Pure: the seed and the time step are arguments, so the same seed and steps give the same readings. A vehicle
//! speeds up and brakes like a city bus, slows for corners, and its receiver errs by a few metres.

use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;

use crate::route::{Place, Route, turn};

/// No vehicle is faster, in metres a second.
pub const SPEED_MPS_MAX: f64 = 15.0;
/// A receiver errs by at most so many metres north or south, and east or west.
pub const ERROR_METRES_MAX: f64 = 6.0;

const ACCELERATION_MPS2: f64 = 1.2;
const BRAKING_MPS2: f64 = 1.5;
const TURNING_DEGREES_PER_SECOND: f64 = 45.0;
/// The motion is computed in steps no longer than this, so that the rate of readings hardly changes it.
const STEP_SECONDS_MAX: f64 = 0.25;
/// A longer gap between readings stands for this one: the computation is bounded.
const GAP_SECONDS_MAX: f64 = 3600.0;

/// The reading on `vehicle/<id>/position`: a GeoJSON Point (RFC 7946).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Position {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Longitude and latitude, in this order, in degrees to a millionth (about a decimetre).
    pub coordinates: [f64; 2],
}

/// The reading on `vehicle/<id>/motion`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Motion {
    /// Metres a second, to a hundredth.
    pub speed_mps: f64,
    /// Degrees clockwise from north, 0 to below 360, to a tenth.
    pub heading_degrees: f64,
}

/// One vehicle.
#[derive(Debug, Clone)]
pub struct Vehicle {
    id: String,
    rng: Rng,
    route: Route,
    /// Along the route.
    metres: f64,
    speed_mps: f64,
    cruise_mps: f64,
    heading: f64,
    error: Error,
}

/// The receiver's error: it wanders, as it does while satellites rise and set.
#[derive(Debug, Clone, Copy, Default)]
struct Error {
    north_metres: f64,
    east_metres: f64,
}

impl Vehicle {
    /// The vehicle number `index`, counted from 0, of the simulation with `seed`.
    pub fn new(seed: u64, index: usize) -> Self {
        // The odd constant (2^64 over the golden ratio) spreads neighbouring numbers over all 64 bits.
        let mut rng = Rng::with_seed(seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let route = Route::default();
        let metres = rng.f64() * route.metres();
        Self {
            id: format!("v{:02}", index + 1),
            heading: route.at(metres).bearing,
            metres,
            speed_mps: 0.0,
            cruise_mps: 9.0 + (SPEED_MPS_MAX - 9.0) * rng.f64(),
            error: Error::default(),
            route,
            rng,
        }
    }

    /// The vehicle's id: a topic level.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lets `elapsed` pass and reads the receiver.
    pub fn step(&mut self, elapsed: Duration) -> (Position, Motion) {
        let mut left = elapsed.as_secs_f64().min(GAP_SECONDS_MAX);
        while left > 0.0 {
            let seconds = left.min(STEP_SECONDS_MAX);
            self.drive(seconds);
            left -= seconds;
        }
        let place = self.route.at(self.metres).place;
        (self.position(place), self.motion())
    }

    fn drive(&mut self, seconds: f64) {
        let spot = self.route.at(self.metres);
        // A right angle is taken at 30 % of the cruising speed, a bend hardly slower than straight on.
        let corner_mps = self.cruise_mps * (1.0 - 0.7 * (spot.corner_degrees / 90.0).min(1.0));
        // From v² = u² + 2 a s: the speed from which braking still reaches the corner's speed in time.
        let brake_mps = (corner_mps.powi(2) + 2.0 * BRAKING_MPS2 * spot.corner_metres).sqrt();
        self.speed_mps = (self.speed_mps + ACCELERATION_MPS2 * seconds).min(self.cruise_mps).min(brake_mps);
        self.metres = (self.metres + self.speed_mps * seconds).rem_euclid(self.route.metres());

        let limit = TURNING_DEGREES_PER_SECOND * seconds;
        let turned = turn(self.heading, self.route.at(self.metres).bearing).clamp(-limit, limit);
        self.heading = (self.heading + turned).rem_euclid(360.0);
    }

    fn position(&mut self, place: Place) -> Position {
        for error in [&mut self.error.north_metres, &mut self.error.east_metres] {
            *error = (0.9 * *error + 2.0 * self.rng.f64() - 1.0).clamp(-ERROR_METRES_MAX, ERROR_METRES_MAX);
        }
        let read = place.moved(self.error.north_metres, self.error.east_metres);
        Position { kind: "Point", coordinates: [rounded(read.longitude, 1e6), rounded(read.latitude, 1e6)] }
    }

    fn motion(&self) -> Motion {
        // Rounding may reach 360, which is north again.
        let heading_degrees = rounded(self.heading, 10.0) % 360.0;
        Motion { speed_mps: rounded(self.speed_mps, 100.0), heading_degrees }
    }
}

/// `value` rounded to one part in `parts`.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: Duration = Duration::from_millis(500);

    fn trip(seed: u64, index: usize, step: Duration, count: usize) -> Vec<(Position, Motion)> {
        let mut vehicle = Vehicle::new(seed, index);
        (0..count).map(|_| vehicle.step(step)).collect()
    }

    fn place(position: Position) -> Place {
        let [longitude, latitude] = position.coordinates;
        Place { latitude, longitude }
    }

    proptest! {
        #[test]
        fn every_reading_is_in_range_and_no_further_than_the_speed_allows(
            seed: u64, index in 0usize..1000, step_ms in 1u64..20_000,
        ) {
            let trip = trip(seed, index, Duration::from_millis(step_ms), 200);
            let metres_max = SPEED_MPS_MAX * step_ms as f64 / 1000.0 + 2.0 * ERROR_METRES_MAX * 2_f64.sqrt() + 1.0;
            for pair in trip.windows(2) {
                let (position, motion) = pair[1];
                prop_assert!((0.0..=SPEED_MPS_MAX).contains(&motion.speed_mps));
                prop_assert!((0.0..360.0).contains(&motion.heading_degrees));
                prop_assert!(place(pair[0].0).metres_to(place(position)) <= metres_max);
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_trip(seed: u64, index in 0usize..50) {
            prop_assert_eq!(trip(seed, index, STEP, 100), trip(seed, index, STEP, 100));
        }

        #[test]
        fn vehicles_and_seeds_differ(seed: u64, index in 0usize..50) {
            let one = trip(seed, index, STEP, 5);
            prop_assert_ne!(&one, &trip(seed, index + 1, STEP, 5));
            prop_assert_ne!(&one, &trip(seed.wrapping_add(1), index, STEP, 5));
        }

        #[test]
        fn a_vehicle_stays_on_the_route(seed: u64) {
            let route = Route::default();
            let spots: Vec<Place> = (0..).map(|n| f64::from(n) * 5.0).take_while(|m| *m < route.metres())
                .map(|metres| route.at(metres).place).collect();
            for (position, _) in trip(seed, 0, Duration::from_secs(7), 40) {
                let off = spots.iter().map(|spot| spot.metres_to(place(position))).fold(f64::MAX, f64::min);
                prop_assert!(off < ERROR_METRES_MAX * 2_f64.sqrt() + 5.0, "{off} m off");
            }
        }
    }

    #[test]
    fn a_vehicle_comes_round_to_where_it_was() {
        let trip = trip(5, 0, STEP, 2 * 60 * 30);
        let start = place(trip[0].0);
        let away = trip.iter().position(|(position, _)| place(*position).metres_to(start) > 500.0).unwrap();
        assert!(trip[away..].iter().any(|(position, _)| place(*position).metres_to(start) < 20.0));
    }

    #[test]
    fn a_vehicle_slows_for_corners_and_reaches_its_cruising_speed_between_them() {
        let speeds: Vec<f64> =
            trip(5, 0, STEP, 2 * 60 * 15).iter().skip(40).map(|(_, m)| m.speed_mps).collect();
        let (slowest, fastest) = speeds.iter().fold((f64::MAX, 0.0_f64), |(a, b), v| (a.min(*v), b.max(*v)));
        assert!(slowest < 0.6 * fastest && slowest > 0.5, "{slowest} to {fastest}");
    }

    #[test]
    fn a_position_is_a_geojson_point_with_longitude_first() {
        let position = Position { kind: "Point", coordinates: [12.5683, 55.6761] };
        let text = serde_json::to_string(&position).unwrap();
        assert_eq!(text, r#"{"type":"Point","coordinates":[12.5683,55.6761]}"#);
    }
}
