//! Results in the units a trader reads.

/// A result's unit: what a raw figure is multiplied by, and the name of the product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraderUnit {
    /// Trader figure over raw figure.
    pub factor: f64,
    /// The unit in words.
    pub name: &'static str,
}

const UNITS: [(&str, f64, &str); 30] = [
    ("price", 1.0, "per unit of the underlying"),
    ("standard_error", 1.0, "of the price"),
    ("delta", 1.0, "bs, per $1 of the underlying"),
    ("gamma", 1.0, "delta per $1"),
    ("vega", 0.01, "per volatility point"),
    ("theta", 1.0 / 365.0, "per day"),
    ("rho", 0.01, "per 1 % of the rate"),
    ("phi", 0.01, "per 1 % of the dividend yield"),
    ("vanna", 0.01, "delta per volatility point"),
    ("charm", 1.0 / 365.0, "delta per day"),
    ("vomma", 0.0001, "vega (per point) per volatility point"),
    ("veta", 0.01 / 365.0, "vega (per point) per day"),
    ("speed", 1.0, "gamma per $1"),
    ("zomma", 0.01, "gamma per volatility point"),
    ("color", 1.0 / 365.0, "gamma per day"),
    ("ultima", 1e-6, "vomma (per point) per volatility point"),
    ("dual_delta", 1.0, "per $1 of strike"),
    ("dual_gamma", 1.0, "dual delta per $1 of strike"),
    ("delta_fwd", 1.0, "per $1 of the forward"),
    ("gamma_fwd", 1.0, "delta per $1 of the forward"),
    ("vanna_fwd", 0.01, "delta per volatility point"),
    ("theta_fixed_fwd", 1.0 / 365.0, "per day at a fixed forward"),
    ("rho_fixed_fwd", 0.01, "per 1 % of the rate at a fixed forward"),
    ("theta_per_year", 1.0 / 365.0, "per day"),
    ("rho_rate", 0.01, "per 1 % of the rate"),
    ("price_spot_model", 1.0, "per unit; the spot falls by the dividends"),
    ("price_escrowed_model", 1.0, "per unit; escrowed dividends"),
    ("sigma", 100.0, "% per square-root year"),
    ("implied_vol", 100.0, "% per square-root year"),
    ("local_vol", 100.0, "% per square-root year"),
];

/// The trader unit of a result by its column name; `None` where the raw figure is what is read.
///
/// `normal` says that volatility is in price units, as in Bachelier's model: a point is then 1.00.
#[must_use]
pub fn trader_unit(result: &str, normal: bool) -> Option<TraderUnit> {
    let per_price_unit = |factor, name| Some(TraderUnit { factor, name });
    match (normal, result) {
        (true, "vega") => return per_price_unit(1.0, "per 1.00 of normal volatility"),
        (true, "vanna_fwd") => return per_price_unit(1.0, "delta per 1.00 of normal volatility"),
        (true, "vomma") => return per_price_unit(1.0, "vega per 1.00 of normal volatility"),
        (true, "sigma") => return per_price_unit(1.0, "price units per square-root year"),
        _ => {}
    }
    let found = UNITS.iter().find(|(name, ..)| *name == result);
    found.map(|(_, factor, name)| TraderUnit { factor: *factor, name })
}
