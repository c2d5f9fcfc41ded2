"""Simple PromQL as one of our queries. What would give other numbers here is refused with its reason, never bent."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dashapp.contract.metrics import MetricName
from dashapp.dashboards.grafana.unmapped import NotMapped
from dashapp.dashboards.grafana.variables import Variables, refers
from dashapp.errors import DashappError

#: Grafana's own variables for a window's width, which isn't PromQL.
_INTERVALS = ("__rate_interval", "__interval", "__range")
#: What makes a regular expression more than the value itself.
_SPECIAL = frozenset(".*+?()[]{}^$\\")
_ACROSS = ("avg", "min", "max")
_OVER_TIME = {
    "avg_over_time": "avg",
    "min_over_time": "min",
    "max_over_time": "max",
    "sum_over_time": "sum",
    "count_over_time": "count",
}
_RATES = {"rate": "rate", "irate": "rate", "increase": "increase", "delta": "delta"}


_metric: TypeAdapter[str] = TypeAdapter(MetricName)


@dataclass
class Query:
    """One of our queries, as keyword arguments of `PanelQuery`."""

    query: str
    tags: dict[str, str | list[str]] = field(default_factory=dict)
    aggregation: str | None = None
    function: str | None = None
    #: None where PromQL names no grouping: each series for itself.
    group_by: list[str] | None = None
    limit: int | None = None
    #: What is a little different here.
    notes: list[str] = field(default_factory=list)


def _is_metric(name: str) -> bool:
    try:
        _metric.validate_python(name)
    except ValidationError:
        return False
    return True


def _parser() -> Any:
    try:
        return importlib.import_module("promql_parser")
    except ImportError:
        raise DashappError(
            "importing from Grafana needs promql-parser; install it with `pip install 'dashapp[grafana]'`."
        ) from None


def read(text: str, variables: Variables | None = None) -> Query:
    """The query that a PromQL expression asks, whose matchers may have variables as values.

    Raises:
        NotMapped: it is more than a selector with at most one function and one aggregation, or no PromQL.
    """
    parser, variables = _parser(), variables or Variables()
    for name in (*_INTERVALS, *variables.intervals):
        text = text.replace(f"[${name}]", "[5m]").replace(f"[${{{name}}}]", "[5m]")
    return _Reader(parser, variables).expression(_parsed(parser, text))


def metric_of(selector: str) -> tuple[str, bool]:
    """The metric of a selector, and whether it selects among its series.

    Raises:
        NotMapped: it is no selector of one metric.
    """
    parser = _parser()
    tree = _parsed(parser, selector)
    if not isinstance(tree, parser.VectorSelector) or not tree.name or not _is_metric(tree.name):
        raise NotMapped(f"{selector} is no metric")
    return str(tree.name), bool(tree.matchers.matchers)


def _parsed(parser: Any, text: str) -> Any:
    try:
        return parser.parse(text)
    except ValueError as error:
        raise NotMapped(f"no PromQL ({str(error).splitlines()[0]})") from None


class _Reader:
    def __init__(self, parser: Any, variables: Variables) -> None:
        self._p, self._variables = parser, variables

    def expression(self, tree: Any) -> Query:
        p = self._p
        if isinstance(tree, p.ParenExpr):
            return self.expression(tree.expr)
        if isinstance(tree, p.VectorSelector):
            return self._selector(tree)
        if isinstance(tree, p.Call):
            return self._call(tree)
        if isinstance(tree, p.AggregateExpr):
            return self._aggregate(tree)
        if isinstance(tree, p.BinaryExpr | p.UnaryExpr):
            raise NotMapped("arithmetic and comparisons between queries and numbers")
        raise NotMapped(f"{type(tree).__name__} isn't a query")

    def _selector(self, tree: Any) -> Query:
        if tree.offset is not None or tree.at is not None:
            raise NotMapped("offset and @")
        name, found, p = tree.name, Query(""), self._p
        if tree.matchers.or_matchers:
            raise NotMapped("or between matchers")
        for matcher in tree.matchers.matchers:
            label, value = str(matcher.name), str(matcher.value)
            if label == "__name__" and matcher.op == p.MatchOp.Equal:
                name = value
            elif matcher.op == p.MatchOp.Re and value in (".*", ".+"):
                continue
            elif matcher.op in (p.MatchOp.Equal, p.MatchOp.Re):
                self._select(found, label, value, several=matcher.op == p.MatchOp.Re)
            else:
                raise NotMapped(f"the matcher on {label}: only equality selects")
        if not name or not _is_metric(name):
            raise NotMapped(f"{name!r} is no name of a metric" if name else "a selector without a metric's name")
        found.query = name
        return found

    def _select(self, found: Query, label: str, value: str, *, several: bool) -> None:
        """Ask for series of which a label has this value, or where there may be `several` one of ``a|b|c``."""
        wanted: list[str] = []
        for part in value.split("|") if several else [value]:
            name = self._variables.named(part)
            if name is not None and name in self._variables:
                wanted.append(f"${name}")
            elif refers(part):
                why = f"${name} is not mapped" if name else "a variable is only a part of it"
                found.notes.append(f"{label}={value} is left out: {why}, all values are shown")
                return
            elif several and set(part) & _SPECIAL:
                raise NotMapped(f"the matcher on {label}: only equality selects, and a|b")
            elif not part:
                raise NotMapped(f'{label}="", which asks for series without that label')
            else:
                wanted.append(part)
        if label in found.tags:
            raise NotMapped(f"two matchers on {label}")
        found.tags[label] = wanted[0] if len(wanted) == 1 else wanted

    def _call(self, tree: Any) -> Query:
        function = str(tree.func.name)
        if function not in _RATES and function not in _OVER_TIME:
            raise NotMapped(f"the function {function}")
        argument = tree.args[0]
        if not isinstance(argument, self._p.MatrixSelector):
            raise NotMapped(f"{function} of anything but a metric's range")
        found = self._selector(argument.vector_selector)
        if function in _OVER_TIME:
            found.aggregation = _OVER_TIME[function]
            found.notes.append(f"{function} works on the panel's buckets instead of a window of its own")
        else:
            found.function = _RATES[function]
            if function == "irate":
                found.notes.append("irate is a rate over the panel's buckets")
        return found

    def _aggregate(self, tree: Any) -> Query:
        operator = str(tree.op)
        if operator in ("topk", "bottomk"):
            if operator == "bottomk" or not isinstance(tree.param, self._p.NumberLiteral):
                raise NotMapped(f"{operator} of this form")
            found = self.expression(tree.expr)
            found.limit = min(max(int(tree.param.val), 1), 100)
            return found
        inner = tree.expr
        while isinstance(inner, self._p.ParenExpr):
            inner = inner.expr
        if isinstance(inner, self._p.AggregateExpr):
            raise NotMapped("an aggregation of an aggregation")
        found = self.expression(inner)
        if operator not in (*_ACROSS, "sum", "count"):
            raise NotMapped(f"the aggregation {operator}")
        if operator in ("sum", "count") and found.function is None:
            raise NotMapped(f"{operator} across series of what isn't a rate: here it would add up the samples of a bucket as well")
        if found.aggregation not in (None, operator):
            raise NotMapped(f"{operator} of {found.aggregation} over time")
        modifier = tree.modifier
        if modifier is not None and modifier.type == self._p.AggModifierType.Without:
            raise NotMapped("without (…): groups are named by the labels that stay")
        found.aggregation, found.group_by = operator, [str(label) for label in modifier.labels] if modifier is not None else []
        return found
