"""Dashboards between a folder and a running dashapp."""

from __future__ import annotations

from pathlib import Path

from dashapp.client import Client
from tests.running import Running


def _run(data_dir: Path, *arguments: str) -> tuple[int, str]:
    return Running("dashboards", *arguments, "--data-dir", str(data_dir)).ended()


def _texts(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(directory.iterdir())}


def test_pull_push_pull_is_byte_for_byte_the_same(data_dir: Path, client: Client, tmp_path: Path) -> None:
    client.put_dashboard("name: Zwölf & more\npanels:\n  - {title: A, type: line, query: a, options: {tags: {z: '1', aa: y}}}\n")
    first, second = tmp_path / "first", tmp_path / "second"
    assert _run(data_dir, "pull", str(first))[0] == 0
    assert sorted(_texts(first)) == ["this-host.yaml", "zw-lf-more.yaml"]
    assert _run(data_dir, "push", str(first)) == (0, "".join(f"{first / name}: unchanged\n" for name in _texts(first)).strip())
    assert _run(data_dir, "pull", str(second))[0] == 0
    assert _texts(first) == _texts(second)


def test_a_change_is_shown_then_made_and_panels_keep_their_ids(data_dir: Path, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("# by hand\nname: Mine\npanels:\n  - {title: A, type: line, query: a}\n  - {title: B, type: stat, query: b}\n")
    assert _run(data_dir, "push", str(tmp_path), "--dry-run")[1].splitlines()[:2] == ["--- stored: nothing", f"+++ {file}"]
    assert "Mine" not in [dashboard.name for dashboard in client.dashboards()]
    assert _run(data_dir, "push", str(tmp_path)) == (0, f"{file}: made")
    before = client.dashboard("Mine")
    assert _run(data_dir, "push", str(tmp_path)) == (0, f"{file}: unchanged")
    file.write_text(file.read_text().replace("query: a", "query: c"))
    said = _run(data_dir, "push", str(tmp_path), "--dry-run")[1]
    assert "-    query: a\n+    query: c" in said
    assert _run(data_dir, "push", str(tmp_path)) == (0, f"{file}: changed")
    after = client.dashboard("Mine")
    assert (after.id, [panel.id for panel in after.panels]) == (before.id, [panel.id for panel in before.panels])
    assert after.panels[0].query == "c"
    assert f"{file}: unchanged" in _run(data_dir, "pull", str(tmp_path))[1]
    assert file.read_text().startswith("# by hand"), "what says the same stays as it is"


def test_what_is_in_no_file_is_deleted_when_told(data_dir: Path, client: Client, tmp_path: Path) -> None:
    def prune(*more: str) -> tuple[int, str]:
        return _run(data_dir, "push", str(tmp_path), "--prune", *more)

    def names() -> set[str]:
        return {dashboard.name for dashboard in client.dashboards()}

    assert prune("--yes") == (2, f"dashapp: {tmp_path} holds no .yaml files; with --prune none of your dashboards would stay.")
    assert _run(data_dir, "pull", str(tmp_path))[0] == 0
    assert "no file" not in prune("--yes")[1]
    made = [client.put_dashboard(f"name: {name}\n").id for name in ("Stale", "Staler")]
    code, said = prune("--dry-run")
    assert (code, said.splitlines()[-2:]) == (
        0, [f"{name} ({key}): in no file, would be deleted" for name, key in zip(("Stale", "Staler"), made, strict=True)],
    )  # fmt: skip
    code, said = prune()
    assert (code, "say --yes" in said, names() >= {"Stale", "Staler"}) == (2, True, True)
    code, said = prune("--yes")
    assert (code, said.splitlines()[-2:]) == (0, ["Stale: deleted", "Staler: deleted"])
    assert names() & {"Stale", "Staler", "This host"} == {"This host"}


def test_all_errors_are_told_with_their_lines_and_nothing_is_sent(data_dir: Path, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: Fine\n")
    (tmp_path / "b.yaml").write_text("name: x\npanels:\n  - title: T\n    type: pie\n    query: q\n")
    (tmp_path / "c.yaml").write_text("name: [\n")
    code, said = _run(data_dir, "push", str(tmp_path))
    assert code == 1
    assert "b.yaml:4: panels.0.type: Input should be" in said
    assert "c.yaml:" in said
    assert "Fine" not in [dashboard.name for dashboard in client.dashboards()]
    (tmp_path / "b.yaml").write_text("name: Fine\n")
    (tmp_path / "c.yaml").unlink()
    assert "a.yaml and b.yaml are the same dashboard" in _run(data_dir, "push", str(tmp_path))[1]


def test_two_of_one_name_need_their_ids(data_dir: Path, client: Client, tmp_path: Path) -> None:
    ids = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
    for known in ids:
        client.put_dashboard(f"name: Twin\nid: {known}\n")
    (tmp_path / "twin.yaml").write_text("name: Twin\ndescription: which\n")
    code, said = _run(data_dir, "push", str(tmp_path))
    assert code == 1
    assert all(known in said for known in ids)
    _run(data_dir, "pull", str(tmp_path / "all"))
    assert {"twin.yaml", "twin-2.yaml"} <= set(_texts(tmp_path / "all"))
