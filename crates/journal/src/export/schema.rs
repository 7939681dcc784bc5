//! The columns of every exported table.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole number, not negative.
    Count,
    /// UTC nanoseconds since 1970.
    Time,
    /// Decimal with nine places: price, quantity or money.
    Decimal,
    /// Text.
    Text,
    /// A JSON object.
    Json,
}

/// A column; all but `seq` and `order` of the tables they key may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A table; the first column is its key and never null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Name, and the file's stem.
    pub name: &'static str,
    /// Columns in order.
    pub columns: &'static [Column],
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// Input records.
pub const INPUTS: Table = Table {
    name: "inputs",
    columns: &[
        column("seq", Kind::Count),
        column("ts", Kind::Time),
        column("ts_src", Kind::Time),
        column("kind", Kind::Text),
        column("symbol", Kind::Text),
        column("venue", Kind::Count),
        column("flags", Kind::Count),
        column("bid", Kind::Decimal),
        column("ask", Kind::Decimal),
        column("bid_size", Kind::Decimal),
        column("ask_size", Kind::Decimal),
        column("open", Kind::Decimal),
        column("high", Kind::Decimal),
        column("low", Kind::Decimal),
        column("close", Kind::Decimal),
        column("price", Kind::Decimal),
        column("size", Kind::Decimal),
        column("fields", Kind::Json),
    ],
};

/// Derived events.
pub const EVENTS: Table = Table {
    name: "events",
    columns: &[
        column("seq", Kind::Count),
        column("ts", Kind::Time),
        column("cause", Kind::Count),
        column("kind", Kind::Text),
        column("order", Kind::Count),
        column("strategy", Kind::Count),
        column("account", Kind::Count),
        column("symbol", Kind::Text),
        column("fields", Kind::Json),
    ],
};

/// Booked fills.
pub const FILLS: Table = Table {
    name: "fills",
    columns: &[
        column("seq", Kind::Count),
        column("ts", Kind::Time),
        column("order", Kind::Count),
        column("leg", Kind::Count),
        column("account", Kind::Count),
        column("symbol", Kind::Text),
        column("quantity", Kind::Decimal),
        column("price", Kind::Decimal),
        column("fee", Kind::Decimal),
        column("venue_ts", Kind::Time),
        column("bid", Kind::Decimal),
        column("ask", Kind::Decimal),
        column("reason", Kind::Text),
        column("justification", Kind::Count),
    ],
};

/// Orders.
pub const ORDERS: Table = Table {
    name: "orders",
    columns: &[
        column("order", Kind::Count),
        column("submit_seq", Kind::Count),
        column("submit_ts", Kind::Time),
        column("strategy", Kind::Count),
        column("account", Kind::Count),
        column("symbol", Kind::Text),
        column("quantity", Kind::Decimal),
        column("legs", Kind::Json),
        column("type", Kind::Text),
        column("limit", Kind::Decimal),
        column("trigger", Kind::Decimal),
        column("tif", Kind::Text),
        column("state", Kind::Text),
        column("state_seq", Kind::Count),
        column("state_ts", Kind::Time),
        column("reason", Kind::Text),
        column("refused", Kind::Text),
        column("filled", Kind::Decimal),
        column("value", Kind::Decimal),
        column("fees", Kind::Decimal),
    ],
};

/// Positions at the log's end.
pub const POSITIONS: Table = Table {
    name: "positions",
    columns: &[
        column("seq", Kind::Count),
        column("ts", Kind::Time),
        column("account", Kind::Count),
        column("symbol", Kind::Text),
        column("quantity", Kind::Decimal),
        column("average_price", Kind::Decimal),
        column("cost", Kind::Decimal),
        column("realized", Kind::Decimal),
        column("fees", Kind::Decimal),
    ],
};

/// Every table.
pub const TABLES: [&Table; 5] = [&INPUTS, &EVENTS, &FILLS, &ORDERS, &POSITIONS];
