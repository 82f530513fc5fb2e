"""The pages: HTML made on the server, whole without scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from monitor import queries, records
from monitor.core.model import Kind
from monitor.core.notifications import NotificationState
from monitor.overviews import KeyOverview, Overview, concerns
from monitor.queries import MeterHistory
from monitor.records import AlertRecord
from monitor.silencing import Silencing
from monitor.store.base import StoreError
from monitor.web import chart, parameters, present
from monitor.web.context import Reader, WebContext
from monitor.web.present import NO_NOTIFICATIONS
from monitor.web.templates import Templates
from monitor.world import LiveKey, WatchedKey

KEYS_PER_PAGE = 200
ALERTS_SHOWN = 100
UNDELIVERED_SHOWN = 50
REFUSALS_SHOWN = 10
"""Mistakes of a refused configuration; ``config check`` has all of them."""

SPANS = (
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
)
DEFAULT_SPAN = timedelta(days=1)
ALERTS_SEARCHED = 500
"""Among so many of the newest alerts a key's page looks for its own."""


@dataclass(frozen=True, slots=True)
class MeterChart:
    """A meter's history as the page of a key shows it."""

    history: MeterHistory
    drawing: chart.Chart | None


class Pages:
    """Endpoints for people; query and rendering run in a thread."""

    def __init__(self, context: WebContext, reader: Reader) -> None:
        self._context = context
        self._reader = reader
        self._templates = Templates(context.version)

    async def dashboard(self, request: Request) -> Response:
        """All keys, those in trouble first, under a banner with what needs attention."""
        parameters.check_names(request.query_params, "page")
        page = parameters.integer(request.query_params, "page", 1, 1, 10_000)
        return await self._page(partial(self._dashboard, page, self._problems()))

    def _dashboard(self, page: int, problems: list[str]) -> dict[str, Any]:
        now = self._context.clock.now()
        try:
            counts = self._context.store.count_notifications()
        except StoreError as error:  # the rest of this page does not need the store
            problems.append(f"The store does not answer: {error}")
            counts = dict(NO_NOTIFICATIONS)
        world, start = self._context.world, (page - 1) * KEYS_PER_PAGE
        keys = present.trouble_first(world)
        overview = present.overview(world, keys[start : start + KEYS_PER_PAGE], now, counts)
        return {
            "template": "dashboard.html",
            "now": now,
            "problems": problems + (_notices(overview) if keys else []),
            "overview": overview,
            "alerts": sorted(overview.open_alerts, key=lambda a: -a.severity.rank),
            "acks": {ack.alert_id: ack for ack in overview.acks},
            "silences": {silence.id: silence for silence in overview.silences},
            "total": len(keys),
            "page": page,
            "pages": max(1, -(-len(keys) // KEYS_PER_PAGE)),
        }

    async def key(self, request: Request) -> Response:
        """One key: meters, history as a chart, outages, alerts."""
        query, now = request.query_params, self._context.clock.now()
        parameters.check_names(query, "since")
        since = parameters.since(query, "since", DEFAULT_SPAN, now)
        live = self._context.world.keys.get(request.path_params["name"])
        if live is None:
            raise HTTPException(404, "No key of this name is watched.")
        chosen = query.get("since", SPANS[0][0])
        shown = partial(self._key, live, since, chosen, self._problems())
        return await self._page(shown)

    def _key(
        self, live: LiveKey, since: datetime, chosen: str, problems: list[str]
    ) -> dict[str, Any]:
        now, store = self._context.clock.now(), self._context.store
        watched = live.watched
        overview = present.overview(self._context.world, [live], now)
        key = overview.keys[0]
        history = queries.key_history(store, watched.name, since, now, key.outlooks)
        since = history.began if history else since
        found = records.alerts(store, limit=ALERTS_SEARCHED, silencing=self._silencing(now))
        return {
            "template": "key.html",
            "now": now,
            "problems": problems,
            "key": key,
            "watched": watched,
            "charts": _charts(watched, key, history),
            "outages": history.outages[::-1] if history else (),
            "alerts": [a for a in found if concerns(a.alert.subject, watched)],
            "searched": ALERTS_SEARCHED,
            "since": since,
            "chosen": chosen,
            "spans": SPANS,
        }

    async def alerts(self, request: Request) -> Response:
        """Open and past alerts with their deliveries, and what is not delivered."""
        parameters.check_names(request.query_params)
        return await self._page(partial(self._alerts, self._problems()))

    def _alerts(self, problems: list[str]) -> dict[str, Any]:
        store, now = self._context.store, self._context.clock.now()
        states = (NotificationState.DEAD, NotificationState.PENDING)
        silencing = self._silencing(now)
        found: tuple[AlertRecord, ...] = records.alerts(
            store, limit=ALERTS_SHOWN, silencing=silencing
        )
        return {
            "template": "alerts.html",
            "now": now,
            "problems": problems,
            "silences": store.silences(active_at=now),
            "open": records.alerts(store, only_open=True, limit=ALERTS_SHOWN, silencing=silencing),
            "past": [a for a in found if a.alert.resolved_at is not None],
            "undelivered": records.notifications(store, states=states, limit=UNDELIVERED_SHOWN),
            "shown": ALERTS_SHOWN,
        }

    def _silencing(self, now: datetime) -> Silencing:
        world = self._context.world
        return Silencing(world.silences, [k.watched for k in list(world.keys.values())], now)

    def error(self, status: int, message: str) -> Response:
        """A page that says what went wrong; needs no store."""
        values = self._shared() | {
            "template": "error.html",
            "now": self._context.clock.now(),
            "problems": self._problems(),
            "status": status,
            "message": message,
        }
        return HTMLResponse(self._templates.render(values), status_code=status)

    def _problems(self) -> list[str]:
        return list(self._context.health())

    async def _page(self, values: Callable[[], dict[str, Any]]) -> Response:
        shared = self._shared()
        text = await self._reader.run(lambda: self._templates.render(shared | values()))
        return HTMLResponse(text)

    def _shared(self) -> dict[str, Any]:
        """What every page shows besides its own."""
        configuration = self._context.configuration()
        return {"configuration": configuration, "refusals_shown": REFUSALS_SHOWN}


def _notices(overview: Overview) -> list[str]:
    if not overview.polling:
        return ["No key has been polled lately: what is shown here is old."]
    return []


def _charts(
    watched: WatchedKey, key: KeyOverview, history: queries.KeyHistory | None
) -> list[MeterChart]:
    if history is None:
        return []
    by_hand = {meter.meter for meter in key.meters if meter.kind is Kind.MANUAL}
    references = {meter.meter: meter.reference for meter in key.meters}
    return [
        MeterChart(
            meter,
            chart.draw(
                meter.points,
                history.outages,
                since=history.began,
                until=history.until,
                interval=watched.interval,
                thresholds=_thresholds(watched, references.get(meter.meter)),
            ),
        )
        for meter in history.meters
        if meter.meter not in by_hand
    ]


def _thresholds(watched: WatchedKey, reference: Decimal | None) -> list[tuple[str, Decimal]]:
    rule = watched.rules.low_balance
    if rule is None or reference is None:
        return []
    return [(str(severity), amount) for severity, _, amount in rule.thresholds(reference)]
