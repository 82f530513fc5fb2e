"""The wheel and the source archive are complete: the program runs from the wheel alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import monitor

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
DOCKERIGNORE = (ROOT / ".dockerignore").read_text("utf-8")
DATA = {".html", ".css", ".svg", ".mako", ".yaml"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and source archive, built without network."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def program(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``credit-monitor`` installed from the wheel; its dependencies are those of the tests.

    A ``.pth`` file lends them: unlike one in their own folder, theirs are not followed, so the
    sources of an editable installation are out of reach.
    """
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False, symlinks=True)
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install"]
    offline = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([*install, *offline], check=True)
    (site,) = home.glob("lib/*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin" / "credit-monitor"


def run(program: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONWARNINGS": "error"}


def sources() -> Iterator[str]:
    """What has to be in a wheel: modules, templates, styles, the mark of a typed package."""
    for file in (ROOT / "monitor").rglob("*"):
        if file.suffix in DATA | {".py"} or file.name == "py.typed":
            yield file.relative_to(ROOT).as_posix()


def shared() -> Iterator[str]:
    """What goes below the prefix: the manual page, and completion for the shells."""
    files = (ROOT / "share").rglob("*")
    yield from (file.relative_to(ROOT).as_posix() for file in files if file.is_file())


def test_the_wheel_has_every_module_and_data_file(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    below = f"credit_monitor-{monitor.__version__}.data/data/"
    assert inside == set(sources()) | {below + name for name in shared()}


def test_the_source_archive_has_what_builds_tests_and_documents_it(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
    wanted = {*sources(), "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "requirements.txt"}
    wanted |= {
        "docs/configuration.md",
        *shared(),
        "scripts/install",
        "tests/conftest.py",
    }
    assert wanted <= inside
    assert not {name for name in inside if name.startswith((".venv", ".git/", ".ci"))}


def test_the_source_archive_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    (again,) = tmp_path.glob("*.whl")
    (wheel,) = built.glob("*.whl")
    assert again.name == wheel.name
    assert content(again) == content(wheel)


def test_what_an_image_is_built_from_is_enough_for_the_same_wheel(
    built: Path, tmp_path: Path
) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) (\S+)$", DOCKERFILE, re.MULTILINE)
    allowed = {line[1:] for line in DOCKERIGNORE.splitlines() if line.startswith("!")}
    assert {name for names, _ in copied for name in names.split()} == allowed

    source = tmp_path / "source"
    source.mkdir()
    for name in allowed:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    (again,) = tmp_path.glob("*.whl")
    (wheel,) = built.glob("*.whl")
    assert set(content(again)) == set(content(wheel))


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_installed_program_is_the_wheel(program: Path, tmp_path: Path) -> None:
    python = program.parent / "python"
    command = [str(python), "-c", "import monitor; print(monitor.__file__)"]
    where = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert where.stdout.startswith(str(program.parents[1]))

    version = run(program, tmp_path, "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert monitor.__version__ in version.stdout


def test_the_installed_program_writes_a_configuration_and_checks_it(
    program: Path, tmp_path: Path
) -> None:
    nothing = run(program, tmp_path, "check")
    assert nothing.returncode == 3
    assert "there is no configuration file" in nothing.stdout + nothing.stderr

    assert run(program, tmp_path, "config", "init", "--output", "config.yaml").returncode == 0
    asked = run(program, tmp_path, "config", "check")
    assert asked.returncode == 78
    assert "KIE_API_KEY" in asked.stdout + asked.stderr


def test_pip_puts_the_manual_page_and_completion_below_the_prefix(program: Path) -> None:
    prefix = program.parents[1]
    assert [name for name in shared() if not (prefix / name).is_file()] == []


def test_the_installed_program_has_its_catalog(program: Path, tmp_path: Path) -> None:
    known = run(program, tmp_path, "providers", "openrouter")
    assert (known.returncode, known.stderr) == (0, "")
    assert "openrouter.ai" in known.stdout


def test_the_installed_program_shows_everything(program: Path, tmp_path: Path) -> None:
    command = [str(program), "demo", "--for", "3s", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        port = next(m[1] for line in lines if (m := re.search(r"http://127\.0\.0\.1:(\d+)/", line)))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            page = answer.read().decode()
        (style,) = re.findall(r'href="(/[^"]+\.css[^"]*)"', page)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{style}") as answer:
            assert answer.headers["Content-Type"].startswith("text/css")
        process.stdout.read()
    assert process.returncode == 0
