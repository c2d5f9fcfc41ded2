from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.ipc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.api import arrow
from dashapp.api.answers import dumps
from dashapp.api.queries import _columns, _iso, _points
from dashapp.contract.frames import Frame, FrameMeta, Series
from tests.api.conftest import failed
from tests.api.test_metrics import T0, iso, over, point, points


@pytest.fixture
async def samples(editor: httpx.AsyncClient) -> None:
    """Hosts a and b: a in minutes 0 and 2, b in minute 2."""
    batch = [
        point(1.0, tags={"host": "a"}), point(3.0, tags={"host": "a"}, timestamp=T0 + 10_000),
        point(5.0, tags={"host": "a"}, timestamp=T0 + 120_000), point(7.0, tags={"host": "b"}, timestamp=T0 + 120_000),
    ]  # fmt: skip
    assert (await editor.post("/metrics", json=batch)).status_code == 200


class TestSingle:
    @pytest.mark.usefixtures("samples")
    async def test_points_are_bucket_starts_and_empty_buckets_absent(self, viewer: httpx.AsyncClient) -> None:
        answer = (await viewer.post("/query", json=over())).json()["data"]
        assert answer["data"] == [{"time": iso(T0), "value": 2.0}, {"time": iso(T0 + 120_000), "value": 6.0}]
        assert answer["meta"] == {
            "table": answer["meta"]["table"], "resolution": answer["meta"]["resolution"], "step": "1m", "cached": False,
            "coveredStart": T0, "coveredEnd": T0 + 300_000, "partial": False,
        }  # fmt: skip

    @pytest.mark.parametrize(("aggregation", "values"), [("min", [1, 5]), ("max", [3, 7]), ("sum", [4, 12]), ("count", [2, 2])])
    @pytest.mark.usefixtures("samples")
    async def test_aggregations(self, viewer: httpx.AsyncClient, aggregation: str, values: list[float]) -> None:
        assert [p["value"] for p in await points(viewer, aggregation=aggregation)] == values

    @pytest.mark.parametrize(
        ("function", "aggregation", "values"),
        [
            ("increase", "sum", [2.0, 2.0]),
            ("rate", "avg", [2 / 60, 1 / 60]),
            ("delta", "max", [2.0, 2.0]),
            ("rate", "count", [1, 2]),
        ],
    )
    @pytest.mark.usefixtures("samples")
    async def test_functions(self, viewer: httpx.AsyncClient, function: str, aggregation: str, values: list[float]) -> None:
        assert [p["value"] for p in await points(viewer, function=function, aggregation=aggregation)] == values
        query = {"id": "a", **over(), "function": function, "aggregation": aggregation, "groupBy": ["host"]}
        (answer,) = (await viewer.post("/query/batch", json={"queries": [query]})).json()["data"].values()
        assert [series["tags"]["host"] for series in answer["series"]] == ["a", "b"]

    @pytest.mark.usefixtures("samples")
    async def test_tags_filter_and_the_range_is_half_open(self, viewer: httpx.AsyncClient) -> None:
        assert await points(viewer, tags={"host": "b"}) == [{"time": iso(T0 + 120_000), "value": 7.0}]
        assert await points(viewer, minutes=2) == [{"time": iso(T0), "value": 2.0}]
        assert await points(viewer, tags={"host": "nobody"}) == []
        assert await points(viewer, query="unknown") == []

    @pytest.mark.parametrize("path", ["/query", "/query/batch"])
    @pytest.mark.usefixtures("samples")
    async def test_the_second_answer_is_cached_and_no_cache_asks_past_it(self, viewer: httpx.AsyncClient, path: str) -> None:
        body = over() if path == "/query" else {"queries": [{"id": "a", **over()}]}

        async def cached(**headers: str) -> bool:
            data = (await viewer.post(path, json=body, headers=headers)).json()["data"]
            answer: bool = (data if path == "/query" else data["a"])["meta"]["cached"]
            return answer

        assert [await cached(), await cached(), await cached(**{"Cache-Control": "Max-Age=0, no-cache"})] == [False, True, False]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"start": iso(T0 + 900_000)}, "start"),
            ({"start": iso(T0 + 300_000)}, "start"),
            ({"start": "yesterday"}, "start"),
            ({"end": "9999-01-01T00:00:00Z"}, "end"),
            ({"end": None}, "end"),
            ({"query": "a b"}, "query"),
            ({"aggregation": "median"}, "aggregation"),
            ({"step": "0s"}, "step"),
            ({"step": "500ms"}, "step"),
            ({"step": "fortnight"}, "step"),
            ({"tags": {"host": "\x00"}}, "tags.host"),
            ({"tags": {"host": []}}, "tags.host"),
            ({"tags": {"host": ["a", 1]}}, "tags.host"),
            ({"function": "median"}, "function"),
            ({"having": "x"}, "having"),
            ({"groupBy": ["host"]}, "groupBy"),
        ],
    )
    async def test_bad_queries(self, refused: httpx.AsyncClient, change: dict[str, Any], field: str) -> None:
        answer = await refused.post("/query", json={**over(), **change})
        assert set(failed(answer, 400, "VALIDATION_ERROR")) == {field}, answer.text

    @pytest.mark.usefixtures("samples")
    async def test_an_answer_that_would_be_too_large(self, viewer: httpx.AsyncClient) -> None:
        answer = await viewer.post("/query", json=over(start="1970-01-01T00:00:00Z", step="1s"))
        assert set(failed(answer, 400, "VALIDATION_ERROR")) == {"step"}


class TestBatch:
    @pytest.mark.usefixtures("samples")
    async def test_answers_each_under_its_id(self, viewer: httpx.AsyncClient) -> None:
        queries = [
            {"id": "all", **over(), "aggregation": "sum"},
            {"id": "by host", **over(), "groupBy": ["host"]},
            {"id": "none", **over(), "query": "unknown"},
        ]
        data = (await viewer.post("/query/batch", json={"queries": queries})).json()["data"]
        assert list(data) == ["all", "by host", "none"]
        times = [T0, T0 + 120_000]
        assert (data["all"]["times"], data["all"]["series"]) == (times, [{"tags": {}, "values": [4.0, 12.0]}])
        assert data["by host"]["times"] == times
        assert sorted(data["by host"]["series"], key=str) == [
            {"tags": {"host": "a"}, "values": [2.0, 5.0]},
            {"tags": {"host": "b"}, "values": [None, 7.0]},
        ]
        assert data["all"]["meta"]["step"] == "1m"
        assert (data["none"]["times"], data["none"]["series"]) == ([], [])

    @pytest.mark.usefixtures("samples")
    async def test_a_failing_query_fails_alone(self, viewer: httpx.AsyncClient) -> None:
        queries = [
            {"id": "good", **over()},
            {"id": "backwards", **over(), "end": iso(T0 - 60_000)},
            {"id": "unknown field", **over(), "having": "x"},
            {"id": "too large", **over(), "start": "1970-01-01T00:00:00Z", "step": "1s"},
            {"id": "nothing but an id"},
            {"id": "as good", **over()},
        ]
        answer = await viewer.post("/query/batch", json={"queries": queries})
        assert answer.status_code == 200
        data = answer.json()["data"]
        assert list(data) == [query["id"] for query in queries]
        for good in ("good", "as good"):
            assert data[good]["series"][0]["values"] == [2.0, 6.0]
        for bad, field in (
            ("backwards", "start"),
            ("unknown field", "having"),
            ("too large", "step"),
            ("nothing but an id", "query"),
        ):
            assert data[bad]["code"] == "VALIDATION_ERROR"
            assert field in data[bad]["details"]
            assert "series" not in data[bad]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "queries"),
            ({"queries": []}, "queries"),
            ({"queries": [{"id": "a"}] * 101}, "queries"),
            ({"queries": [{"id": "a"}, {"id": "a"}]}, "queries.1.id"),
            ({"queries": [{"id": "a"}, {}]}, "queries.1.id"),
            ({"queries": [{"id": 7}]}, "queries.0.id"),
            ({"queries": [{"id": ""}]}, "queries.0.id"),
            ({"queries": ["a"]}, "queries.0"),
            ({"queries": {"id": "a"}}, "queries"),
        ],
    )
    async def test_bad_batches(self, refused: httpx.AsyncClient, body: object, field: str) -> None:
        answer = await refused.post("/query/batch", json=body)
        assert set(failed(answer, 400, "VALIDATION_ERROR")) == {field}, answer.text


async def test_large_frames_are_written_in_turns_and_whole() -> None:
    n = 250_000
    values = np.arange(n, dtype=np.float64)
    values[7] = np.nan
    reversed_values = np.arange(n, dtype=np.float64)[::-1]  # not contiguous
    frame = Frame(np.arange(n) * 1000, [Series({"a": "1"}, values, values), Series({"a": "2"}, reversed_values, values)])
    columns = orjson.loads(dumps(await _columns(frame)))
    assert columns["times"] == (np.arange(n) * 1000).tolist()
    assert columns["series"][0]["values"][6:9] == [6.0, None, 8.0]
    assert columns["series"][1]["values"] == reversed_values.tolist()
    single = orjson.loads(dumps(await _points(frame)))
    assert len(single) == n - 1
    assert single[7] == {"time": "1970-01-01T00:00:08Z", "value": 8.0}
    assert orjson.loads(dumps(await _points(Frame(np.empty(0, np.int64))))) == []
    assert _iso(np.array([T0])) == [iso(T0).encode()]


@given(st.lists(st.integers(0, 4_102_444_799), max_size=20))
def test_times_are_written_like_pythons(seconds: list[int]) -> None:
    texts = [datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode() for second in seconds]
    assert _iso(np.array(seconds, np.int64) * 1000) == texts


def _read(answer: httpx.Response) -> pa.Table:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == arrow.MEDIA_TYPE
    return pa.ipc.open_stream(answer.content).read_all()


class TestArrow:
    accept = {"Accept": arrow.MEDIA_TYPE}

    @pytest.mark.usefixtures("samples")
    async def test_a_query_answers_columns_with_nulls(self, viewer: httpx.AsyncClient) -> None:
        body = {"queries": [{"id": "a", **over(), "groupBy": ["host"]}]}
        table = _read(await viewer.post("/query/batch", json=body, headers=self.accept))
        assert table.schema.field("time").type == pa.timestamp("ms", tz="UTC")
        assert table["time"].cast(pa.int64()).to_pylist() == [T0, T0 + 120_000]
        assert table["host=a"].to_pylist() == [2.0, 5.0]
        assert table["host=b"].to_pylist() == [None, 7.0]
        assert orjson.loads(table.schema.field("host=b").metadata[b"tags"]) == {"host": "b"}
        plain = (await viewer.post("/query/batch", json=body)).json()["data"]["a"]["meta"]
        assert orjson.loads(table.schema.metadata[b"meta"]) == {**plain, "cached": False}

    @pytest.mark.usefixtures("samples")
    async def test_a_single_query_has_one_column(self, viewer: httpx.AsyncClient) -> None:
        table = _read(await viewer.post("/query", json=over(), headers={"Accept": f"text/html, {arrow.MEDIA_TYPE};q=0.9"}))
        assert table.to_pydict()["value"] == [2.0, 6.0]
        table = _read(await viewer.post("/query", json=over(query="unknown"), headers=self.accept))
        assert (table.column_names, table.num_rows) == (["time"], 0)

    async def test_failures_are_json(self, viewer: httpx.AsyncClient) -> None:
        two = [{"id": "a", **over()}, {"id": "b", **over()}]
        answer = await viewer.post("/query/batch", json={"queries": two}, headers=self.accept)
        assert set(failed(answer, 400, "VALIDATION_ERROR")) == {"queries"}
        answer = await viewer.post("/query/batch", json={"queries": [{"id": "a", **over(), "step": "0s"}]}, headers=self.accept)
        assert set(failed(answer, 400, "VALIDATION_ERROR")) == {"step"}

    def test_columns_have_different_names_and_lose_nothing(self) -> None:
        values = np.array([1.5, np.nan, 0.0, -1e290])
        tags = [{}, {"time": ""}, {"a": "1", "b": "2"}, {"a": "1, b=2"}, {"ü": "…"}]
        backwards = values[::-1]  # not contiguous
        lines = [Series(own, backwards if place % 2 else values, values) for place, own in enumerate(tags)]
        meta = FrameMeta("a", "raw", 1000, 0, 4000)
        table = pa.ipc.open_stream(arrow.stream(Frame(np.arange(4) * 1000, lines, meta))).read_all()
        assert len(set(table.column_names)) == 6
        for place, own in enumerate(tags):
            expected = [1.5, None, 0.0, -1e290]
            assert table.column(place + 1).to_pylist() == (expected[::-1] if place % 2 else expected)
            assert orjson.loads(table.schema.field(place + 1).metadata[b"tags"]) == own
        table.validate(full=True)
