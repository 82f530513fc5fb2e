"""A drawing as PNG, painted by a process of its own; why: docs/decisions/0014-charts.md."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from monitor.drawing.items import Drawing

log = logging.getLogger(__name__)

PAINT_SECONDS = 10.0
"""A painter that takes longer is ended; it usually takes a fifth of a second."""


def png(drawing: Drawing) -> bytes | None:
    """The PNG of *drawing*; None if painting failed (which is logged).

    Blocks for as long as painting takes.
    """
    wanted = {
        "size": (drawing.width, drawing.height),
        "items": [asdict(item) for item in drawing.items],
    }
    painter = Path(__file__).with_name("painter.py")
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-I", str(painter)],
            input=json.dumps(wanted).encode(),
            capture_output=True,
            timeout=PAINT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("a chart could not be painted: %s", type(error).__name__)
        return None
    return done.stdout
