"""Ready-made rules: YAML files with lists of rules in the API's own keys, loaded once."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from uuid import UUID

import yaml
from pydantic import TypeAdapter, ValidationError

from dashapp.alerts.rules import Rules
from dashapp.contract.alerts import RuleDefinition
from dashapp.contract.base import from_pydantic
from dashapp.errors import ValidationFailed

log = logging.getLogger(__name__)
_rules: TypeAdapter[list[RuleDefinition]] = TypeAdapter(list[RuleDefinition])


def read_rules(path: Path) -> list[RuleDefinition]:
    """The rules of a file.

    Raises:
        ValidationFailed: it can't be read, or a rule is wrong; the sentence names file and field.
    """
    try:
        return _rules.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        failure = from_pydantic(error)
        raise ValidationFailed(f"{path.name}: {failure}", details=failure.details) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ValidationFailed(f"{path.name}: can't be read ({type(error).__name__}).") from None


async def load_ready(rules: Rules, owner_id: UUID, directory: Path) -> int:
    """Create the rules of the directory's files that were never loaded before; how many. A deleted one doesn't come back."""
    made = 0
    for path in await asyncio.to_thread(lambda: sorted(directory.glob("*.yaml"))):
        try:
            found = await asyncio.to_thread(read_rules, path)
        except ValidationFailed as error:
            log.error("ready-made alert rules left out: %s", error)
            continue
        for rule in found:
            made += await rules.create_example(owner_id, rule)
    return made
