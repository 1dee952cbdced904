//! A closed route over waypoints: where a vehicle is after so many metres. Pure.

/// The mean radius of the Earth in metres (IUGG).
const EARTH_RADIUS_METRES: f64 = 6_371_008.8;

/// A place on the Earth in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// North of the equator, -90 to 90.
    pub latitude: f64,
    /// East of Greenwich, -180 to 180.
    pub longitude: f64,
}

impl Place {
    /// The distance in metres along the great circle (haversine formula).
    pub fn metres_to(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_north = (to - from) / 2.0;
        let half_east = (other.longitude - self.longitude).to_radians() / 2.0;
        let square = half_north.sin().powi(2) + from.cos() * to.cos() * half_east.sin().powi(2);
        2.0 * EARTH_RADIUS_METRES * square.sqrt().min(1.0).asin()
    }

    /// The direction in which the great circle to `other` begins: degrees clockwise from north, 0 to below 360.
    pub fn bearing_to(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let east = (other.longitude - self.longitude).to_radians();
        let y = east.sin() * to.cos();
        let x = from.cos() * to.sin() - from.sin() * to.cos() * east.cos();
        y.atan2(x).to_degrees().rem_euclid(360.0)
    }

    /// The place some metres north and east of this one; for distances far smaller than the Earth.
    pub fn moved(self, north_metres: f64, east_metres: f64) -> Self {
        let degree = EARTH_RADIUS_METRES.to_radians();
        Self {
            latitude: self.latitude + north_metres / degree,
            longitude: self.longitude + east_metres / (degree * self.latitude.to_radians().cos()),
        }
    }
}

/// A round through the middle of Copenhagen, roughly along its streets.
const ROUND: [(f64, f64); 16] = [
    (55.67610, 12.56830),
    (55.67905, 12.56420),
    (55.68340, 12.57140),
    (55.68660, 12.57790),
    (55.69270, 12.58720),
    (55.69210, 12.59760),
    (55.68680, 12.59570),
    (55.68180, 12.59030),
    (55.67970, 12.58600),
    (55.67480, 12.58730),
    (55.67230, 12.59080),
    (55.66710, 12.59890),
    (55.66350, 12.58510),
    (55.67080, 12.57600),
    (55.67280, 12.56460),
    (55.67420, 12.56530),
];

/// A closed route: from the last waypoint it goes on to the first.
#[derive(Debug, Clone)]
pub struct Route {
    legs: Vec<Leg>,
    metres: f64,
}

/// A straight stretch between two waypoints.
#[derive(Debug, Clone, Copy)]
struct Leg {
    from: Place,
    to: Place,
    /// From the route's start to the leg's start.
    start_metres: f64,
    metres: f64,
    bearing: f64,
}

/// A spot on a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Where it is.
    pub place: Place,
    /// The direction of travel, degrees clockwise from north.
    pub bearing: f64,
    /// To the next waypoint.
    pub corner_metres: f64,
    /// How sharply the route turns there: 0 straight on, 180 back.
    pub corner_degrees: f64,
}

impl Default for Route {
    /// The built-in round.
    fn default() -> Self {
        let places: Vec<Place> =
            ROUND.iter().map(|&(latitude, longitude)| Place { latitude, longitude }).collect();
        let mut legs = Vec::with_capacity(places.len());
        let mut metres = 0.0;
        for (&from, &to) in places.iter().zip(places.iter().cycle().skip(1)) {
            let leg = Leg {
                from,
                to,
                start_metres: metres,
                metres: from.metres_to(to),
                bearing: from.bearing_to(to),
            };
            metres += leg.metres;
            legs.push(leg);
        }
        Self { legs, metres }
    }
}

impl Route {
    /// The length of one round in metres.
    pub fn metres(&self) -> f64 {
        self.metres
    }

    /// The spot after `metres` from the start; past the end the next round begins.
    pub fn at(&self, metres: f64) -> Spot {
        let metres = metres.rem_euclid(self.metres);
        // The first leg starts at 0, so at least one lies before the spot.
        let index = self.legs.partition_point(|leg| leg.start_metres <= metres).saturating_sub(1);
        let leg = self.legs[index];
        let next = self.legs[(index + 1) % self.legs.len()];
        // Legs are short enough to go straight in degrees; the last may be a rounding error longer than its length.
        let part = ((metres - leg.start_metres) / leg.metres).min(1.0);
        Spot {
            place: Place {
                latitude: leg.from.latitude + part * (leg.to.latitude - leg.from.latitude),
                longitude: leg.from.longitude + part * (leg.to.longitude - leg.from.longitude),
            },
            bearing: leg.bearing,
            corner_metres: leg.metres * (1.0 - part),
            corner_degrees: turn(leg.bearing, next.bearing).abs(),
        }
    }
}

/// How far to turn from one direction to another, in degrees: -180 (left) to below 180 (right).
pub fn turn(from: f64, to: f64) -> f64 {
    (to - from + 180.0).rem_euclid(360.0) - 180.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn distances_and_bearings_are_those_of_an_atlas() {
        let london = Place { latitude: 51.5074, longitude: -0.1278 };
        let paris = Place { latitude: 48.8566, longitude: 2.3522 };
        assert!((london.metres_to(paris) - 343_560.0).abs() < 500.0);
        assert!((london.bearing_to(paris) - 148.1).abs() < 0.5);
    }

    #[test]
    fn a_round_is_some_kilometres_and_ends_where_it_began() {
        let route = Route::default();
        assert!((9_000.0..10_000.0).contains(&route.metres()), "{}", route.metres());
        assert!(route.at(0.0).place.metres_to(route.at(route.metres()).place) < 0.001);
    }

    proptest! {
        #[test]
        fn a_metre_along_the_route_is_a_metre_on_the_map(metres in -1e6..1e6) {
            let route = Route::default();
            let spot = route.at(metres);
            prop_assume!(spot.corner_metres > 1.0);
            let moved = spot.place.metres_to(route.at(metres + 1.0).place);
            prop_assert!((moved - 1.0).abs() < 0.02, "{moved}");
        }

        #[test]
        fn a_turn_brings_one_bearing_to_the_other(from in 0.0..360.0, to in 0.0..360.0) {
            let turn = turn(from, to);
            prop_assert!((-180.0..180.0).contains(&turn));
            let left = ((from + turn - to).rem_euclid(360.0) + 180.0).rem_euclid(360.0) - 180.0;
            prop_assert!(left.abs() < 1e-6);
        }

        #[test]
        fn moving_goes_as_far_as_it_says(north in -500.0..500.0, east in -500.0..500.0) {
            let start = Route::default().at(0.0).place;
            let expected = f64::hypot(north, east);
            prop_assert!((start.metres_to(start.moved(north, east)) - expected).abs() < 0.1);
        }
    }
}
