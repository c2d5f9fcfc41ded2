"""What is chosen of a dashboard's variables: what the link asks for, and for the rest what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from dashapp.contract.variables import Chosen, Variable, chosen_in, picked
from dashapp.errors import NotFound


class Tags(Protocol):
    """Knows what there is to choose from: a server's `Reader`, a notebook's `Source`."""

    async def tags(self, metric: str) -> dict[str, list[str]]:
        """
        Raises:
            NotFound: there is no such metric.
        """


async def choose(reader: Tags, variables: Sequence[Variable], asked: Mapping[str, Iterable[str]]) -> Chosen:
    """By variable its chosen values. The tags' values are only looked up where the first of them is chosen.

    Raises:
        Unavailable: the database can't be reached.
    """
    known: dict[str, list[str]] = {}
    for variable in variables:
        if variable.metric and variable.tag and picked(variable, asked) is None:
            try:
                known[variable.name] = (await reader.tags(variable.metric)).get(variable.tag, [])
            except NotFound:
                known[variable.name] = []
    return chosen_in(variables, asked, known)
