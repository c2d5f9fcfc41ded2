"""``/alerts``: rules, history and silences. ``/alerts/new`` and ``/alerts/{id}``: one rule, and what it would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from dashapp.accounts.permissions import Actor, allowed, require
from dashapp.contract.alerts import (
    BacktestRequest,
    ChannelType,
    Condition,
    NoData,
    Rule,
    Severity,
)
from dashapp.contract.metrics import Aggregation, Function
from dashapp.errors import NotFound
from dashapp.pages.backtest import picture
from dashapp.pages.questions import answer
from dashapp.pages.templates import page
from dashapp.pages.visitor import signed_in, theme_cookie, theme_of
from dashapp.snapshots.inline import in_html

if TYPE_CHECKING:
    from dashapp.services import Services

_CONDITIONS = {"gt": "above", "gte": "at or above", "lt": "below", "lte": "at or below", "eq": "equal to", "ne": "not equal to"}
_NO_DATA = {"keep": "keep its state", "ok": "count as ok", "alert": "count as holding"}
_CHANNELS = {"": "Nobody", "email": "E-mail", "webhook": "Webhook", "apprise": "Apprise (Slack, Teams, PagerDuty …)"}
#: As a rule is made in one's head: a number that is high for a while.
_FRESH: dict[str, Any] = {
    "name": "", "query": "", "aggregation": "avg", "function": None, "tags": {}, "groupBy": [], "step": "10s", "condition": "gt",
    "threshold": None, "duration": "5 minutes", "noData": "keep", "severity": "warning", "enabled": True, "notification": None,
}  # fmt: skip


def _choices(values: tuple[str, ...], labels: dict[str, str] | None = None) -> list[dict[str, str]]:
    return [{"value": value, "label": (labels or {}).get(value, value)} for value in values]


def fields() -> list[dict[str, Any]]:
    """The form of a rule: its controls in order, in groups. Names are those of the wire."""
    return [
        {"group": "Watch", "fields": [
            {"name": "query", "kind": "metric", "label": "Metric"},
            {"name": "tags", "kind": "tags", "label": "Only series with"},
            {"name": "groupBy", "kind": "tagKeys", "label": "One alert for each"},
            {"name": "aggregation", "kind": "choice", "label": "Samples become their", "default": "avg",
             "choices": _choices(get_args(Aggregation))},
            {"name": "function", "kind": "choice", "label": "Function", "default": "",
             "choices": [{"value": "", "label": "none"}, *_choices(get_args(Function))],
             "help": "For counters: rate is growth a second, increase is growth a step."},
        ]},
        {"group": "Fire when the value is", "fields": [
            {"name": "condition", "kind": "choice", "label": "Condition", "choices": _choices(get_args(Condition), _CONDITIONS)},
            {"name": "threshold", "kind": "number", "label": "Threshold", "empty": "a number"},
            {"name": "duration", "kind": "text", "label": "For at least", "empty": "5 minutes",
             "help": "Such as 5 minutes, 90s or 1 hour; 0s fires at once."},
            {"name": "step", "kind": "text", "label": "Judged every", "empty": "10s",
             "help": "Width of the bucket whose value is judged; wider than the distance between samples."},
            {"name": "noData", "kind": "choice", "label": "Without samples", "default": "keep",
             "choices": _choices(get_args(NoData), _NO_DATA)},
        ]},
        {"group": "Tell", "fields": [
            {"name": "name", "kind": "text", "label": "Name", "empty": "What is wrong when it fires"},
            {"name": "severity", "kind": "choice", "label": "Severity", "default": "warning",
             "choices": _choices(get_args(Severity))},
            {"name": "notification.type", "kind": "choice", "label": "By",
             "choices": _choices(("", *get_args(ChannelType)), _CHANNELS)},
            {"name": "notification.target", "kind": "text", "label": "To", "empty": "name@example.org or https://…"},
            {"name": "enabled", "kind": "switch", "label": "Enabled", "default": True},
        ]},
    ]  # fmt: skip


def create_router(services: Services) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/alerts")
    async def alerts(request: Request) -> Response:
        user = await signed_in(request, services)
        actor = Actor(user)
        require(actor, "alert.read")
        boot = {"userId": str(user.id), "isAdmin": user.role == "admin", "mayCreate": allowed(actor, "alert.create")}
        return page(
            "alerts.html", theme=theme_cookie(request), user=user, may_create=boot["mayCreate"], boot=in_html(orjson.dumps(boot))
        )

    @router.get("/alerts/new")
    async def fresh(request: Request) -> Response:
        user = await signed_in(request, services)
        require(Actor(user), "alert.create")
        return _rule_page(request, Actor(user), None, {})

    @router.get("/alerts/{rule_id}")
    async def one(request: Request, rule_id: str) -> Response:
        user = await signed_in(request, services)
        require(Actor(user), "alert.read")
        try:
            rule = await services.rules.get(UUID(rule_id))
        except (ValueError, NotFound):
            raise NotFound("there is no such rule; the list of alerts shows what there is.") from None
        return _rule_page(
            request, Actor(user), rule, await services.dashboards.showing(rule.query, user.id, is_admin=user.role == "admin")
        )

    def _rule_page(request: Request, actor: Actor, rule: Rule | None, dashboards: dict[UUID, str]) -> Response:
        may_change = rule is None or allowed(actor, "alert.change", rule)
        stored = rule.model_dump(mode="json", by_alias=True) if rule is not None else None
        if stored is not None and stored["notification"] is not None and not may_change:
            stored["notification"] = None  # targets carry secrets
        boot = {"rule": stored, "fresh": _FRESH, "form": fields(), "mayChange": may_change}
        return page(
            "alert.html", theme=theme_cookie(request), user=actor.user, rule=rule, may_change=may_change,
            dashboards=[{"name": name, "href": f"/d/{key}{_around(request)}"} for key, name in dashboards.items()],
            boot=in_html(orjson.dumps(boot)),
        )  # fmt: skip

    @router.post("/alerts/preview")
    async def preview(request: Request) -> Response:
        """What a rule would have done, with the plot that shows it. Nothing is stored."""

        async def judged(asked: BacktestRequest) -> dict[str, Any]:
            found = await services.rules.backtest(asked)
            return found.wire() | {"picture": orjson.Fragment(picture(asked.rule, found, theme_of(request)))}

        return await answer(request, services, "alert.read", BacktestRequest, judged)

    return router


def _around(request: Request) -> str:
    """The time that a notification's link is about, for links to dashboards."""
    asked = {name: request.query_params[name] for name in ("from", "to") if name in request.query_params}
    return f"?{urlencode(asked)}" if len(asked) == 2 else ""
