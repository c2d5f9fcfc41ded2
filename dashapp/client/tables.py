"""Between pandas tables and what goes over the wire. pandas is loaded when the first table is made."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from dashapp.client.points import Columns
from dashapp.contract.durations import parse_ms
from dashapp.contract.frames import Frame, FrameMeta, Series
from dashapp.errors import DashappError, ValidationFailed

if TYPE_CHECKING:
    import pandas as pd

ARROW = "application/vnd.apache.arrow.stream"


def needed(package: str, purpose: str) -> ModuleType:
    """The package, or what to do about its absence in a sentence."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise DashappError(f"{purpose} needs {package}; install it with `pip install 'dashapp[client]'`.") from None


def has_arrow() -> bool:
    try:
        importlib.import_module("pyarrow")
    except ImportError:
        return False
    return True


# -- answers -----------------------------------------------------------------------------------------------------------


def from_json(answer: Mapping[str, Any], query: str, by: Sequence[str]) -> pd.DataFrame:
    """The table of one answer of ``POST /query/batch``."""
    columns = [(series["tags"], np.array(series["values"], np.float64)) for series in answer["series"]]
    return _table(np.array(answer["times"], "datetime64[ms]"), columns, answer["meta"], query, by)


def frame(answer: Mapping[str, Any]) -> Frame:
    """The same as a `Frame`; it takes an answer with counts."""
    meta = answer["meta"]
    about = FrameMeta(
        meta["table"], meta["resolution"], parse_ms(meta["step"]), meta["coveredStart"], meta["coveredEnd"], meta["partial"],
        meta["cached"],
    )  # fmt: skip
    series = [
        Series(one["tags"], np.array(one["values"], np.float64), np.array(one["counts"], np.float64)) for one in answer["series"]
    ]
    return Frame(np.array(answer["times"], np.int64), series, about)


def from_arrow(body: bytes, query: str, by: Sequence[str]) -> pd.DataFrame:
    """The same from an Arrow stream: a column ``time``, then a column a series with its tags in the field's metadata."""
    ipc = needed("pyarrow.ipc", "Arrow")
    with ipc.open_stream(body) as reader:
        table = reader.read_all()
    columns = []
    for index, field in enumerate(table.schema):
        if field.name == "time":
            continue
        tags = orjson.loads((field.metadata or {}).get(b"tags", b"{}"))
        columns.append((tags, table.column(index).to_numpy(zero_copy_only=False)))
    times = table.column("time").to_numpy().astype("datetime64[ms]")
    meta = orjson.loads((table.schema.metadata or {}).get(b"meta", b"{}"))
    return _table(times, columns, meta, query, by)


def _table(
    times: np.ndarray[Any, Any],
    columns: list[tuple[dict[str, str], np.ndarray[Any, Any]]],
    meta: Mapping[str, Any],
    query: str,
    by: Sequence[str],
) -> pd.DataFrame:
    pandas = needed("pandas", "A table")
    index = pandas.DatetimeIndex(times, name="time").tz_localize("UTC")
    if len(by) > 1:
        names = pandas.MultiIndex.from_tuples([tuple(tags.get(tag, "") for tag in by) for tags, _ in columns], names=list(by))
    elif by:
        names = pandas.Index([tags.get(by[0], "") for tags, _ in columns], dtype=object, name=by[0])
    else:
        names = pandas.Index([query for _ in columns], dtype=object)
    values = np.column_stack([values for _, values in columns]) if columns else np.empty((times.size, 0))
    table: pd.DataFrame = pandas.DataFrame(values, index=index, columns=names)
    table.attrs.update(query=query, meta=dict(meta))
    return table


# -- tables to send ----------------------------------------------------------------------------------------------------


def _times_ms(index: Any, rows: str) -> np.ndarray[Any, Any]:
    """Unix ms of a column or index of times; numbers are Unix ms already."""
    pandas = needed("pandas", "A table")
    if pandas.api.types.is_numeric_dtype(index.dtype):
        return np.asarray(index, np.int64)
    if not pandas.api.types.is_datetime64_any_dtype(index.dtype):
        raise ValidationFailed(f"{rows} hold no times; make them with pandas.to_datetime(…, utc=True).")
    if missing := int(np.count_nonzero(pandas.isna(index))):
        raise ValidationFailed(f"{rows} lack {missing} times; drop those rows.")
    aware = index if isinstance(index, pandas.DatetimeIndex) else pandas.DatetimeIndex(index)
    aware = aware.tz_localize("UTC") if aware.tz is None else aware.tz_convert("UTC")
    return np.asarray(aware.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value.item() if hasattr(value, "item") else value)


def to_columns(table: Any, name: str | None, tags: Mapping[str, str]) -> Columns:
    """The samples of a table: long where it has columns ``name`` and ``value``, else wide. What is missing is no sample.

    Raises:
        ValidationFailed: the table can't be read as samples.
    """
    pandas = needed("pandas", "A table")
    if isinstance(table, pandas.Series):
        if name is None and table.name is None:
            raise ValidationFailed("a Series without a name is no metric; push(series, name=…).")
        whole: pd.DataFrame = table.to_frame()
        if name is not None and whole.columns.names == [None]:
            whole.columns = pandas.Index([name])
            name = None
        table = whole
    assert isinstance(table, pandas.DataFrame)
    if name is None and {"name", "value"} <= set(table.columns):
        return _long(table, tags)
    return _wide(table, name, tags)


def _wide(table: pd.DataFrame, name: str | None, tags: Mapping[str, str]) -> Columns:
    levels = list(table.columns.names)
    tagged = name is not None and all(level is not None for level in levels)
    if name is not None and not tagged and table.shape[1] != 1:
        raise ValidationFailed(
            "with name= each column is a series; name the columns' levels after their tags (df.columns.name = 'host')."
        )
    times = _times_ms(table.index, "the table's rows")
    series: list[tuple[str, dict[str, str]]] = []
    column: Any
    for column in table.columns:
        parts = column if isinstance(column, tuple) else (column,)
        own = {str(level): _text(part) for level, part in zip(levels, parts, strict=True) if _text(part)} if tagged else {}
        series.append((name if name is not None else _text(column), {**tags, **own}))
    try:
        values = table.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        bad = [
            str(column) for column, kind in table.dtypes.items() if not needed("pandas", "A table").api.types.is_numeric_dtype(kind)
        ]
        raise ValidationFailed(
            f"column {', '.join(bad) or '?'}: holds no numbers; in the wide form each column is a series."
        ) from None
    rows, of = np.nonzero(~np.isnan(values))
    return Columns(series, of.astype(np.int64), times[rows], values[rows, of], rows.astype(np.int64))


def _long(table: pd.DataFrame, tags: Mapping[str, str]) -> Columns:
    pandas = needed("pandas", "A table")
    time = next((column for column in ("timestamp", "time") if column in table.columns), None)
    times = _times_ms(table.index, "the table's rows") if time is None else _times_ms(table[time], f"column {time}: its values")
    keys = [column for column in table.columns if column not in ("name", "value", time)]
    values = pandas.to_numeric(table["value"], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if (bad := np.flatnonzero(np.isnan(values) & table["value"].notna().to_numpy())).size:
        raise ValidationFailed(f"row {bad[0]}: value: {table['value'].iloc[bad[0]]!r} is no number.")
    of, distinct = pandas.MultiIndex.from_frame(table[["name", *keys]].astype(object)).factorize()
    series = []
    for label, *parts in distinct:
        own: dict[str, str] = {}
        for key, part in zip(keys, parts, strict=True):
            if isinstance(part, Mapping):
                own |= {str(tag): _text(value) for tag, value in part.items()}
            elif not pandas.isna(part) and _text(part):
                own[str(key)] = _text(part)
        series.append((_text(label), {**tags, **own}))
    rows = np.flatnonzero(~np.isnan(values))
    return Columns(series, of[rows].astype(np.int64), times[rows], values[rows], rows.astype(np.int64))
