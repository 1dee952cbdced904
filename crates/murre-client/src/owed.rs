//! What of a subscription was delivered and not acknowledged: as much of it as says where to go on.
//!
//! Pure. Where the broker keeps no session, an acknowledged subscription that resumes asks again for what nobody has
//! acknowledged, by its position.

use murre_protocol::Position;

/// One shard.
#[derive(Debug)]
struct Stand {
    /// Everything up to here was handled.
    handled: Position,
    /// What was delivered last.
    delivered: Position,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    stands: Vec<Stand>,
}

impl Owed {
    /// A message was delivered.
    pub(crate) fn message(&mut self, position: Position) {
        if position == Position::NONE {
            return;
        }
        match self.stand(position) {
            Some(stand) => stand.delivered = stand.delivered.max(position),
            None => {
                let before = Position::new(position.offset().saturating_sub(1), position.shard());
                self.stands.push(Stand { handled: before, delivered: position });
            }
        }
    }

    /// A message was handled, and all before it in its shard.
    pub(crate) fn acknowledge(&mut self, position: Position) {
        if let Some(stand) = self.stand(position) {
            stand.handled = stand.handled.max(position);
        }
    }

    fn stand(&mut self, position: Position) -> Option<&mut Stand> {
        self.stands.iter_mut().find(|stand| stand.delivered.shard() == position.shard())
    }

    /// Takes `positions`, which count in all that was delivered, back to where nothing is owed behind them.
    pub(crate) fn lower(&self, positions: &mut [Position]) {
        for Stand { handled, delivered } in &self.stands {
            let listed = positions.iter_mut().find(|position| position.shard() == delivered.shard());
            if let Some(listed) = listed.filter(|_| handled < delivered) {
                *listed = (*listed).min(*handled);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64, shard: u8) -> Position {
        Position::new(offset, shard)
    }

    fn lowered(owed: &Owed) -> [Position; 2] {
        let mut positions = [at(50, 0), at(60, 1)];
        owed.lower(&mut positions);
        positions
    }

    #[test]
    fn what_was_never_acknowledged_is_owed_from_the_first_message() {
        let mut owed = Owed::default();
        [at(40, 0), at(45, 0), at(50, 0), Position::NONE]
            .into_iter()
            .for_each(|position| owed.message(position));
        assert_eq!(lowered(&owed), [at(39, 0), at(60, 1)]);
    }

    #[test]
    fn what_follows_the_last_acknowledgement_is_owed_in_each_shard() {
        let mut owed = Owed::default();
        [at(40, 0), at(45, 0), at(50, 0), at(58, 1), at(60, 1)]
            .into_iter()
            .for_each(|position| owed.message(position));
        owed.acknowledge(at(45, 0));
        owed.acknowledge(at(60, 1));
        owed.acknowledge(at(7, 9));
        assert_eq!(lowered(&owed), [at(45, 0), at(60, 1)]);
    }
}
