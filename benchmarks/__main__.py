"""``python -m benchmarks [NAME...] [-- ARGS]``: runs the named benchmarks, or all of them.

A benchmark is a module of this package that runs as a script; the first line of its docstring says
what it measures.  Modules that begin with an underscore are parts of others.
"""

from __future__ import annotations

import argparse
import ast
import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def found() -> dict[str, str]:
    """Every benchmark with the first line of its docstring, none of them imported."""
    names = sorted(
        module.name
        for module in pkgutil.iter_modules([str(HERE)])
        if not module.name.startswith("_")
    )
    return {name: _first_line(HERE / f"{name}.py") for name in names}


def _first_line(source: Path) -> str:
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def main(argv: Sequence[str]) -> None:
    """List or run benchmarks; what follows ``--`` goes to each of them."""
    mine, separator, theirs = _split(argv)
    benchmarks = found()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(benchmarks))
    parser.add_argument("--list", action="store_true", help="say what there is and stop")
    options = parser.parse_args(mine)
    unknown = [name for name in options.names if name not in benchmarks]
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(benchmarks)}")
    if options.list:
        for name, text in benchmarks.items():
            print(f"{name:16} {text}")
        return
    if separator and not options.names:
        parser.error("arguments after -- need the name of a benchmark before it")
    for name in options.names or benchmarks:
        print(f"\n## {name}: {benchmarks[name]}\n", flush=True)
        # A process each: memory and processor affinity of one are nothing to the next.
        command = [sys.executable, "-m", f"benchmarks.{name}", *theirs]
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"the benchmark {name} failed")


def _split(argv: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    if "--" not in argv:
        return argv, False, ()
    at = argv.index("--")
    return argv[:at], True, argv[at + 1 :]


if __name__ == "__main__":
    main(sys.argv[1:])
