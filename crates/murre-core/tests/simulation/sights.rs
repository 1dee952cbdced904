//! What the subscriptions of kept sessions see, and what they are owed under that.

use murre_protocol::packet::ViewOptions;

/// What a subscription sees.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Seen {
    #[default]
    Everything,
    /// Readings with an even number.
    Even,
    /// Readings without what is only by the way.
    Selected,
    /// No more than ten a second of each topic.
    Paced,
}

impl Seen {
    pub(super) const ALL: [Self; 4] = [Self::Everything, Self::Even, Self::Selected, Self::Paced];

    /// The view that it asks for.
    pub(super) fn view(self) -> Option<ViewOptions<'static>> {
        match self {
            Self::Everything => None,
            Self::Even => {
                Some(ViewOptions { condition: Some("payload.n % 2 == 0".into()), ..Default::default() })
            }
            Self::Selected => Some(ViewOptions { select: vec!["n".into()], ..Default::default() }),
            Self::Paced => Some(ViewOptions { max_rate: Some(10.0), ..Default::default() }),
        }
    }

    /// Whether it is owed the reading of a number.
    pub(super) fn wants(self, number: u64) -> bool {
        self != Self::Even || number.is_multiple_of(2)
    }
}
