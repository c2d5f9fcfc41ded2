"""A Grafana dashboard's JSON to a `DashboardDocument`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from dashapp.contract.base import from_pydantic
from dashapp.contract.dashboards import GRID_COLUMNS, PanelDefinition
from dashapp.contract.documents import DashboardDocument
from dashapp.dashboards.grafana import promql, tables
from dashapp.dashboards.grafana.unmapped import NotMapped
from dashapp.dashboards.grafana.variables import Variables, read_variables
from dashapp.errors import ValidationFailed

_LEGEND = re.compile(r"\{\{\s*([^}\s]+)\s*\}\}")
#: HTML in a text.
_ELEMENT = re.compile(r"<[a-zA-Z/!]")
_MOST_QUERIES = 21
_HIGHEST = 8


@dataclass
class PanelReport:
    """What became of one panel."""

    title: str
    kind: str
    mapped: bool = False
    #: What is left out or different.
    notes: list[str] = field(default_factory=list)


@dataclass
class Imported:
    document: DashboardDocument
    panels: list[PanelReport]
    #: Of the dashboard as a whole.
    notes: list[str]

    def report(self) -> str:
        """For people: how many panels are mapped, and panel by panel what isn't."""
        mapped = sum(panel.mapped for panel in self.panels)
        lines = [f"{self.document.name}: {mapped} of {len(self.panels)} panels mapped.", *(f"  {note}" for note in self.notes)]
        for panel in self.panels:
            if panel.notes:
                state = "" if panel.mapped else "not mapped: "
                lines.append(f"  {panel.title} ({panel.kind}): {state}{'; '.join(panel.notes)}")
        return "\n".join(lines)


def _dict(value: Any, *path: str) -> dict[str, Any]:
    """A part of the JSON that should be an object; empty where it isn't there or is something else."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _list(value: Any, *path: str) -> list[Any]:
    found = _dict(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, list) else []


def convert(source: Any) -> Imported:
    """The dashboard of a Grafana JSON, as its export or its API gives it.

    Raises:
        ValidationFailed: it is no dashboard of Grafana.
    """
    board = _dict(source, "dashboard") or source
    if not isinstance(board, dict) or not (isinstance(board.get("panels"), list) or isinstance(board.get("rows"), list)):
        raise ValidationFailed("this is no dashboard of Grafana: it has neither panels nor rows.")
    variables = read_variables(_list(board, "templating", "list"), promql.metric_of)
    notes = list(variables.notes)
    reports: list[PanelReport] = []
    panels: list[PanelDefinition] = []
    titles: list[str] = []
    for panel, place in _placed(board, titles):
        kind = str(panel.get("type") or "?")
        title, unknown = variables.in_text(str(panel.get("title") or ""))
        report = PanelReport(title[:200].strip() or ("Text" if kind == "text" else "Untitled"), kind)
        reports.append(report)
        if unknown:
            report.notes.append(f"its title says {', '.join(unknown)}, which is not mapped")
        try:
            definition = _panel(panel, place, report, variables)
        except NotMapped as error:
            report.notes.append(str(error))
            continue
        if len(panels) >= 100:
            report.notes.append("a dashboard holds at most 100 panels")
            continue
        report.mapped = True
        panels.append(definition)
    if titles:
        notes.append(f"rows are not mapped, their panels are: {', '.join(titles)}")
    name = str(board.get("title") or "").strip()[:200] or "Imported from Grafana"
    try:
        document = DashboardDocument(
            name=name, description=str(board.get("description") or "")[:2000], variables=variables.mapped, panels=panels
        )
    except ValidationError as error:
        raise from_pydantic(error) from None
    return Imported(document, reports, notes)


# -- places ------------------------------------------------------------------------------------------------------------


def _placed(board: dict[str, Any], titles: list[str]) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
    """The panels in reading order, each with its place on our grid. Rows are opened; their titles go to `titles`."""
    if "panels" not in board:
        yield from _old_rows(board, titles)
        return
    panels = [panel for panel in board["panels"] if isinstance(panel, dict)]
    shift = 0
    for panel in sorted(panels, key=lambda panel: (_at(panel)["y"], _at(panel)["x"])):
        if panel.get("type") != "row":
            yield panel, _halved(_at(panel), shift)
            continue
        if panel.get("title"):
            titles.append(str(panel["title"]))
        # A collapsed row holds its panels where they would stand, and what is below doesn't make room for them.
        inner = [held for held in _list(panel, "panels") if isinstance(held, dict)]
        for held in inner:
            yield held, _halved(_at(held), shift)
        if inner:
            shift += max(_at(held)["y"] + _at(held)["h"] for held in inner) - _at(panel)["y"] - 1


def _at(panel: dict[str, Any]) -> dict[str, int]:
    place = _dict(panel, "gridPos")
    defaults = {"x": 0, "y": 0, "w": 12, "h": 8}
    return {key: int(place[key]) if isinstance(place.get(key), int | float) else default for key, default in defaults.items()}


def _halved(place: dict[str, int], shift: int) -> dict[str, int]:
    """From 24 columns and flat rows to 12 columns and rows of twice the height; edges that touched still touch."""
    x, y = max(place["x"], 0) // 2, max(place["y"] + shift, 0) // 2
    w, h = (place["x"] + place["w"]) // 2 - x, (place["y"] + shift + place["h"]) // 2 - y
    x = min(x, GRID_COLUMNS - 1)
    return {"x": x, "y": min(y, 10_000), "w": min(max(w, 1), GRID_COLUMNS - x), "h": min(max(h, 1), _HIGHEST)}


def _old_rows(board: dict[str, Any], titles: list[str]) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
    """Before Grafana 5, rows of panels with a span of 12 each."""
    y = 0
    for row in board["rows"]:
        x, h = 0, 4
        if _dict(row).get("showTitle") and row.get("title"):
            titles.append(str(row["title"]))
        for panel in _list(row, "panels"):
            w = min(max(int(panel.get("span") or 6), 1), GRID_COLUMNS)
            if x + w > GRID_COLUMNS:
                x, y = 0, y + h
            yield panel, {"x": x, "y": y, "w": w, "h": h}
            x += w
        y += h if x else 0


# -- panels ------------------------------------------------------------------------------------------------------------


def _panel(panel: dict[str, Any], place: dict[str, int], report: PanelReport, variables: Variables) -> PanelDefinition:
    kind = tables.panel_type(report.kind)
    if kind is None:
        raise NotMapped(f"panels of type {report.kind}")
    if panel.get("repeat"):
        report.notes.append(f"it stands once instead of once for each {panel['repeat']}")
    if kind == "text":
        return _defined({"type": kind, "position": place, "options": {"content": _content(panel, report, variables)}}, report)
    if kind == "alerts":
        return _defined({"type": kind, "position": place, "options": _alerts(panel, report, variables)}, report)
    if kind == "heatmap" and not (_dict(panel, "options").get("calculate") or panel.get("dataFormat") == "timeseries"):
        raise NotMapped("a heat map of ready-made buckets; here one shows how the values of series are spread")
    queries = _queries(panel, report, variables)
    options = _options(panel, report)
    custom = _dict(panel, "fieldConfig", "defaults", "custom")
    if kind == "line" and (_number(custom.get("fillOpacity")) or _number(panel.get("fill")) or custom.get("drawStyle") == "bars"):
        kind = "area"
    if kind == "area" and (panel.get("stack") is True or _dict(custom, "stacking").get("mode") in ("normal", "percent")):
        options["stack"] = True
    for key, what in (("transformations", "transformations"), ("links", "links"), ("seriesOverrides", "series overrides")):
        if _list(panel, key):
            report.notes.append(f"{what} are left out")
    if _list(panel, "fieldConfig", "overrides"):
        report.notes.append("overrides are left out")
    if panel.get("alert"):
        report.notes.append("its alert is left out")
    first, *others = queries
    options |= {**first, **({"queries": others} if others else {})}
    return _defined({"type": kind, "query": options.pop("query"), "position": place, "options": options}, report)


def _defined(values: dict[str, Any], report: PanelReport) -> PanelDefinition:
    """
    Raises:
        NotMapped: ours can't be so.
    """
    try:
        return PanelDefinition.model_validate({"title": report.title, **values})
    except ValidationError as error:
        raise NotMapped(str(from_pydantic(error)).rstrip(".")) from None


def _alerts(panel: dict[str, Any], report: PanelReport, variables: Variables) -> dict[str, Any]:
    """Which alerts a list of alerts shows."""
    options = _dict(panel, "options")
    wanted = _dict(options, "stateFilter")
    found: dict[str, Any] = {}
    if states := [ours for theirs, ours in tables.ALERT_STATES.items() if wanted.get(theirs)]:
        found["alertStates"] = list(dict.fromkeys(states))
    if any(wanted.get(well) for well in ("normal", "inactive", "ok", "paused")):
        report.notes.append("alerts that are well aren't listed")
    if name := str(options.get("alertName") or ""):
        found["matching"], unknown = variables.in_text(name)
        if unknown:
            report.notes.append(f"its filter says {', '.join(unknown)}, which is not mapped")
    if labels := str(options.get("alertInstanceLabelFilter") or ""):
        try:
            query = promql.read(f"alerts{labels}", variables)
        except NotMapped as error:
            report.notes.append(f"its filter by labels is left out: {error}")
        else:
            found["tags"] = query.tags
            report.notes += query.notes
    if limit := _number(options.get("maxItems")):
        found["limit"] = min(max(int(limit), 1), 100)
    if order := tables.alert_order(options.get("sortOrder")):
        found["alertOrder"] = order
    for what, is_so in (
        ("its filter by folder is left out", options.get("folder")),
        ("it lists all alerts, not only this dashboard's", options.get("dashboardAlerts")),
        ("it lists alerts one by one", options.get("groupMode") == "custom" or options.get("viewMode") == "stat"),
    ):
        if is_so:
            report.notes.append(what)
    return found


def _content(panel: dict[str, Any], report: PanelReport, variables: Variables) -> str:
    """The Markdown of a text panel, whose options stood in the panel itself before Grafana 7.

    Raises:
        NotMapped: it is HTML.
    """
    said = _dict(panel, "options") if "content" in _dict(panel, "options") else panel
    mode, content = str(said.get("mode") or "markdown"), str(said.get("content") or "")
    if mode == "html":
        raise NotMapped("its text is HTML; here a text is Markdown")
    if mode == "code":
        return f"```{_dict(said, 'code').get('language') or ''}\n{content}\n```"
    if _ELEMENT.search(content):
        report.notes.append("HTML in its text is shown as the characters it is")
    text, unknown = variables.in_text(content)
    if unknown:
        report.notes.append(f"its text says {', '.join(dict.fromkeys(unknown))}, which is not mapped")
    return text


def _queries(panel: dict[str, Any], report: PanelReport, variables: Variables) -> list[dict[str, Any]]:
    """The panel's queries as far as they can be asked here.

    Raises:
        NotMapped: none can.
    """
    found: list[dict[str, Any]] = []
    failed: list[str] = []
    targets = [target for target in _list(panel, "targets") if isinstance(target, dict) and not target.get("hide")]
    for target in targets:
        name = f"query {target.get('refId') or len(found) + 1}"
        expression = target.get("expr")
        if not isinstance(expression, str) or not expression.strip():
            failed.append(f"{name}: it isn't PromQL")
            continue
        try:
            query = promql.read(expression, variables)
        except NotMapped as error:
            failed.append(f"{name}: {error}")
            continue
        values, notes = _named(query, str(target.get("legendFormat") or ""), variables)
        if len(found) >= _MOST_QUERIES:
            failed.append(f"{name}: a panel has at most {_MOST_QUERIES} queries")
            continue
        report.notes += [note for note in notes if note not in report.notes]
        found.append(values)
    if not found:
        raise NotMapped("; ".join(failed) or "it has no query")
    report.notes += failed
    limits = [values.pop("limit", None) for values in found]
    if limits[0] is not None:
        found[0]["limit"] = limits[0]
    return found


def _named(query: promql.Query, legend: str, variables: Variables) -> tuple[dict[str, Any], list[str]]:
    """The query's fields with an alias, and what is to be said. Without a grouping, the legend's labels tell series apart."""
    notes = list(query.notes)
    legend, unknown = variables.in_text(legend)
    if unknown:
        notes.append(f"its legend says {', '.join(unknown)}, which is not mapped")
    labels = _LEGEND.findall(legend)
    group_by = query.group_by
    if group_by is None:
        group_by = list(dict.fromkeys(labels))
        if query.aggregation is None and query.function is not None:
            query.aggregation = "sum"
        if not group_by:
            notes.append("its series are drawn as one: neither the query nor the legend names a label that tells them apart")
    alias = _LEGEND.sub(lambda match: f"{{{match[1]}}}", legend) if legend and legend != "__auto" else None
    fields = {
        "query": query.query, "tags": query.tags, "aggregation": query.aggregation, "function": query.function,
        "groupBy": group_by[:8], "alias": alias, "limit": query.limit,
    }  # fmt: skip
    return {key: value for key, value in fields.items() if value not in (None, [], {})}, notes


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _options(panel: dict[str, Any], report: PanelReport) -> dict[str, Any]:
    """Unit, ends of the axis, thresholds, legend and calculation, in the new places or in the old ones."""
    defaults = _dict(panel, "fieldConfig", "defaults")
    old_axis = next((axis for axis in _list(panel, "yaxes") if isinstance(axis, dict)), {})
    options: dict[str, Any] = {}
    unit, note = tables.unit(str(defaults.get("unit") or old_axis.get("format") or panel.get("format") or ""))
    if unit:
        options["unit"] = unit
    if note:
        report.notes.append(note)
    for key in ("min", "max"):
        if (end := _number(defaults.get(key, old_axis.get(key)))) is not None:
            options[key] = end
    if (decimals := _number(defaults.get("decimals", panel.get("decimals")))) is not None and 0 <= decimals <= 6:
        options["decimals"] = int(decimals)
    options |= _thresholds(panel, defaults, report)
    legend = _dict(panel, "options", "legend")
    if legend.get("showLegend") is False or legend.get("displayMode") == "hidden" or _dict(panel, "legend").get("show") is False:
        options["showLegend"] = False
    elif figures := _figures(panel):
        options["legend"] = figures
    calcs = _list(panel, "options", "reduceOptions", "calcs")
    wanted = str(calcs[0]) if calcs else str(panel.get("valueName") or "")
    if wanted:
        if (ours := tables.calculation(wanted)) is None:
            report.notes.append(f"calculation {wanted} is not mapped, it shows the last value")
        elif ours != "last":
            options["calculation"] = ours
    return options


def _figures(panel: dict[str, Any]) -> list[str]:
    """What the legend's table, or the table that the panel is, has in its columns; empty where nothing is said."""
    if panel.get("type") == "table":
        targets = [target for target in _list(panel, "targets") if isinstance(target, dict)]
        return ["last"] if targets and all(target.get("instant") for target in targets) else []
    legend = _dict(panel, "options", "legend")
    calcs = _list(legend, "calcs") if legend.get("displayMode") == "table" else []
    return list(dict.fromkeys(ours for calc in calcs if (ours := tables.calculation(str(calc)))))


def _thresholds(panel: dict[str, Any], defaults: dict[str, Any], report: PanelReport) -> dict[str, Any]:
    steps = [step for step in _list(defaults, "thresholds", "steps") if isinstance(step, dict)]
    colors = [str(step.get("color") or "") for step in steps]
    values = [value for step in steps if (value := _number(step.get("value"))) is not None]
    if isinstance(panel.get("thresholds"), str):  # singlestat: "80,90"
        parts = [part.strip() for part in panel["thresholds"].split(",")]
        values = [float(part) for part in parts if re.fullmatch(r"-?\d+(\.\d+)?", part)]
    style = _dict(defaults, "custom", "thresholdsStyle").get("mode")
    if not values or (panel.get("type") == "timeseries" and style in (None, "off")):
        return {}
    if _dict(defaults, "thresholds").get("mode") == "percentage":
        report.notes.append("thresholds in percent of the axis are not mapped")
        return {}
    if len(values) > 2:
        report.notes.append(f"of {len(values)} thresholds two are mapped")
    low, high = values[0], values[-1]
    if colors and "red" in colors[0] and "red" not in colors[-1]:  # low values are the bad ones
        return {"thresholds": {"critical": low} | ({"warning": high} if len(values) > 1 else {})}
    if len(values) == 1:
        return {"thresholds": {"critical" if not colors or "red" in colors[-1] else "warning": low}}
    return {"thresholds": {"warning": low if len(values) == 2 else values[-2], "critical": high}}
