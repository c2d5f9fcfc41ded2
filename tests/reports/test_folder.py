"""Reports on disk: the newest are kept, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashapp.reports.folder import keep


def test_the_newest_are_kept_and_other_files_left_alone(tmp_path: Path) -> None:
    base = tmp_path / "reports"
    for other in (
        "notes.html",
        "web-2026-01-01-0800.html",
        "web-2026-01-01-0800-99999999.html",
        ".web-2026-01-01-0800-12345678.html",
    ):
        keep(base, "weekly", "x-2026-01-01-0000-00000000.html", "-00000000", b"", 1)
        (base / "weekly" / other).write_text("somebody's")
    for day in (3, 1, 4, 2):
        # The dashboard may be renamed in between.
        keep(base, "weekly", f"{'web' if day < 4 else 'shop'}-2026-11-0{day}-0800-12345678.html", "-12345678", b"%d" % day, 2)
    left = {path.name for path in (base / "weekly").iterdir() if path.name.endswith("-12345678.html")}
    assert left == {
        "shop-2026-11-04-0800-12345678.html", "web-2026-11-03-0800-12345678.html", ".web-2026-01-01-0800-12345678.html"
    }  # fmt: skip
    assert (base / "weekly" / "shop-2026-11-04-0800-12345678.html").read_bytes() == b"4"
    assert len(list((base / "weekly").iterdir())) == 7


def test_the_same_name_is_replaced(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        path = keep(tmp_path, "daily", "web-2026-11-01-0800-12345678.html", "-12345678", content, 5)
    assert [(one, one.read_bytes()) for one in path.parent.iterdir()] == [(path, b"second")]


@pytest.mark.parametrize("folder", ["..", ".", "a/../..", "/etc", "a/b", "link"])
def test_no_folder_leads_out(tmp_path: Path, folder: str) -> None:
    base, outside = tmp_path / "reports", tmp_path / "outside"
    base.mkdir()
    outside.mkdir()
    (base / "link").symlink_to(outside)
    with pytest.raises(ValueError, match="leads out of"):
        keep(base, folder, "web-2026-11-01-0800-12345678.html", "-12345678", b"", 1)
    assert list(outside.iterdir()) == []
