"""One version everywhere, a changelog in good order, and a workflow that may do little."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import monitor

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
HEADINGS = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_the_version_is_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", monitor.__version__)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("share/man/man1/credit-monitor.1", '"credit-monitor {version}"'),
        ("Dockerfile", "ARG VERSION={version}\n"),
        ("deploy/kubernetes/credit-monitor.yaml", "image: credit-monitor:{version}\n"),
    ],
)
def test_what_names_the_version_names_this_one(file: str, text: str) -> None:
    assert text.format(version=monitor.__version__) in (ROOT / file).read_text("utf-8")


def test_the_changelog_begins_with_what_is_not_released() -> None:
    assert HEADINGS[0] == "[Unreleased]"


def test_releases_stand_in_the_changelog_from_new_to_old_and_the_newest_is_this_one() -> None:
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", h) for h in HEADINGS[1:]]
    releases = [(parts(match[1]), date.fromisoformat(match[2])) for match in found if match]
    assert len(releases) == len(found), "a heading that is no release"
    assert releases == sorted(releases, reverse=True)
    assert all(newest == parts(monitor.__version__) for newest, _ in releases[:1])


def test_changes_are_sorted_by_the_words_of_keep_a_changelog() -> None:
    words = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= words


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_pinned_actions_no_secrets_and_reads_only(path: Path) -> None:
    text = path.read_text("utf-8")
    workflow: dict[str, Any] = yaml.safe_load(text)
    used = re.findall(r"uses: (\S+)", text)
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    assert "secrets." not in text
    assert workflow["permissions"] == {}
    granted = [job["permissions"] for job in workflow["jobs"].values()]
    assert granted == [{"contents": "read"}] * len(granted)


def test_the_workflow_runs_what_decides_on_every_python_that_is_promised() -> None:
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    test = ci["jobs"]["test"]
    assert [step["run"] for step in test["steps"] if "run" in step] == [".ci/run"]
    promised = re.findall(
        r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )
    assert test["strategy"]["matrix"]["python"] == promised
