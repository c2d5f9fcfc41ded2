"""The client against a running dashapp."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

import dashapp
from dashapp.build import Dashboard, gauge, line, stat
from dashapp.client import Client, local, tables
from dashapp.client.asynchronous import AsyncClient
from dashapp.errors import NotFound, StartupError, Unauthorized, Unavailable, ValidationFailed
from tests.running import Dashapp


def _moments(count: int, step: str = "10s") -> pd.DatetimeIndex:
    return pd.date_range(end=pd.Timestamp.now("UTC").floor("min"), periods=count, freq=step, unit="ms", name="time")


def test_importing_dashapp_is_quick_and_light() -> None:
    heavy = "import sys, dashapp; print([m for m in ('pandas', 'numpy', 'httpx', 'pydantic', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    lazy = "import sys, dashapp.client, dashapp.build; print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", lazy], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_what_is_pushed_comes_back(client: Client) -> None:
    index = _moments(2500, "1s")
    rng = np.random.default_rng(7)
    wide = pd.DataFrame({"wide.a": rng.normal(size=2500), "wide.b": rng.normal(size=2500)}, index=index)
    wide.iloc[5, 0] = np.nan
    assert client.push(wide) == 4999
    for name in wide:
        back = client.query(str(name), start=index[0].to_pydatetime(), end="now", step="1s")
        assert str(back.index.tz) == "UTC"
        assert back.index.name == "time"
        assert list(back.columns) == [name]
        pd.testing.assert_series_equal(back[name], wide[name].dropna(), check_freq=False)
    assert back.attrs["query"] == "wide.b"
    assert back.attrs["meta"]["step"] == "1s"
    assert client.push(wide) == 4999, "again changes nothing"
    assert len(client.query("wide.a", last="2h", step="1s", aggregation="count")) == 2499


def test_columns_are_named_by_tags_and_can_be_pushed_back(client: Client) -> None:
    index = _moments(6)
    long = pd.DataFrame(
        {
            "timestamp": index.repeat(3),
            "name": "long.load",
            "value": np.arange(18.0),
            "host": ["a", "a", "b"] * 6,
            "core": [1, 2, None] * 6,
        }
    )
    assert client.push(long, tags={"site": "here"}) == 18
    assert client.tags("long.load") == {"host": ["a", "b"], "core": ["1.0", "2.0"], "site": ["here"]}
    one = client.query("long.load", by="host", step="10s", aggregation="sum", tags={"site": "here"})
    assert one.columns.name == "host"
    assert one["a"].tolist() == [1, 7, 13, 19, 25, 31]
    both = client.query("long.load", by=["host", "core"], step="10s")
    assert both.columns.names == ["host", "core"]
    assert both["b", ""].tolist() == [2, 5, 8, 11, 14, 17]
    assert client.push(both * 10, name="long.times") == 18
    again = client.query("long.times", by=["host", "core"], step="10s")
    pd.testing.assert_frame_equal(again, both * 10, check_freq=False)


def test_a_series_is_pushed_under_its_name(client: Client) -> None:
    series = pd.Series([1.0, 2.0], index=_moments(2), name="alone")
    assert client.push(series) == 2
    assert client.push(series, name="other", tags={"a": "b"}) == 2
    assert [metric.name for metric in client.metrics("alone")] == ["alone"]
    assert client.tags("other") == {"a": ["b"]}


def test_nothing_found_is_an_empty_table(client: Client) -> None:
    empty = client.query("nowhere.at.all", by="host")
    assert empty.shape[0] == 0
    assert str(empty.index.tz) == "UTC"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pd.DataFrame({"no spaces": [1.0, 2.0]}, index=_moments(2)), r"^row 0: name: .*'no spaces'.* \(and 1 more rows\)\.$"),
        (pd.DataFrame({"x": [1.0, np.inf]}, index=_moments(2)), r"^row 1: value: inf is no finite number"),
        (pd.DataFrame({"x": ["a", "b"]}, index=_moments(2)), r"^column x: holds no numbers"),
        (pd.DataFrame({"x": [1.0]}, index=["today"]), r"hold no times"),
        (pd.DataFrame({"x": [1.0], "y": [2.0]}, index=_moments(1)).rename_axis(columns=None), None),
        (pd.DataFrame({"name": ["x"], "value": ["much"], "time": _moments(1)}), r"^row 0: value: 'much' is no number"),
        (pd.DataFrame({"x": [1.0, 2.0]}, index=_moments(2) + pd.Timedelta(days=3)), r"^row 0: timestamp: .*ahead"),
    ],
)
def test_errors_name_the_rows(client: Client, table: pd.DataFrame, says: str | None) -> None:
    if says is None:
        with pytest.raises(ValidationFailed, match=r"df\.columns\.name"):
            client.push(table, name="metric")
        return
    with pytest.raises(ValidationFailed, match=says):
        client.push(table)


def test_the_servers_errors_are_the_family(client: Client, server: Dashapp) -> None:
    with pytest.raises(ValidationFailed, match="query"):
        client.query("no spaces")
    with pytest.raises(ValidationFailed, match="either"):
        client.query("x", last="1h", start="now-2h")
    with pytest.raises(ValidationFailed, match="needs a start"):
        client.query("x", end="now-2h")
    with pytest.raises(NotFound):
        client.definition("00000000-0000-0000-0000-000000000000")
    with dashapp.connect(server.url, "dashapp_wrong") as stranger, pytest.raises(Unauthorized):
        stranger.metrics()
    with dashapp.connect("http://127.0.0.1:9", "x", patience_s=0) as nobody, pytest.raises(Unavailable, match="can't be reached"):
        nobody.metrics()


def test_json_serves_where_arrow_is_not_installed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.push(pd.DataFrame({"twice": [1.0, 2.0, 3.0]}, index=_moments(3)), tags={"host": "a"})
    arrow = client.query("twice", by="host", step="10s")
    monkeypatch.setattr(tables, "has_arrow", lambda: False)
    json = client.query("twice", by="host", step="10s")
    pd.testing.assert_frame_equal(arrow, json)
    assert arrow.attrs["meta"].keys() == json.attrs["meta"].keys()


async def test_the_same_in_an_event_loop(data_dir: Path, client: Client) -> None:
    async with dashapp.connect_async(data_dir=data_dir) as other:
        assert isinstance(other, AsyncClient)
        assert await other.push(pd.DataFrame({"async.x": [1.0]}, index=_moments(1))) == 1
        assert (await other.query("async.x")).iloc[-1].item() == 1
        assert [metric.name for metric in await other.metrics("async")] == ["async.x"]
    assert client.me().role == "admin", "a sync client works within a loop, as in a notebook"


def test_a_method_takes_and_says_the_same_in_both_clients() -> None:
    for one, other in ((Client.query, AsyncClient.query), (dashapp.connect, dashapp.connect_async)):
        assert not inspect.iscoroutinefunction(one)
        assert one.__doc__
        assert (one.__doc__, inspect.signature(one).parameters) == (other.__doc__, inspect.signature(other).parameters)


def test_a_rule_is_tried_on_history(client: Client) -> None:
    index = _moments(120)
    client.push(pd.DataFrame({"heat": [95.0] * 60 + [10.0] * 60}, index=index))
    rule = {"name": "hot", "query": "heat", "condition": "gt", "threshold": 90, "duration": "1 minute"}
    tried = client.alerts.backtest(rule, start=index[0].to_pydatetime(), end=index[-1].to_pydatetime())
    assert tried["fired"] == 1
    assert all(rule["name"] != "hot" for rule in client.alerts.list())  # a trial stores nothing


def test_dashboards_from_code(client: Client) -> None:
    board = Dashboard("Made of code", description="By hand.", public=True)
    board.row(stat("Now", "wide.a", decimals=2), line("All", "long.load", by="host", unit="percent", w=8), h=3)
    board.row(gauge("Full", "wide.b", min=0, max=1))
    stored = client.put_dashboard(board)
    assert [(p.title, p.position.x, p.position.y, p.position.w, p.position.h) for p in stored.panels] == [
        ("Now", 0, 0, 4, 3), ("All", 4, 0, 8, 3), ("Full", 0, 3, 12, 4),
    ]  # fmt: skip
    assert client.put_dashboard(board).id == stored.id, "the same name is the same dashboard"
    assert client.dashboard("Made of code").panels[0].id == stored.panels[0].id
    assert client.definition(stored.id) == Dashboard("Made of code", description="By hand.", public=True, id=stored.id).add(
        *board.panels
    ).yaml()  # fmt: skip
    with pytest.raises(ValidationFailed, match=r"'Wrong': options\.unit"):
        line("Wrong", "x", unit="parsec")
    client.delete_dashboard(stored.id)
    assert "Made of code" not in [dashboard.name for dashboard in client.dashboards()]


def test_the_local_token_is_for_the_owner_and_for_that_server_only(data_dir: Path, server: Dashapp) -> None:
    file = data_dir / local.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    left = local.read(data_dir)
    assert left is not None
    assert left.url == server.url
    with dashapp.connect(server.url, data_dir=data_dir) as client:
        assert client.me().role == "admin"
    with pytest.raises(StartupError, match="no token"):
        dashapp.connect("http://metrics.example.org", data_dir=data_dir)
    answer = httpx.get(f"{server.url}/api/v1/auth/tokens", headers={"Authorization": f"Bearer {left.token}"})
    assert [(token["name"], token["scope"]) for token in answer.json()["data"]] == [("local tools", "write")]


def test_nothing_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASHAPP_URL", raising=False)
    with pytest.raises(StartupError, match="no dashapp runs in"):
        dashapp.connect(data_dir=tmp_path)
    with pytest.raises(StartupError, match="isn't the URL"):
        dashapp.connect("localhost", "token")
    local.write(tmp_path, "http://127.0.0.1:1", "x")
    assert local.read(tmp_path)
    (tmp_path / local.FILE).write_text('{"url": "http://127.0.0.1:1", "token": "x", "pid": 4194305}')
    assert local.read(tmp_path) is None, "that process is gone"


def test_a_plot_has_names_units_and_utc(client: Client) -> None:
    index = _moments(30)
    index = index.delete(range(12, 20))  # nobody measured for a while
    frame = pd.DataFrame({"a": np.arange(22.0), "b": np.arange(22.0) * 2}, index=index)
    frame.columns.name = "host"
    client.push(frame, name="plotted.bytes")
    asked = {"last": "1h", "by": "host", "step": "5s"}
    plot = client.plot("plotted.bytes", **asked)
    assert [str(dimension) for dimension in plot.kdims] == ["host"]
    assert list(plot.keys()) == ["a", "b"]
    curve = plot["a"]
    assert (curve.kdims[0].pprint_label, curve.vdims[0].pprint_label) == ("time (UTC)", "plotted.bytes")
    times, values = curve.dimension_values("time"), curve.dimension_values("plotted.bytes")
    assert times[0] == index[0].tz_localize(None).to_datetime64(), "UTC, as Bokeh takes it"
    assert dict(zip(times, values, strict=True))[times[-1]] == 21.0
    assert client.plot("plotted.bytes", last="1h").last.vdims[0].unit is None
    assert client.describe("plotted.bytes", unit="bytes").unit == "bytes"
    assert client.plot("plotted.bytes", **asked).last.vdims[0].pprint_label == "plotted.bytes (bytes)"
    assert client.plot("plotted.bytes", function="rate", **asked).last.vdims[0].unit == "bytes/s"
    nothing = client.plot("plotted.nothing", by=["host", "core"])
    assert [len(curve) for curve in nothing] == [0]
    with pytest.raises(ValidationFailed, match="either `last` or"):
        client.plot("plotted.bytes", last="1h", start="now-1h")
