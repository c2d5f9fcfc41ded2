"""The 12-column grid: where there is room.

A position that somebody gave is kept, also where it lies on another panel's: the page's grid then moves one of them down
for the eye. Only a panel without a position is placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dashapp.contract.dashboards import GRID_COLUMNS, PanelDefinition, Position
from dashapp.errors import ValidationFailed

#: Panels a dashboard may hold.
MOST_PANELS = 100
#: The last row where a panel may begin.
LAST_ROW = 10_000


def bottom(positions: Iterable[Position]) -> int:
    """The first row below all of them."""
    return max((position.y + position.h for position in positions), default=0)


def wants_a_place(definition: PanelDefinition) -> bool:
    """Whether a panel was given without saying where; a mere size doesn't say where."""
    return "position" not in definition.model_fields_set or not {"x", "y"} & definition.position.model_fields_set


class Grid:
    """Which cells are taken: a mask of 12 bits a row, so that a hundred panels find their places in a few milliseconds."""

    def __init__(self, taken: Iterable[Position]) -> None:
        self._rows: dict[int, int] = {}
        #: Rows where a free place can begin: right below something.
        self._edges: set[int] = {0}
        for position in taken:
            self._take(position)

    def _take(self, position: Position) -> None:
        for row in range(position.y, position.y + position.h):
            self._rows[row] = self._rows.get(row, 0) | _mask(position.w) << position.x
        self._edges.add(position.y + position.h)

    def place(self, size: Position, *, above: int = 0) -> Position:
        """Take the first free place for a panel of this size, row by row, at or below the row `above`.

        Raises:
            ValidationFailed: the grid ends before there is room.
        """
        for y in sorted({above, *(edge for edge in self._edges if edge > above)}):
            if y > LAST_ROW:
                break
            taken = 0
            for row in range(y, y + size.h):
                taken |= self._rows.get(row, 0)
            for x in range(GRID_COLUMNS - size.w + 1):
                if not taken & _mask(size.w) << x:
                    spot = size.model_copy(update={"x": x, "y": y})
                    self._take(spot)
                    return spot
        if above:  # someone put a panel at the grid's very end: take any gap
            return self.place(size)
        raise ValidationFailed("The dashboard has no room for another panel.", details={"position": "no room"})


def _mask(width: int) -> int:
    return (1 << width) - 1


def arranged(definitions: Sequence[PanelDefinition]) -> list[Position]:
    """The positions of a new dashboard's panels: as given, and in rows below those where none is given.

    Raises:
        ValidationFailed: the grid is full.
    """
    taken = [definition.position for definition in definitions if not wants_a_place(definition)]
    grid, below = Grid(taken), bottom(taken)
    return [grid.place(d.position, above=below) if wants_a_place(d) else d.position for d in definitions]
