"""Files of samples, read in chunks: CSV, JSON lines and Parquet as columns of plain values, each with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from dashapp.client.tables import needed
from dashapp.errors import ValidationFailed

Format = Literal["csv", "jsonl", "parquet"]
#: Lines a chunk.
CHUNK = 5_000
_ENDINGS: dict[str, Format] = {
    "csv": "csv",
    "tsv": "csv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "jsonl",
    "parquet": "parquet",
}


@dataclass(frozen=True)
class Chunk:
    """Some lines of a file."""

    #: Column to its values: text, numbers, or None where a line has none; all of one length.
    columns: dict[str, list[Any]]
    #: Line (CSV, JSON lines) or row (Parquet) of each value, from 1; int64.
    lines: NDArray[np.int64]
    #: Lines that couldn't be read, and why.
    bad: dict[int, str] = field(default_factory=dict)
    #: Where the next chunk starts: byte (CSV, JSON lines) or row (Parquet), and its line.
    offset: int = 0
    line: int = 0
    #: Delimiter and column names of a CSV file, without which its later parts can't be read.
    header: list[str] | None = None


def format_of(name: str, stream: IO[bytes]) -> Format:
    """By the file's ending; where that says nothing, JSON lines begin with a brace."""
    known = _ENDINGS.get(name.rpartition(".")[2].lower())
    if known:
        return known
    first = stream.peek(1)[:1] if isinstance(stream, io.BufferedReader) else b""
    return "jsonl" if first == b"{" else "csv"


def read(kind: Format, stream: IO[bytes], *, offset: int = 0, line: int = 0, header: list[str] | None = None) -> Iterator[Chunk]:
    """The chunks of a file, from where an earlier reading came to.

    Raises:
        ValidationFailed: it has no header, or is no Parquet.
    """
    if kind == "parquet":
        return _parquet(stream, offset)
    if offset:
        stream.seek(offset)
    return _csv(stream, offset, line, header) if kind == "csv" else _jsonl(stream, offset, line)


class _Counted:
    """The lines of a stream as text, and how far they have been read. A line that is no UTF-8 keeps its odd bytes as
    surrogates, which the contract refuses by name."""

    def __init__(self, stream: IO[bytes], offset: int, line: int) -> None:
        self._stream = stream
        self.offset, self.line = offset, line

    def __iter__(self) -> Iterator[str]:
        for raw in self._stream:
            self.offset += len(raw)
            self.line += 1
            yield raw.decode("utf-8-sig" if self.line == 1 else "utf-8", "surrogateescape")


def delimiter_of(header: str) -> str:
    """The one of the usual delimiters that the header has most of."""
    return max(",;\t|", key=header.count)


def _csv(stream: IO[bytes], offset: int, line: int, header: list[str] | None) -> Iterator[Chunk]:
    lines = _Counted(stream, offset, line)
    texts = iter(lines)
    if header is None:
        first = next(texts, "")
        delimiter = delimiter_of(first)
        header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        if not any(header):
            raise ValidationFailed("the file is empty; a CSV file begins with a line of column names.")
    else:
        delimiter, *header = header
    reader = csv.reader(texts, delimiter=delimiter)
    rows: list[list[str]] = []
    at: list[int] = []
    bad: dict[int, str] = {}
    while True:
        start = lines.line + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            bad[start] = str(error)
            continue
        if row is not None and len(row) == len(header):
            rows.append(row)
            at.append(start)
        elif row:
            bad[start] = f"{len(row)} fields where the header has {len(header)}"
        if row is None or len(rows) + len(bad) >= CHUNK:
            columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)) if rows else {name: [] for name in header}
            if rows or bad:
                yield Chunk(columns, np.array(at, np.int64), bad, lines.offset, lines.line, [delimiter, *header])
            if row is None:
                return
            rows, at, bad = [], [], {}


def _jsonl(stream: IO[bytes], offset: int, line: int) -> Iterator[Chunk]:
    lines = _Counted(stream, offset, line)
    objects: list[dict[str, Any]] = []
    at: list[int] = []
    bad: dict[int, str] = {}

    def chunk() -> Chunk:
        names = dict.fromkeys(name for found in objects for name in found)
        columns = {name: [found.get(name) for found in objects] for name in names}
        return Chunk(columns, np.array(at, np.int64), bad, lines.offset, lines.line)

    for text in lines:
        if not text.strip():
            continue
        try:
            found = orjson.loads(text.encode("utf-8", "surrogateescape"))
        except orjson.JSONDecodeError as error:
            bad[lines.line] = f"no valid JSON ({error})"
            found = None
        if isinstance(found, dict):
            objects.append(found)
            at.append(lines.line)
        elif lines.line not in bad:
            bad[lines.line] = "no JSON object"
        if len(objects) + len(bad) >= CHUNK:
            yield chunk()
            objects, at, bad = [], [], {}
    if objects or bad:
        yield chunk()


def _parquet(stream: IO[bytes], offset: int) -> Iterator[Chunk]:
    arrow, parquet = needed("pyarrow", "Reading Parquet"), needed("pyarrow.parquet", "Reading Parquet")
    try:
        file = parquet.ParquetFile(stream)
    except arrow.ArrowInvalid as error:
        raise ValidationFailed(f"no Parquet file ({str(error).splitlines()[0]}).") from None
    row = 0
    for batch in file.iter_batches(CHUNK):
        row += batch.num_rows
        if row <= offset:
            continue
        columns = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if arrow.types.is_timestamp(column.type):
                # Without a zone it is UTC, as everywhere.
                column = column.cast(arrow.timestamp("ms", column.type.tz), safe=False).cast(arrow.int64())
            columns[name] = column.to_pylist()
        yield Chunk(columns, np.arange(row - batch.num_rows, row, dtype=np.int64) + 1, {}, row, row)
