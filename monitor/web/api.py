"""The JSON API: the same queries as the pages and the command line, as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from monitor import jsonable, queries, records
from monitor.core.events import Silence
from monitor.core.notifications import NotificationState
from monitor.overviews import KeyOverview
from monitor.records import AlertRecord, NotificationRecord
from monitor.silencing import Silencing
from monitor.web import parameters, present
from monitor.web.context import Reader, WebContext

ALL = "all"
MAX_KEYS = 1000
"""So many at most in one answer: making JSON of 10,000 holds up the polls for 60 ms."""

MAX_RECORDS = 1000
DEFAULT_KEYS = 1000
DEFAULT_RECORDS = 100
DEFAULT_SPAN = timedelta(days=1)
MAX_OFFSET = 10_000_000
ALERT_STATES = (ALL, "open")
NOTIFICATION_STATES = (ALL, *NotificationState)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """Some of the watched keys: those from ``offset`` on, of ``total``.

    ``polling`` tells whether any key was polled lately.
    """

    at: datetime
    polling: bool
    last_poll_at: datetime | None
    total: int
    offset: int
    keys: tuple[KeyOverview, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertList:
    """The newest alerts, newest first, each with its changes and deliveries; the silences that
    hold now.
    """

    at: datetime
    silences: tuple[Silence, ...]
    alerts: tuple[AlertRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationList:
    """The newest notifications, newest first, each with its events and attempts."""

    at: datetime
    notifications: tuple[NotificationRecord, ...]


class Api:
    """Endpoints under ``/api/v1``; every query runs, and becomes text, in a thread."""

    def __init__(self, context: WebContext, reader: Reader) -> None:
        self._context = context
        self._reader = reader

    async def keys(self, request: Request) -> Response:
        """What is known of the watched keys, in the order of the configuration."""
        query = request.query_params
        parameters.check_names(query, "limit", "offset")
        limit = parameters.integer(query, "limit", DEFAULT_KEYS, 1, MAX_KEYS)
        offset = parameters.integer(query, "offset", 0, 0, MAX_OFFSET)
        world, now = self._context.world, self._context.clock.now()

        def answer() -> KeyList:
            live = list(world.keys.values())
            found = present.overview(world, live[offset : offset + limit], now)
            return KeyList(
                at=now,
                polling=found.polling,
                last_poll_at=found.last_poll_at,
                total=len(live),
                offset=offset,
                keys=found.keys,
            )

        return await self._json(answer)

    async def key(self, request: Request) -> Response:
        """What is known of one key."""
        parameters.check_names(request.query_params)
        live = self._context.world.keys.get(request.path_params["name"])
        if live is None:
            raise HTTPException(404, "no key of this name is watched")
        world, now = self._context.world, self._context.clock.now()
        return await self._json(lambda: present.overview(world, [live], now).keys[0])

    async def history(self, request: Request) -> Response:
        """The balances of one key, and when it could not be read, since a moment."""
        parameters.check_names(request.query_params, "since")
        name, now = request.path_params["name"], self._context.clock.now()
        start = parameters.since(request.query_params, "since", DEFAULT_SPAN, now)
        live = self._context.world.keys.get(name)
        if live is None:
            raise HTTPException(404, "no key of this name is watched")
        world, store = self._context.world, self._context.store

        def answer() -> queries.KeyHistory:
            [key] = present.overview(world, [live], now).keys
            found = queries.key_history(store, name, start, now, key.outlooks)
            return found or queries.KeyHistory(
                key=name, since=start, until=now, meters=(), outages=()
            )

        return await self._json(answer)

    async def alerts(self, request: Request) -> Response:
        """Alerts, newest first."""
        query = request.query_params
        parameters.check_names(query, "state", "limit")
        only_open = parameters.choice(query, "state", ALL, ALERT_STATES) != ALL
        limit = parameters.integer(query, "limit", DEFAULT_RECORDS, 1, MAX_RECORDS)
        store, world, now = self._context.store, self._context.world, self._context.clock.now()

        def answer() -> AlertList:
            silences = tuple(silence for silence in world.silences if silence.active(now))
            keys = [live.watched for live in list(world.keys.values())]
            silencing = Silencing(silences, keys, now)
            found = records.alerts(store, only_open=only_open, limit=limit, silencing=silencing)
            return AlertList(at=now, silences=silences, alerts=found)

        return await self._json(answer)

    async def notifications(self, request: Request) -> Response:
        """Notifications, newest first."""
        query = request.query_params
        parameters.check_names(query, "state", "limit")
        state = parameters.choice(query, "state", ALL, NOTIFICATION_STATES)
        states = () if state == ALL else (NotificationState(state),)
        limit = parameters.integer(query, "limit", DEFAULT_RECORDS, 1, MAX_RECORDS)
        store, now = self._context.store, self._context.clock.now()
        return await self._json(
            lambda: NotificationList(
                at=now, notifications=records.notifications(store, states=states, limit=limit)
            )
        )

    async def _json(self, answer: Callable[[], Any]) -> Response:
        body = await self._reader.run(lambda: as_json(jsonable.to_json(answer())))
        return Response(body, media_type="application/json")


def as_json(value: Any) -> bytes:
    """*value* as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def error_body(message: str, parameter: str | None = None) -> dict[str, Any]:
    """The body of every answer of the API that is not 200."""
    return {"error": {"message": message, "parameter": parameter}}
