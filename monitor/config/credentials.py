"""Where an entry's credential comes from: written, in a file, or from systemd; exactly one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from monitor.config import secrets
from monitor.config.document import UNRESOLVED
from monitor.config.problems import Findings, Path

_REQUIRED = frozenset({"url"})  # whether a key is needed, its provider knows
_COMPLAINTS: Mapping[str, Callable[[str], str | None]] = {
    "key": secrets.complaint_about_key,
    "url": secrets.complaint_about_url,
    "password": secrets.complaint_about_password,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Resolves ``key``, ``url`` or ``password``, ``..._file`` and ``..._credential`` of entries.

    Relative files start from ``directory``, that of the configuration file.
    """

    environ: Mapping[str, str]
    directory: FilePath
    findings: Findings

    def resolve(self, entry: dict[str, Any], name: str, path: Path, *, instead: str = "") -> None:
        """Put the credential into *entry* under *name*, from wherever the entry says it is.

        An entry may have the field *instead* in its place.

        What cannot be had is noted, and :data:`UNRESOLVED` stands in, so that checking goes on.
        """
        forms = tuple(f for f in (name, f"{name}_file", f"{name}_credential", instead) if f)
        given = [form for form in forms if entry.get(form) is not None]
        for form in given[1:]:
            only_one = f"give only one of {', '.join(forms)}"
            self.findings.error((*path, form), only_one, on_name=True)
        if not given and name in _REQUIRED:
            self.findings.error(path, f"has no {name}: give one of {', '.join(forms)}")
            entry[name] = UNRESOLVED
        if not given or given[0] == instead or not isinstance(entry[given[0]], str):
            return
        form, source = given[0], (*path, given[0])
        value = entry[form] if form == name else self._read(entry[form], form, source)
        if value is not UNRESOLVED and (complaint := _COMPLAINTS[name](value)):
            self.findings.error(source, complaint)
            value = UNRESOLVED
        entry[name] = value

    def _read(self, text: str, form: str, path: Path) -> str:
        """The credential in the file that *text* names."""
        try:
            if form.endswith("_credential"):
                file = secrets.credential_path(text, self.environ)
            else:
                file = self.directory / text
            secret = secrets.read_file(file)
        except ValueError as error:
            self.findings.missing_secret(path, str(error))
            return UNRESOLVED
        if secret.world_readable:
            self.findings.warning(path, "every user of this host can read the file: chmod o-r it")
        return secret.value
