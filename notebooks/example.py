"""A week of an example shop, so that these notebooks show the same everywhere: requests and latency of three hosts.

Values follow from their moments alone, so that pushing them again changes nothing. Replace `push` by nothing and the metrics'
names by yours to look at your own data.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from dashapp.client import Client

HOSTS = ("web-1", "web-2", "web-3")
STEP_S = 120


def week() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(requests a second, latency in ms): rows are moments (UTC), a column a host, up to now."""
    end = int(pd.Timestamp.now("UTC").timestamp()) // STEP_S * STEP_S
    # The oldest samples of a week that the server keeps for a week would be refused a moment later.
    at = np.arange(end - 7 * 86_400 + 3_600, end + 1, STEP_S)
    hour = at % 86_400 / 3_600
    weekend = (at // 86_400 + 3) % 7 >= 5
    rush = 0.35 + 0.65 * np.exp(-(((hour - 15) / 4.5) ** 2))
    requests, latency = {}, {}
    for number, host in enumerate(HOSTS):
        noise = np.modf(np.abs(np.sin(at / STEP_S * 12.9898 + number * 78.233) * 43_758.5453))[0] - 0.5
        requests[host] = 120 * rush * np.where(weekend, 0.6, 1.0) * (1 + 0.12 * number) * (1 + 0.14 * noise)
        latency[host] = (45 + 90 * (requests[host] / 150) ** 2) * (1 + 0.22 * noise)
    # Every fifth day one host waits for its backup over lunch, which nobody has noticed yet.
    slow = (at // 86_400 % 5 == 1) & (hour > 11.2) & (hour < 12.1)
    latency["web-2"] = latency["web-2"] * np.where(slow, 4.0, 1.0)
    index = pd.to_datetime(at, unit="s", utc=True).rename("time")
    return (
        pd.DataFrame(requests, index=index).rename_axis(columns="host").round(2),
        pd.DataFrame(latency, index=index).rename_axis(columns="host").round(2),
    )


def push(client: Client) -> int:
    """Send the week to the server; answers how many samples that are."""
    requests, latency = week()
    sent = client.push(requests, name="example.requests") + client.push(latency, name="example.latency")
    client.describe("example.requests", unit="ops/s", description="Requests a second of the example shop.")
    client.describe("example.latency", unit="ms", description="How long the example shop's answers take.")
    # What comes late stands in the rollups within half a minute.
    deadline = time.monotonic() + 60
    while _held(client) < sent * 0.99 and time.monotonic() < deadline:
        # The API tells nobody that rollups have caught up: it has to be asked now and then.
        time.sleep(1)
    return sent


def _held(client: Client) -> float:
    names = ("example.requests", "example.latency")
    counts = [client.query(name, last="8d", step="1h", aggregation="count", fresh=True) for name in names]
    return sum(float(count.sum().sum()) for count in counts)
