use crate::table::{Row, Worst, relative, rows};
use onetape_pricing::surface::Smile;
use onetape_pricing::surface::sabr::Sabr;
use onetape_pricing::surface::ssvi::{AtmVariance, Ssvi};
use onetape_pricing::surface::svi::RawSvi;
use std::collections::BTreeMap;

fn raw(row: &Row) -> RawSvi {
    let n = |c| row.number(c);
    RawSvi { a: n("a"), b: n("b"), rho: n("rho"), m: n("m"), sigma: n("sigma") }
}

#[test]
fn sabr_lognormal() {
    let Some(rows) = rows("sabr.csv") else { return };
    let mut worst = Worst::default();
    for row in &rows {
        let n = |c| row.number(c);
        let sabr = Sabr { alpha: n("alpha"), beta: n("beta"), nu: n("nu"), rho: n("rho") };
        let found = sabr.black_vol(n("F"), n("K"), n("T")).unwrap();
        worst.see(relative(found, n("hagan_lognormal_vol")), row.text("id"));
    }
    worst.check("sabr.csv relative", 1e-12);
}

#[test]
fn svi_jump_wings_and_butterfly() {
    let Some(rows) = rows("svi_slices.csv") else { return };
    let (mut wings, mut back, mut minimum) = (Worst::default(), Worst::default(), Worst::default());
    for row in &rows {
        let n = |c| row.number(c);
        let (id, slice) = (row.text("id"), raw(row));
        let jw = slice.jump_wings(n("T")).unwrap();
        for (found, column) in
            [(jw.v, "jw_v"), (jw.psi, "jw_psi"), (jw.p, "jw_p"), (jw.c, "jw_c"), (jw.v_tilde, "jw_vtilde")]
        {
            wings.see((found - n(column)).abs() / n(column).abs().max(1e-3), id);
        }
        if let Ok(again) = jw.raw(n("T")) {
            for k in [-1.0, 0.0, 1.0] {
                back.see((again.total_variance(k) - slice.total_variance(k)).abs(), id);
            }
        }
        // Fifteen rows have their minimum at 10.003, just outside the stated [-10, 10].
        let reach = n("argmin_k").abs().max(10.0);
        let report = slice.butterfly(-reach, reach);
        minimum.see((report.min_g - n("min_g")).abs(), id);
        assert_eq!(report.min_g >= 0.0, row.text("butterfly_free") == "yes", "row {id}: {report:?}");
    }
    wings.check("svi_slices.csv jump wings relative", 1e-12);
    back.check("svi_slices.csv jump wings to raw and back, total variance", 1e-9);
    minimum.check("svi_slices.csv min g", 1e-8);
}

#[test]
fn svi_points() {
    let (Some(slices), Some(rows)) = (rows("svi_slices.csv"), rows("svi_points.csv")) else { return };
    let slices: BTreeMap<String, (RawSvi, f64)> =
        slices.iter().map(|row| (row.text("id").to_owned(), (raw(row), row.number("T")))).collect();
    let mut worst: [Worst; 6] = Default::default();
    for row in &rows {
        let (slice, t) = slices[row.text("slice_id")];
        let k = row.number("k");
        let jet = slice.jet(k);
        let found = [jet.w, slice.implied_vol(k, t), jet.dw, jet.d2w, jet.durrleman(k), jet.density(k)];
        let columns = ["w", "implied_vol", "dw_dk", "d2w_dk2", "g", "density_in_k"];
        for ((worst, found), column) in worst.iter_mut().zip(found).zip(columns) {
            worst.see(relative(found, row.number(column)), row.text("id"));
        }
    }
    for (worst, column) in worst.iter().zip(["w", "implied_vol", "dw_dk", "d2w_dk2", "g", "density"]) {
        worst.check(&format!("svi_points.csv {column} relative"), 1e-12);
    }
}

#[test]
fn ssvi_and_local_vol() {
    let Some(rows) = rows("ssvi_localvol.csv") else { return };
    let (mut worst, mut local) = (Worst::default(), Worst::default());
    for row in &rows {
        let n = |c| row.number(c);
        let (id, t, k) = (row.text("id"), n("T"), n("k"));
        let surface = Ssvi { rho: n("rho"), eta: n("eta"), gamma: n("gamma") };
        let (vol, slope) = (n("atm_vol"), n("atm_slope"));
        let atm = AtmVariance { theta: vol * vol * t + slope * t * t / 2.0, slope: vol * vol + slope * t };
        let slice = surface.slice(atm.theta).unwrap();
        worst.see(relative(slice.phi, n("phi")), id);
        worst.see(relative(slice.total_variance(k), n("w")), id);
        worst.see(relative(slice.jet(k).durrleman(k), n("g")), id);
        let in_time = surface.variance_slope_in_theta(k, atm.theta) * atm.slope;
        worst.see(relative(in_time, n("dw_dT")), id);
        assert_eq!(
            slice.is_surely_butterfly_free(),
            row.text("ssvi_sufficient_no_butterfly") == "yes",
            "row {id}"
        );
        match surface.local_vol(k, atm) {
            Ok(found) => local.see(relative(found, n("local_vol")), id),
            Err(_) => assert!(n("local_vol").is_nan(), "row {id} has a local volatility"),
        }
    }
    worst.check("ssvi_localvol.csv phi, w, g, dw/dT relative", 1e-9);
    local.check("ssvi_localvol.csv local vol relative", 1e-9);
}
