#!/usr/bin/env python3
"""Times numpy/scipy, QuantLib and onetape's own benches in one run on one machine, and prints ratios.

    pip install numpy scipy QuantLib
    python3 tests/peers/pricing.py                 # builds and runs the benches (criterion)
    python3 tests/peers/pricing.py --no-bench      # reads the figures of the last bench run
    python3 tests/peers/pricing.py --program target/release/onetape    # also compares values

Peers are timed before and after the benches; of every figure, own and foreign, the least disturbed sample
counts, on one thread. The options are those of the benches: same generator, same seed. QuantLib's figures include the
Python call per option, as its users pay it.
"""

import argparse
import csv
import io
import json
import math
import os
import pathlib
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

try:
    import numpy as np
    import QuantLib as ql
    from scipy.special import ndtr
except ImportError as error:
    sys.exit(f"{error}; pip install numpy scipy QuantLib")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCHES = ("european", "american", "models", "chain")


def uniform(state=0x2545F4914F6CDD1D):
    """The xorshift stream of the benches."""
    mask = (1 << 64) - 1
    while True:
        state ^= (state << 13) & mask
        state ^= state >> 7
        state ^= (state << 17) & mask
        yield (state >> 11) / 9007199254740992.0


def european_columns(count=4096):
    draw = uniform()
    bounds = [(90, 110), (70, 140), (0.02, 2.0), (0.0, 0.06), (0.0, 0.03), (0.08, 0.9)]
    columns = [np.array([low + (high - low) * next(draw) for _ in range(count)]) for low, high in bounds]
    return columns + [np.where(np.arange(count) % 2 == 0, 1.0, -1.0)]


def american_options(count=64):
    draw = uniform()
    bounds = [(80.0, 125.0), (0.25, 3.0), (0.01, 0.08), (0.01, 0.08), (0.1, 0.6)]
    return [
        tuple(low + (high - low) * next(draw) for low, high in bounds) + ("c" if i % 2 == 0 else "p",)
        for i in range(count)
    ]


def best(work, repeats=7):
    """Least processor time of a call, in nanoseconds."""
    least = math.inf
    for _ in range(repeats):
        start = time.process_time_ns()
        work()
        least = min(least, time.process_time_ns() - start)
    return least


def numpy_price_and_greeks(S, K, T, r, q, v, s):
    root = np.sqrt(T)
    d1 = (np.log(S / K) + (r - q) * T) / (v * root) + 0.5 * v * root
    d2 = d1 - v * root
    dq, dr = np.exp(-q * T), np.exp(-r * T)
    n1, n2 = ndtr(s * d1), ndtr(s * d2)
    density = dq * np.exp(-0.5 * d1 * d1) * 0.3989422804014327
    a, b = s * S * dq * n1, s * K * dr * n2
    theta = -0.5 * S * density * v / root + q * a - r * b
    return a - b, s * dq * n1, density / (S * v * root), S * density * root, theta, T * b


TODAY = ql.Date(2, 1, 2025)
DAYS = ql.Actual365Fixed()


def curve(rate):
    return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, rate, DAYS))


def process(S, r, q, v):
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), v, DAYS))
    return ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(S)), curve(q), curve(r), vol)


def right(kind):
    return ql.Option.Call if kind in ("c", 1.0) else ql.Option.Put


def expiry(years):
    return TODAY + max(1, round(365 * years))


def quantlib_european(columns, count=256):
    options = []
    for S, K, T, r, q, v, s in list(zip(*columns))[:count]:
        option = ql.VanillaOption(ql.PlainVanillaPayoff(right(s), K), ql.EuropeanExercise(expiry(T)))
        option.setPricingEngine(ql.AnalyticEuropeanEngine(process(S, r, q, v)))
        options.append(option)

    def work():
        for option in options:
            option.recalculate()
            option.NPV(), option.delta(), option.gamma(), option.vega(), option.theta(), option.rho()

    return best(work) / count


def quantlib_american(options, scheme):
    priced = []
    for K, T, r, q, v, kind in options:
        exercise = ql.AmericanExercise(TODAY, expiry(T))
        option = ql.VanillaOption(ql.PlainVanillaPayoff(right(kind), K), exercise)
        option.setPricingEngine(ql.QdFpAmericanEngine(process(100.0, r, q, v), scheme))
        priced.append(option)

    def work():
        for option in priced:
            option.recalculate()
            option.NPV()

    return best(work) / len(options), [option.NPV() for option in priced]


def quantlib_implied(count=64):
    quotes = []
    for K, T, _, _, v, kind in american_options(count):
        price = ql.blackFormula(right(kind), K, 100.0, v * math.sqrt(T))
        quotes.append((right(kind), K, 100.0, price))

    def work():
        for kind, K, F, price in quotes:
            ql.blackFormulaImpliedStdDevLiRS(kind, K, F, price, 1.0, 0.0, 0.3, 1.0, 1e-12, 100)

    return best(work) / count


def heston_model():
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    return ql.HestonModel(ql.HestonProcess(curve(0.03), curve(0.01), spot, 0.035, 2.2, 0.05, 0.55, -0.68))


def quantlib_heston():
    engine = ql.AnalyticHestonEngine(heston_model())
    options = []
    for i in range(-20, 21):
        strike = 100.0 * math.exp(0.02 * i)
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, strike), ql.EuropeanExercise(TODAY + 91))
        option.setPricingEngine(engine)
        options.append(option)

    def work():
        for option in options:
            option.recalculate()
            option.NPV()

    return best(work) / len(options)


def quantlib_calibration():
    """104 volatilities of a Heston model: eight expiries, thirteen strikes."""
    engine = ql.AnalyticHestonEngine(heston_model())
    spot = ql.QuoteHandle(ql.SimpleQuote(100.0))
    quotes = []
    for months in (1, 2, 3, 6, 9, 12, 18, 24):
        end = ql.NullCalendar().advance(TODAY, ql.Period(months, ql.Months))
        years = DAYS.yearFraction(TODAY, end)
        for i in range(-6, 7):
            strike = 100.0 * math.exp(0.3 * i / 6 * math.sqrt(years))
            option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, strike), ql.EuropeanExercise(end))
            option.setPricingEngine(engine)
            forward = 100.0 * math.exp(0.02 * years)
            vol = ql.blackFormulaImpliedStdDevLiRS(
                ql.Option.Call, strike, forward, option.NPV(), math.exp(-0.03 * years), 0.0, 0.2, 1.0, 1e-12, 100
            ) / math.sqrt(years)
            quotes.append((months, strike, vol))

    def work():
        start = ql.HestonProcess(curve(0.03), curve(0.01), spot, 0.05, 1.0, 0.05, 0.5, -0.4)
        model = ql.HestonModel(start)
        fit = ql.AnalyticHestonEngine(model, 64)
        helpers = []
        for months, strike, vol in quotes:
            period, quote = ql.Period(months, ql.Months), ql.QuoteHandle(ql.SimpleQuote(vol))
            helper = ql.HestonModelHelper(period, ql.NullCalendar(), 100.0, strike, quote, curve(0.03), curve(0.01))
            helper.setPricingEngine(fit)
            helpers.append(helper)
        method = ql.LevenbergMarquardt(1e-8, 1e-8, 1e-8)
        model.calibrate(helpers, method, ql.EndCriteria(200, 50, 1e-8, 1e-8, 1e-8))

    return best(work, 3)


def numpy_paths(count=1_000_000):
    generator = np.random.Generator(np.random.PCG64(1))

    def work():
        z = generator.standard_normal(count // 2)
        up = np.exp(0.2 * z - 0.02)
        down = np.exp(-0.2 * z - 0.02)
        (np.maximum(100.0 * up - 100.0, 0.0).mean() + np.maximum(100.0 * down - 100.0, 0.0).mean()) / 2

    return best(work)


def numpy_lsm(paths=100_000, dates=50):
    generator = np.random.Generator(np.random.PCG64(1))

    def work():
        dt, strike, rate, vol = 1.0 / dates, 40.0, 0.06, 0.2
        z = generator.standard_normal((dates, paths // 2))
        z = np.concatenate([z, -z], axis=1)
        prices = 36.0 * np.exp(np.cumsum((rate - 0.5 * vol * vol) * dt + vol * math.sqrt(dt) * z, axis=0))
        cash = np.maximum(strike - prices[-1], 0.0)
        for date in range(dates - 2, -1, -1):
            cash *= math.exp(-rate * dt)
            now = np.maximum(strike - prices[date], 0.0)
            paying = now > 0.0
            fit = np.polyfit(prices[date][paying] / strike, cash[paying], 3)
            exercised = now[paying] >= np.polyval(fit, prices[date][paying] / strike)
            places = np.flatnonzero(paying)[exercised]
            cash[places] = now[places]
        cash.mean()

    return best(work, 3)


def peers(columns, options):
    fast, _ = quantlib_american(options, ql.QdFpAmericanEngine.fastScheme())
    accurate, values = quantlib_american(options, ql.QdFpAmericanEngine.accurateScheme())
    figures = {
        "numpy/scipy price + 5 Greeks": best(lambda: numpy_price_and_greeks(*columns)) / len(columns[0]),
        "QuantLib price + 5 Greeks": quantlib_european(columns),
        "QuantLib implied volatility (Li-RS)": quantlib_implied(),
        "QuantLib QdFp fast": fast,
        "QuantLib QdFp accurate": accurate,
        "QuantLib Heston, per strike": quantlib_heston(),
        "QuantLib Heston calibration": quantlib_calibration(),
        "numpy 1M antithetic paths": numpy_paths(),
        "numpy LSM 100k x 50": numpy_lsm(),
    }
    return figures, values


def bench(names):
    """Runs the benches and reads criterion's least disturbed samples: {'group/function': nanoseconds}."""
    for name in names:
        command = ["cargo", "bench", "-q", "--locked", "-p", "onetape-pricing", "--bench", name]
        options = ["--", "--quiet", "--noplot", "--warm-up-time", "0.3", "--measurement-time", "1"]
        done = subprocess.run(command + options, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    found = {}
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "criterion"
    for path in folder.glob("**/new/sample.json"):
        told = json.loads((path.parent / "benchmark.json").read_text())
        sample = json.loads(path.read_text())
        found[told["full_id"]] = min(t / n for t, n in zip(sample["times"], sample["iters"]))
    if not found:
        sys.exit(f"{folder} has no figures; run without --no-bench")
    return found


# What to print: name, bench id, units of work in it, scale and unit, peer.
ROWS = [
    ("price + 5 Greeks, plain scalar libm", "bsm x4096/price + 5 Greeks, scalar libm reference", 4096, 1, "ns", None),
    ("price + 5 Greeks, columns", "bsm x4096/price + 5 Greeks, batch", 4096, 1, "ns", "numpy/scipy price + 5 Greeks"),
    ("price + 5 Greeks, one expiry", "bsm x4096/price + 5 Greeks, one expiry", 4096, 1, "ns", "QuantLib price + 5 Greeks"),
    ("all 17, columns", "bsm x4096/all 17, batch", 4096, 1, "ns", None),
    ("implied volatility, one at a time", "implied vol x64/Black, one at a time", 64, 1, "ns", "crate implied-vol"),
    ("implied volatility, columns", "implied vol x64/Black, columns", 64, 1, "ns", "QuantLib implied volatility (Li-RS)"),
    ("American, Fast", "american x64/Fast", 64, 1e3, "us", "QuantLib QdFp fast"),
    ("American, Accurate", "american x64/Accurate", 64, 1e3, "us", "QuantLib QdFp accurate"),
    ("American, High", "american x64/High", 64, 1e3, "us", None),
    ("Heston strip, per strike (41 at 1e-11)", "heston/strip_41_strikes_1e-11", 41, 1e3, "us", "QuantLib Heston, per strike"),
    ("Heston calibration, 104 vols", "heston/calibrate_104_vols", 1, 1e6, "ms", "QuantLib Heston calibration"),
    ("1M European paths, antithetic", "monte_carlo/european_1m_paths_antithetic", 1, 1e6, "ms", "numpy 1M antithetic paths"),
    ("LSM, 100k paths x 50 dates", "monte_carlo/lsm_100k_paths_50_dates", 1, 1e6, "ms", "numpy LSM 100k x 50"),
    ("live chain, tick, European series", "live European chain x10000/tick of the underlying", 10000, 1, "ns", None),
    ("live chain, tick, American series", "live American chain x1000/tick of the underlying", 1000, 1, "ns", None),
    ("10,000 quotes to vols and Greeks", "live European chain x10000/volatilities and Greeks from quotes", 1, 1e6, "ms", None),
]


def compare_values(program, options, quantlib):
    """The largest difference between QuantLib's accurate scheme and onetape's `high` on the same options."""
    lines = ["type,S,K,T,r,q,sigma"]
    for K, T, r, q, v, kind in options:
        lines.append(f"{kind},100,{K!r},{max(1, round(365 * T)) / 365!r},{r!r},{q!r},{v!r}")
    command = [program, "price", "--csv", "-", "--model", "american", "--price-only", "--quiet"]
    text = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    return max(abs(float(row["price"]) - value) for row, value in zip(rows, quantlib))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-bench", action="store_true", help="read the last bench run")
    parser.add_argument("--bench", action="append", choices=BENCHES, help="run this bench alone; repeatable")
    parser.add_argument("--program", help="path of onetape, to compare values with QuantLib")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    ql.Settings.instance().evaluationDate = TODAY
    columns, options = european_columns(), american_options()
    before, values = peers(columns, options)
    own = bench(() if asked.no_bench else asked.bench or BENCHES)
    after, _ = peers(columns, options)
    figures = {name: min(before[name], after[name]) for name in before}
    crate = own.get("implied vol x64/crate implied-vol, one at a time")
    if crate is not None:
        figures["crate implied-vol"] = crate / 64
    table = []
    for name, bench_id, units, scale, unit, peer in ROWS:
        if bench_id not in own:
            continue
        ours = own[bench_id] / units
        theirs = figures.get(peer)
        table.append((name, ours / scale, unit, peer, theirs / scale if theirs else None, ours / theirs if theirs else None))
    difference = compare_values(asked.program, options, values) if asked.program else None
    if asked.json:
        keys = ("what", "onetape", "unit", "peer", "peer_value", "ratio")
        print(json.dumps({"rows": [dict(zip(keys, row)) for row in table], "american_difference": difference}, indent=2))
        return
    print(f"numpy {np.__version__}, QuantLib {ql.__version__}; one thread; load {os.getloadavg()[0]:.1f}")
    print(f"{'':<40}{'onetape':>10} {'':<3}{'peer':>10}  ratio")
    for name, ours, unit, peer, theirs, ratio in table:
        peer_text = f"{theirs:>10.2f}  {ratio:.3f}  {peer}" if theirs else ""
        print(f"{name:<40}{ours:>10.2f} {unit:<3}{peer_text}")
    if difference is not None:
        print(f"American options: QuantLib QdFp accurate and onetape high differ by at most {difference:.1e}")


if __name__ == "__main__":
    main()
