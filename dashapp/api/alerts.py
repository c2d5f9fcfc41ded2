"""Alert rules, their history, silences."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from dashapp.accounts.permissions import Actor, allowed, require, required
from dashapp.alerts.masking import masked
from dashapp.api.answers import Data, data, nothing
from dashapp.api.body import SignedInRoute
from dashapp.api.identity import Parts, Signed
from dashapp.api.paging import Page, Paged
from dashapp.contract.alerts import (
    Backtest,
    BacktestRequest,
    Evaluation,
    Event,
    PauseRequest,
    Rule,
    RuleDefinition,
    RuleState,
    RuleUpdate,
    Severity,
    Silence,
    SilenceRequest,
    Status,
    TestSent,
)
from dashapp.contract.timerange import Moment

router = APIRouter(prefix="/alerts", tags=["Alerts"], route_class=SignedInRoute)

From = Annotated[Moment | None, Query(alias="from", description="Only what hadn't ended before.")]
To = Annotated[Moment | None, Query(description="Only what began before.")]


def _for(actor: Actor, rule: Rule) -> Rule:
    """The rule as this actor may see it: targets carry secrets."""
    if rule.notification is None or allowed(actor, "alert.change", rule):
        return rule
    told = rule.notification.model_copy(update={"target": masked(rule.notification.type, rule.notification.target)})
    return rule.model_copy(update={"notification": told})


@router.get("", response_model=Page[Rule])
async def list_rules(
    actor: Signed,
    services: Parts,
    paging: Paged,
    q: Annotated[str | None, Query(max_length=255, description="Part of the name or of the metric's.")] = None,
    state: Annotated[list[RuleState] | None, Query(description="Only those; may be given several times.")] = None,
    severity: Annotated[list[Severity] | None, Query(description="Only those; may be given several times.")] = None,
    enabled: bool | None = None,
) -> Response:
    """The rules with their present state, the most urgent first; each with its value and up to 50 instances."""
    require(actor, "alert.read")
    found, total = await services.rules.listed(
        q=q, states=state, severities=severity, enabled=enabled, page=paging.page, page_size=paging.page_size
    )
    return paging.answer([_for(actor, rule) for rule in found], total)


@router.post("", status_code=201, response_model=Data[Rule])
async def create_rule(actor: Signed, body: RuleDefinition, services: Parts) -> Response:
    """Make a rule. Its metric needn't have samples yet: it shows as `nodata` until then."""
    require(actor, "alert.create")
    return data(await services.rules.create(actor.user.id, body), status=201)


async def _asked(
    paging: Paged, status: Status | None = None, severity: Severity | None = None, since: From = None, to: To = None
) -> dict[str, Any]:
    """Which events: the arguments of `History.events` but for the rule."""
    return {
        "status": status, "severity": severity, "since": since, "until": to, "page": paging.page, "page_size": paging.page_size
    }  # fmt: skip


Asked = Annotated[dict[str, Any], Depends(_asked)]


@router.get("/history", response_model=Page[Event])
async def history(actor: Signed, services: Parts, paging: Paged, asked: Asked) -> Response:
    """Events of all rules, newest first, also of rules that are gone."""
    require(actor, "alert.read")
    return paging.answer(*await services.history.events(**asked))


@router.post("/backtest", response_model=Data[Backtest])
async def backtest_rule(actor: Signed, body: BacktestRequest, services: Parts) -> Response:
    """What a rule would have done over stored history. Nothing is written, nobody is told."""
    require(actor, "alert.read")
    return data(await services.rules.backtest(body))


@router.get("/silences", response_model=Page[Silence])
async def list_silences(
    actor: Signed,
    services: Parts,
    paging: Paged,
    expired: Annotated[bool, Query(description="Also those that have ended.")] = False,
) -> Response:
    """Silences, newest first."""
    require(actor, "alert.read")
    return paging.answer(*await services.silences.listed(expired=expired, page=paging.page, page_size=paging.page_size))


@router.post("/silences", status_code=201, response_model=Data[Silence])
async def create_silence(actor: Signed, body: SilenceRequest, services: Parts) -> Response:
    """Mute firing notifications of what matches all that is given. What fired before is still told to be resolved."""
    require(actor, "alert.create")
    return data(await services.silences.create(actor.user, body), status=201)


@router.delete("/silences/{silence_id:uuid}", status_code=204)
async def delete_silence(actor: Signed, silence_id: UUID, services: Parts) -> Response:
    """End a silence. What still fires is told then."""
    await required(actor, "alert.change", services.silences.get, silence_id)
    await services.silences.delete(silence_id)
    return nothing()


@router.get("/{rule_id:uuid}", response_model=Data[Rule])
async def get_rule(actor: Signed, rule_id: UUID, services: Parts) -> Response:
    """One rule with its present state and all its instances."""
    require(actor, "alert.read")
    return data(_for(actor, await services.rules.get(rule_id)))


@router.put("/{rule_id:uuid}", response_model=Data[Rule])
async def update_rule(actor: Signed, rule_id: UUID, body: RuleUpdate, services: Parts) -> Response:
    """Change what is given. Another query, condition, threshold, tags, groupBy, aggregation, function or step makes it another
    rule: what fires is resolved, and judging starts anew; so it is when it is disabled."""
    await required(actor, "alert.change", services.rules.get, rule_id)
    return data(await services.rules.update(rule_id, body))


@router.delete("/{rule_id:uuid}", status_code=204)
async def delete_rule(actor: Signed, rule_id: UUID, services: Parts) -> Response:
    """Delete a rule. What fires is resolved; its events stay."""
    await required(actor, "alert.change", services.rules.get, rule_id)
    await services.rules.delete(rule_id)
    return nothing()


@router.get("/{rule_id:uuid}/history", response_model=Page[Event])
async def rule_history(actor: Signed, rule_id: UUID, services: Parts, paging: Paged, asked: Asked) -> Response:
    """Events of one rule, newest first, also where it is gone."""
    require(actor, "alert.read")
    return paging.answer(*await services.history.events(rule_id=rule_id, **asked))


@router.post("/{rule_id:uuid}/evaluate", response_model=Data[Evaluation])
async def evaluate_rule(actor: Signed, rule_id: UUID, services: Parts) -> Response:
    """How the rule stands now. Nothing is written, nobody is told."""
    require(actor, "alert.read")
    return data(await services.rules.evaluate(rule_id))


@router.post("/{rule_id:uuid}/test", response_model=Data[TestSent])
async def test_rule(actor: Signed, rule_id: UUID, services: Parts) -> Response:
    """Send a test to where the rule's notifications go, now. `sent: false` comes with the reason."""
    rule = await required(actor, "alert.change", services.rules.get, rule_id)
    return data(await services.sender.test(rule))


@router.post("/{rule_id:uuid}/pause", response_model=Data[Rule])
async def pause_rule(actor: Signed, rule_id: UUID, body: PauseRequest, services: Parts) -> Response:
    """Tell nobody of what fires, until then or until it is resumed. The rule is judged all the same."""
    await required(actor, "alert.change", services.rules.get, rule_id)
    return data(await services.rules.pause(rule_id, body.until))


@router.post("/{rule_id:uuid}/resume", response_model=Data[Rule])
async def resume_rule(actor: Signed, rule_id: UUID, services: Parts) -> Response:
    """Tell again. What still fires is told then."""
    await required(actor, "alert.change", services.rules.get, rule_id)
    return data(await services.rules.resume(rule_id))
