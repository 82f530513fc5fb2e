"""The web side on a real store, asked as a browser on this machine asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from support.scene import Scene, fill

from monitor.store import open_store
from monitor.web import create_app


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Memory and store of a daemon that watches nothing yet."""
    store = open_store(f"sqlite:///{tmp_path}/web.db")
    yield Scene(store)
    store.close()


@pytest.fixture
def full_scene(scene: Scene) -> Scene:
    """Keys in every state, open and past alerts, deliveries that went well and badly."""
    fill(scene)
    return scene


@pytest.fixture
async def client(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application of *scene*."""
    transport = httpx.ASGITransport(create_app(scene.context))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9750") as http:
        yield http
