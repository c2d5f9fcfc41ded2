"""Line protocol: what is written by its rules is read as it was meant, and a bad line costs only itself."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashapp.errors import ValidationFailed
from dashapp.protocols import influx

NOW = 1_790_000_000_000
NS = influx.precision("ns")


def read(text: str | bytes, unit: Fraction = NS) -> list[tuple[str, dict[str, str], int, float]]:
    received = influx.read(text.encode() if isinstance(text, str) else text, unit, NOW)
    batch = received.batch
    return [
        (batch.keys[place][0], dict(batch.keys[place][1]), int(time), float(value))
        for place, time, value in zip(batch.index, batch.times, batch.values, strict=True)
    ]


def losses(text: str | bytes) -> dict[str, int]:
    return dict(influx.read(text.encode() if isinstance(text, str) else text, NS, NOW).losses.counts)


TELEGRAF = """\
cpu,cpu=cpu0,host=web-1 usage_idle=98.5,usage_system=0.25 1790000000000000000
mem,host=web-1 used=7340032i,used_percent=43.7,huge=18446744073709551615u 1790000000000000000
system,host=web-1 uptime=86400i,uptime_format="1 day,  0:00" 1790000000000000000
disk,host=web-1,path=/var/lib\\ data,fstype=ext4 free=1e9,inodes=0i,ro=false 1790000000000000000
"""


def test_a_body_as_telegraf_sends_it() -> None:
    found = read(TELEGRAF)
    assert [(name, value) for name, _, _, value in found] == [
        ("cpu.usage_idle", 98.5), ("cpu.usage_system", 0.25), ("mem.used", 7340032.0), ("mem.used_percent", 43.7),
        ("mem.huge", 18446744073709551615.0), ("system.uptime", 86400.0), ("disk.free", 1e9),
        ("disk.inodes", 0.0), ("disk.ro", 0.0),
    ]  # fmt: skip
    assert found[0][1] == {"cpu": "cpu0", "host": "web-1"}
    assert found[-1][1] == {"host": "web-1", "path": "/var/lib data", "fstype": "ext4"}
    assert {time for _, _, time, _ in found} == {NOW}
    assert losses(TELEGRAF) == {}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("m f=1", [("m.f", {}, 1.0)]),
        ("m f=1   ", [("m.f", {}, 1.0)]),
        ("m f=1\r\n", [("m.f", {}, 1.0)]),
        ("  m f=1 1790000000000000000\t", [("m.f", {}, 1.0)]),
        ("# m f=1\n\n#x\nm f=-1.5e-3", [("m.f", {}, -0.0015)]),
        ("m f=.5,g=5.,h=+1,i=-2i", [("m.f", {}, 0.5), ("m.g", {}, 5.0), ("m.h", {}, 1.0), ("m.i", {}, -2.0)]),
        ("m a=t,b=T,c=true,d=True,e=TRUE", [(f"m.{n}", {}, 1.0) for n in "abcde"]),
        ("m a=f,b=F,c=false,d=False,e=FALSE", [(f"m.{n}", {}, 0.0) for n in "abcde"]),
        ('m s="a b,c=d \\" e\nf=2",f=1', [("m.f", {}, 1.0)]),
        ('m s="ends with \\\\",f=1', [("m.f", {}, 1.0)]),
        ('m s="text only"', []),
        ("m,a\\,b=c\\=d\\ e f=1", [("m.f", {"a_b": "c=d e"}, 1.0)]),
        ("m,a=back\\slash f=1", [("m.f", {"a": "back\\slash"}, 1.0)]),
        ('m,a="quoted" f=1', [("m.f", {"a": '"quoted"'}, 1.0)]),
        ("m,ä=ö f=1", [("m.f", {"_": "ö"}, 1.0)]),
        ("m,1st=x,k8s.io/name=y f=1", [("m.f", {"_1st": "x", "k8s.io_name": "y"}, 1.0)]),
    ],
)
def test_what_a_line_means(line: str, expected: list[Any]) -> None:
    assert [(name, tags, value) for name, tags, _, value in read(line)] == expected
    assert losses(line) == {}


@pytest.mark.parametrize(
    ("line", "reason", "count"),
    [
        ("m", "syntax", 1),
        ("m ", "syntax", 1),
        ("m f", "syntax", 1),
        ("m f=", "syntax", 1),
        ("m f=1 x", "syntax", 1),
        ("m f=1 1.5", "syntax", 1),
        ("m f=1,", "syntax", 1),
        (",a=b f=1", "syntax", 1),
        ("m,a f=1", "syntax", 1),
        ("m,a= f=1", "syntax", 1),
        ("m,=b f=1", "syntax", 1),
        ("m f=1_0", "syntax", 1),
        ("m f=nan", "syntax", 1),
        ("m f=inf", "syntax", 1),
        ("m f=0x10", "syntax", 1),
        ("m f=٣", "syntax", 1),
        ("m f=1.5i", "syntax", 1),
        ('m f="open', "syntax", 1),
        ('m f="a"b', "syntax", 1),
        ("m f=1e400", "value", 1),
        ("m f=1e291,g=-1e291", "value", 2),
        ("bad-name f=1,g=2", "name", 2),
        ("m a-b=1", "name", 1),
        (f"{'m' * 254}.x f=1", "name", 1),
        ("m,a=1,a=2 f=1", "labels", 1),
        ("m,a-b=1,a_b=2 f=1", "labels", 1),
        ("m," + ",".join(f"t{n}=x" for n in range(33)) + " f=1", "labels", 1),
        ("m,a=\x00 f=1", "labels", 1),
    ],
)
def test_a_bad_line_costs_only_itself(line: str, reason: str, count: int) -> None:
    assert losses(line) == {reason: count}
    good = "good,a=b f=1 1790000000000000000\n"
    assert [name for name, *_ in read(f"{good}{line}\n{good}")] in (["good.f"] * 2, ["good.f"])
    if '"' not in line:
        assert losses(f"{good}{line}\n{good}") == {reason: count}
        assert len(read(f"{good}{line}\n{good}")) == 2


def test_what_is_no_text_costs_only_its_line() -> None:
    assert [name for name, *_ in read(b"m f=1\nm,a=\xff f=1\n\xff f=1\nn f=2\n")] == ["m.f", "n.f"]
    received = influx.read(b"m,a=\xff f=1\n\xff f=1\n\xff", NS, NOW)
    assert received.losses.counts == {"labels": 1, "name": 1, "syntax": 1}
    assert "\udcff" not in str(received.losses.told())


@pytest.mark.parametrize(
    ("unit", "stamp", "ms"),
    [("ns", NOW * 1_000_000 + 999_999, NOW), ("n", NOW * 1_000_000, NOW), ("us", NOW * 1000 + 1, NOW), ("u", NOW * 1000, NOW),
     ("ms", NOW, NOW), ("s", NOW // 1000, NOW), ("m", 29_833_333, 1_789_999_980_000), ("h", 497_222, 1_789_999_200_000)],
)  # fmt: skip
def test_precisions(unit: str, stamp: int, ms: int) -> None:
    assert read(f"m f=1 {stamp}", influx.precision(unit))[0][2] == ms


def test_no_precision() -> None:
    with pytest.raises(ValidationFailed, match=r"'d' is no precision"):
        influx.precision("d")


def test_no_timestamp_is_now_and_an_impossible_one_stays_a_number() -> None:
    assert read("m f=1")[0][2] == NOW
    assert read(f"m f=1 -{'9' * 5000}")[0][2] == 0
    assert read(f"m f=1 {'9' * 4000}")[0][2] > NOW * 2


def test_values_of_tags_are_cut_so_that_two_stay_two() -> None:
    (_, first, _, _), (_, second, _, _) = read(f"m,a={'x' * 300} f=1\nm,a={'x' * 301} f=1\n")
    assert len(first["a"]) == len(second["a"]) == 256
    assert first["a"][:230] == second["a"][:230] == "x" * 230
    assert first != second


# -- what is written by the rules -------------------------------------------------------------------------------------

_name = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_.:]{0,5}", fullmatch=True)
_tag_value = st.text(st.characters(codec="utf-8", exclude_characters="\x00\n"), min_size=1, max_size=6).filter(
    lambda text: not text.endswith("\\")
)
_string = st.text(st.characters(codec="utf-8"), max_size=8)
_number = st.floats(-1e290, 1e290) | st.integers(-(2**63), 2**63 - 1) | st.booleans()


def escaped(text: str) -> str:
    return re.sub(r"([, =])", r"\\\1", text)


def value_text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value}i"
        case float():
            return repr(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            _name,
            st.dictionaries(_name, _tag_value, max_size=3),
            st.dictionaries(_name, _number | _string, min_size=1, max_size=4),
            st.none() | st.integers(0, 2 * NOW),
        ),
        max_size=4,
    ),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n# comment, \" =\n", " \n"]),
)  # fmt: skip
def test_what_is_written_by_the_rules_is_read_as_it_was_meant(lines: list[Any], between: str) -> None:
    expected, written = [], []
    for name, tags, fields, ms in lines:
        head = "".join([escaped(name), *(f",{key}={escaped(value)}" for key, value in tags.items())])
        body = ",".join(f"{key}={value_text(value)}" for key, value in fields.items())
        written.append(f"{head} {body}" + ("" if ms is None else f" {ms * 1_000_000}"))
        numbers = {key: float(value) for key, value in fields.items() if not isinstance(value, str)}
        expected += [(f"{name}.{key}", tags, NOW if ms is None else ms, value) for key, value in numbers.items()]
    text = between.join(written)
    assert read(text) == expected
    assert losses(text) == {}


@settings(max_examples=300)
@given(st.text(st.sampled_from('m,= \\"\n#f1it.'), max_size=30) | st.binary(max_size=40))
def test_nothing_makes_it_fail(body: str | bytes) -> None:
    losses(body)
