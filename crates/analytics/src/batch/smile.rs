//! Stochastic volatility and smiles: Heston, SABR, SVI, SSVI.

use super::european::{FORWARD, RATE, SPOT, STRIKE, TYPE, YEARS, YIELD};
use super::{Column, Formula, Row, RowError, Value};
use onetape_pricing::heston::{self, Market, strip};
use onetape_pricing::surface::Smile;
use onetape_pricing::surface::sabr;
use onetape_pricing::surface::ssvi::{self, AtmVariance};
use onetape_pricing::surface::svi::RawSvi;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) struct Heston {
    pub(super) price_only: bool,
}

/// The columns of an option under stochastic volatility.
pub(super) const fn heston_columns() -> [Column; 11] {
    [
        TYPE,
        SPOT,
        STRIKE,
        YEARS,
        RATE,
        YIELD,
        Column::new("v0", "variance today"),
        Column::new("kappa", "speed of mean reversion per year"),
        Column::new("theta", "long-run variance"),
        Column::new("sigma", "volatility of variance").also(&["xi", "vol_of_vol", "volvol"]),
        Column::new("rho", "correlation of spot and variance"),
    ]
}

/// The model of a row with [`heston_columns`].
pub(super) fn heston_model(row: &Row<'_>) -> Result<heston::Heston, RowError> {
    Ok(heston::Heston {
        v0: row.non_negative("v0")?,
        kappa: row.non_negative("kappa")?,
        theta: row.non_negative("theta")?,
        sigma: row.non_negative("sigma")?,
        rho: row.finite("rho")?,
    })
}

impl Formula for Heston {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 11] = heston_columns();
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        const ALL: [&str; 10] = [
            "price",
            "delta",
            "gamma",
            "theta_per_year",
            "rho_rate",
            "dv0",
            "dkappa",
            "dtheta",
            "dsigma",
            "drho",
        ];
        if self.price_only { &ALL[..1] } else { &ALL }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let model = heston_model(row)?;
        let market =
            Market { spot: row.positive("S")?, rate: row.finite("r")?, dividend_yield: row.finite("q")? };
        let (strike, years, right) = (row.positive("K")?, row.positive("T")?, row.right()?);
        out.push(model.price(&market, strike, years, right)?.into());
        if self.price_only {
            return Ok(());
        }
        let at = (strike / market.forward(years)).ln();
        let range = strip::StrikeRange { low: at, high: at };
        let greeks = strip::Strip::with_greeks(&model, years, range, strip::Accuracy::default())
            .and_then(|strip| strip.greeks(&market, strike, right));
        match greeks {
            Ok(g) => {
                out.extend([g.delta, g.gamma, g.theta, g.rho].map(Value::Number));
                out.extend(g.by_parameter.map(Value::Number));
            }
            // The price needs no derivative of the characteristic function; a model without them
            // (no volatility of variance, slow decay) still has a price.
            Err(_) => out.extend([Value::Blank; 9]),
        }
        Ok(())
    }
}

/// Heston with lognormal jumps.
pub(super) struct Bates;

impl Formula for Bates {
    fn columns(&self) -> &[Column] {
        const H: [Column; 11] = heston_columns();
        const ALL: [Column; 14] = [
            H[0],
            H[1],
            H[2],
            H[3],
            H[4],
            H[5],
            H[6],
            H[7],
            H[8],
            H[9],
            H[10],
            Column::new("intensity", "expected jumps per year"),
            Column::new("jump_mean", "mean of the jump of the logarithm"),
            Column::new("jump_vol", "standard deviation of the jump of the logarithm"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["price"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let model = heston::Bates {
            heston: heston_model(row)?,
            intensity: row.non_negative("intensity")?,
            jump_mean: row.finite("jump_mean")?,
            jump_vol: row.non_negative("jump_vol")?,
        };
        let market =
            Market { spot: row.positive("S")?, rate: row.finite("r")?, dividend_yield: row.finite("q")? };
        out.push(model.price(&market, row.positive("K")?, row.positive("T")?, row.right()?)?.into());
        Ok(())
    }
}

pub(super) struct Sabr;

impl Formula for Sabr {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 7] = [
            FORWARD,
            STRIKE,
            YEARS,
            Column::new("alpha", "initial volatility"),
            Column::new("beta", "elasticity, from 0 to 1"),
            Column::new("nu", "volatility of volatility"),
            Column::new("rho", "correlation"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["hagan_lognormal_vol", "hagan_normal_vol"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let n = |column| row.finite(column);
        let model = sabr::Sabr { alpha: n("alpha")?, beta: n("beta")?, nu: n("nu")?, rho: n("rho")? };
        let (forward, strike, years) = (n("F")?, n("K")?, n("T")?);
        out.push(model.black_vol(forward, strike, years)?.into());
        out.push(model.normal_vol(forward, strike, years).map_or(Value::Blank, Value::Number));
        Ok(())
    }
}

const SLICE: [Column; 6] = [
    Column::new("T", "years to expiry; slices that a column slice_id names come from --slices FILE"),
    Column::new("a", "raw SVI: shift of total variance"),
    Column::new("b", "raw SVI: slope of the wings"),
    Column::new("rho", "raw SVI: rotation"),
    Column::new("m", "raw SVI: centre in log-moneyness"),
    Column::new("sigma", "raw SVI: radius of curvature"),
];
const K: Column = Column::new("k", "log-moneyness ln(K/F)");

/// Raw SVI slices by their id, as the column `slice_id` of a file of points names them.
#[derive(Debug, Default)]
pub struct Slices {
    slices: BTreeMap<Vec<u8>, (RawSvi, f64)>,
}

impl Slices {
    /// The slices with their times, in ascending time.
    pub(super) fn by_time(&self) -> Vec<(f64, RawSvi)> {
        let mut found: Vec<(f64, RawSvi)> =
            self.slices.values().map(|(slice, years)| (*years, *slice)).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found
    }

    /// Reads the columns id, T, a, b, rho, m and sigma.
    ///
    /// # Errors
    /// A missing column, a row that is no slice, or an id that appears twice, in words.
    pub fn read<R: std::io::Read>(name: &str, reader: R) -> Result<Slices, String> {
        let mut reader = csv::Reader::from_reader(reader);
        let header = reader.byte_headers().map_err(|error| format!("{name}: {error}"))?.clone();
        let place = |column: &str| {
            header.iter().position(|name| name == column.as_bytes()).ok_or_else(|| {
                format!("{name}: no column '{column}'; a file of slices has id,T,a,b,rho,m,sigma")
            })
        };
        let id = place("id")?;
        let mut places = [0; 6];
        for (place_of, column) in places.iter_mut().zip(SLICE) {
            *place_of = place(column.name)?;
        }
        let mut slices = BTreeMap::new();
        for record in reader.byte_records() {
            let record = record.map_err(|error| format!("{name}: {error}"))?;
            let line = record.position().map_or(0, csv::Position::line);
            let mut numbers = [0.0; 6];
            for ((number, place), column) in numbers.iter_mut().zip(places).zip(SLICE) {
                let text = String::from_utf8_lossy(&record[place]);
                *number = text
                    .trim()
                    .parse()
                    .map_err(|_| format!("{name}, line {line}: {} is not a number: '{text}'", column.name))?;
            }
            let [years, a, b, rho, m, sigma] = numbers;
            if slices.insert(record[id].to_vec(), (RawSvi { a, b, rho, m, sigma }, years)).is_some() {
                let id = String::from_utf8_lossy(&record[id]);
                return Err(format!("{name}, line {line}: slice '{id}' appears a second time"));
            }
        }
        Ok(Slices { slices })
    }
}

/// A file of points, of points whose slices are elsewhere, or of slices.
pub(super) enum Svi {
    Point,
    Joined(Arc<Slices>),
    Slice,
}

fn slice(row: &Row<'_>) -> Result<(RawSvi, f64), RowError> {
    let n = |column| row.finite(column);
    let slice = RawSvi { a: n("a")?, b: n("b")?, rho: n("rho")?, m: n("m")?, sigma: n("sigma")? };
    Ok((slice, row.positive("T")?))
}

impl Formula for Svi {
    fn columns(&self) -> &[Column] {
        const POINT: [Column; 7] = [K, SLICE[0], SLICE[1], SLICE[2], SLICE[3], SLICE[4], SLICE[5]];
        const JOINED: [Column; 2] = [Column::new("slice_id", "id of a slice in the file of slices"), K];
        match self {
            Svi::Point => &POINT,
            Svi::Joined(_) => &JOINED,
            Svi::Slice => &SLICE,
        }
    }

    fn results(&self) -> &[&'static str] {
        match self {
            Svi::Slice => {
                &["jw_v", "jw_psi", "jw_p", "jw_c", "jw_vtilde", "min_g", "argmin_k", "butterfly_free"]
            }
            _ => &["w", "implied_vol", "dw_dk", "d2w_dk2", "g", "density_in_k"],
        }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (slice, years) = match self {
            Svi::Slice => return slice_report(row, out),
            Svi::Point => slice(row)?,
            Svi::Joined(slices) => {
                let found = slices.slices.get(row.cell("slice_id"));
                *found.ok_or_else(|| RowError::Word {
                    column: "slice_id",
                    expected: "the id of a slice in the file of slices",
                    text: String::from_utf8_lossy(row.cell("slice_id")).chars().take(40).collect(),
                })?
            }
        };
        slice.validate()?;
        let k = row.finite("k")?;
        let jet = slice.jet(k);
        let vol = slice.implied_vol(k, years);
        let values = [jet.w, vol, jet.dw, jet.d2w, jet.durrleman(k), jet.density(k)];
        out.extend(values.map(Value::Number));
        Ok(())
    }
}

/// Half-width in log-moneyness that a slice is searched for arbitrage on; beyond e^10 times the forward
/// nobody quotes, and the reference tables report minima up to here.
const REACH: f64 = 10.003;

fn slice_report(row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
    let (slice, years) = slice(row)?;
    slice.validate()?;
    let wings = slice.jump_wings(years)?;
    let butterfly = slice.butterfly(-REACH, REACH);
    let wings = [wings.v, wings.psi, wings.p, wings.c, wings.v_tilde];
    out.extend(wings.map(Value::Number));
    out.extend([butterfly.min_g, butterfly.at_k].map(Value::Number));
    out.push(Value::Word(if butterfly.min_g >= 0.0 { "yes" } else { "no" }));
    Ok(())
}

pub(super) struct Ssvi;

impl Formula for Ssvi {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 7] = [
            Column::new("rho", "correlation"),
            Column::new("eta", "level of phi"),
            Column::new("gamma", "decay of phi, from 0 to 1"),
            Column::new("atm_vol", "at-the-money volatility: theta(T) = atm_vol^2 T + atm_slope T^2/2"),
            Column::new("atm_slope", "growth of at-the-money variance per year"),
            YEARS,
            K,
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["theta", "phi", "w", "implied_vol", "dw_dT", "g", "local_vol", "ssvi_sufficient_no_butterfly"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let n = |column| row.finite(column);
        let surface = ssvi::Ssvi { rho: n("rho")?, eta: n("eta")?, gamma: n("gamma")? };
        let (vol, growth) = (n("atm_vol")?, n("atm_slope")?);
        let (years, k) = (row.positive("T")?, n("k")?);
        let atm = AtmVariance {
            theta: vol * vol * years + growth * years * years / 2.0,
            slope: vol * vol + growth * years,
        };
        let slice = surface.slice(atm.theta)?;
        let jet = slice.jet(k);
        let in_time = surface.variance_slope_in_theta(k, atm.theta) * atm.slope;
        let values = [atm.theta, slice.phi, jet.w, slice.implied_vol(k, years), in_time, jet.durrleman(k)];
        out.extend(values.map(Value::Number));
        out.push(Value::Number(surface.local_vol(k, atm).unwrap_or(f64::NAN)));
        out.push(Value::Word(if slice.is_surely_butterfly_free() { "yes" } else { "no" }));
        Ok(())
    }
}
