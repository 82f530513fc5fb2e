"""One broken file per mistake; the messages it must give stand in its first lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import ConfigError, Level, load

DIRECTORY = Path(__file__).parents[2] / "fixtures" / "config" / "invalid"
FILES = sorted(DIRECTORY.glob("*.yaml"))
ENVIRON = {"EMPTY": "", "HOME": "/home/operator"}
MARK = "# expect: "


def test_there_are_broken_files() -> None:
    assert len(FILES) > 80


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in FILES])
def test_a_broken_file_gives_exactly_its_messages(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON)
    errors = [each for each in caught.value.problems if each.level is Level.ERROR]
    assert [str(each).removeprefix(str(file)).lstrip(": ") for each in errors] == expected


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in FILES])
def test_no_message_is_the_validation_librarys_own(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    library = ("Input should", "Field required", "is not valid (", "pydantic", "Value error")
    assert not [word for word in library if word in text]
