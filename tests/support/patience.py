"""How long a test waits for what must happen before it says that it never will."""

from __future__ import annotations

HANGS = 60.0
"""Seconds.  A machine that is busy takes many for what takes one elsewhere."""
