"""Makes tests/reference.json: what numpy, pandas and scipy find in a few tables.

Run it in an environment with these three, and only when the cases change:

    python reference.py > reference.json
"""

import io
import json
import sys

import numpy as np
import pandas as pd
from scipy import stats


def rounded(series):
    """Values that a CSV holds exactly as pandas has them."""
    return [round(float(value), 4) for value in series]


def tables():
    random = np.random.default_rng(20240101)
    count = 120
    price = rounded(random.lognormal(2, 0.5, count))
    yield "shops", pd.DataFrame({
        "day": [str(day)[:10] for day in pd.date_range("2024-01-01", periods=count)],
        "region": random.choice(["north", "south", "east", "west"], count),
        "price": price,
        "sales": rounded(200 - 8 * np.array(price) + random.normal(0, 15, count)),
        "returns": random.integers(0, 9, count),
    })
    gaps = rounded(1e6 + np.arange(40) * 12.5 + random.normal(0, 90, 40))
    yield "gaps", pd.DataFrame({
        "region": ["a", "b"] * 20,
        "price": [None if n % 7 == 3 else value for n, value in enumerate(gaps)],
        "sales": rounded(random.standard_t(2, 40) * 1e-5 * 1e3),
    })


def line(values, steps):
    """The least-squares line over positions, and its 95 % prediction intervals ahead."""
    x = np.arange(len(values))[~np.isnan(values)]
    y = values[~np.isnan(values)]
    fit = stats.linregress(x, y)
    n = len(x)
    spread = np.sqrt(((y - fit.intercept - fit.slope * x) ** 2).sum() / (n - 2))
    ahead = []
    for at in range(len(values), len(values) + steps):
        value = fit.intercept + fit.slope * at
        around = np.sqrt(1 + 1 / n + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
        reach = stats.t.ppf(0.975, n - 2) * spread * around
        ahead.append({"position": at + 1, "value": value, "lower": value - reach, "upper": value + reach})
    return fit, ahead


def column(values):
    series = pd.Series(values, dtype=float)
    fit, ahead = line(series.to_numpy(), 3)
    quarter, half, three = np.nanquantile(series, [0.25, 0.5, 0.75])
    outside = (series < quarter - 1.5 * (three - quarter)) | (series > three + 1.5 * (three - quarter))
    return {
        "count": int(series.count()),
        "sum": series.sum(), "mean": series.mean(), "median": half,
        "standardDeviation": series.std(),
        "lowerQuartile": quarter, "upperQuartile": three,
        "slope": fit.slope, "intercept": fit.intercept, "rSquared": fit.rvalue**2,
        "outliers": int(outside.sum()), "forecast": ahead,
    }


def case(name, frame):
    text = io.StringIO()
    frame.to_csv(text, index=False)
    grouped = frame.groupby("region", sort=False)["price"]
    figures = grouped.agg(["count", "sum", "mean", "median", "min", "max"])
    north = frame[(frame["price"] >= frame["price"].median()) & (frame["region"] != "east")]
    return {
        "name": name,
        "csv": text.getvalue(),
        "columns": {name: column(frame[name]) for name in ["price", "sales"]},
        "groups": [{"group": key, **row} for key, row in figures.to_dict("index").items()],
        "correlation": {"r": frame["price"].corr(frame["sales"]),
                        "count": int(frame[["price", "sales"]].dropna().shape[0])},
        "filtered": {"from": frame["price"].median(), "not": "east",
                     "count": int(north["sales"].count()), "mean": north["sales"].mean()},
    }


json.dump([case(*table) for table in tables()], sys.stdout, indent=1, default=float)
print()
