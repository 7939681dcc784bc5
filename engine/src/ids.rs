//! Dense ids handed out by the log itself: an id is a position, never random.

use serde::{Deserialize, Serialize};

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident, $repr:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $repr);

        impl $name {
            /// The id as an index into a dense table.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<usize> for $name {
            /// # Panics
            /// When the table outgrew the id type, which its owner prevents.
            fn from(index: usize) -> $name {
                $name(<$repr>::try_from(index).expect("a dense table never outgrows its id type"))
            }
        }
    };
}

dense_id!(
    /// The n-th definition of the session.
    InstrumentIx, u32
);
dense_id!(
    /// The n-th order of the run.
    OrderIx, u32
);
dense_id!(
    /// The n-th strategy of the run.
    StrategyIx, u16
);
dense_id!(
    /// The n-th account of the run.
    AccountIx, u16
);
dense_id!(
    /// An execution venue or its feed; `VenueIx(0)` is the consolidated market.
    VenueIx, u16
);

impl InstrumentIx {
    /// Stands for "no instrument" in records that concern the whole session.
    pub const NONE: InstrumentIx = InstrumentIx(u32::MAX);
}

/// A position in the log: inputs and derived events share one counter.
pub type Seq = u64;
