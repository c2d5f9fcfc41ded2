from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashapp.contract.dashboards import PanelDefinition, Position
from dashapp.dashboards import layout


def panel(title: str, **position: int) -> PanelDefinition:
    return PanelDefinition.model_validate(
        {"title": title, "type": "line", "query": "a", **({"position": position} if position else {})}
    )


def overlap(a: Position, b: Position) -> bool:
    return a.x < b.x + b.w and b.x < a.x + a.w and a.y < b.y + b.h and b.y < a.y + a.h


sizes = st.builds(Position, w=st.integers(1, 12), h=st.integers(1, 8))


@given(st.lists(sizes, max_size=20), st.booleans())
def test_whatever_is_placed_overlaps_nothing(wanted: list[Position], below: bool) -> None:
    taken: list[Position] = []
    for size in wanted:
        above = layout.bottom(taken) if below else 0
        spot = layout.Grid(taken).place(size, above=above)
        assert (spot.w, spot.h) == (size.w, size.h)
        assert spot.x + spot.w <= 12
        assert spot.y >= above
        assert not any(overlap(spot, other) for other in taken)
        taken.append(spot)


def test_a_gap_above_is_filled_only_where_that_is_asked() -> None:
    taken = [Position(x=0, y=0, w=6, h=4), Position(x=0, y=4, w=12, h=4)]
    assert layout.Grid(taken).place(Position(w=6, h=4)) == Position(x=6, y=0, w=6, h=4)
    assert layout.Grid(taken).place(Position(w=6, h=4), above=8) == Position(x=0, y=8, w=6, h=4)
    assert layout.Grid(taken).place(Position(w=6, h=5)) == Position(x=0, y=8, w=6, h=5)


def test_given_places_are_kept() -> None:
    positions = layout.arranged([panel("CPU", x=0, y=0), panel("Disk", x=6, y=0), panel("Memory", x=3, y=2)])
    assert [(p.x, p.y) for p in positions] == [(0, 0), (6, 0), (3, 2)]


def test_panels_without_a_place_fill_rows_below_those_with_one() -> None:
    positions = layout.arranged([panel("a"), panel("b", x=0, y=0, w=12, h=2), panel("c"), panel("wide", w=8, h=2)])
    assert [(p.x, p.y, p.w) for p in positions] == [(0, 2, 6), (0, 0, 12), (6, 2, 6), (0, 6, 8)]


def test_the_grids_end() -> None:
    last = Position(x=0, y=10_000, w=12, h=8)
    assert layout.Grid([last]).place(Position(), above=layout.bottom([last])).y == 0
