"""The renewer against a useapi.net on loopback: begun before it is done, and never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from support.useapi import ANNA, BEN, PASSWORD, TOKEN, UseapiServer

from monitor.clock import Clock
from monitor.core.model import MeterFailure, Reading, Reason
from monitor.core.renewals import Outcome, Renewal
from monitor.providers import UseapiKey
from monitor.providers.http import HttpClient
from monitor.renewer import Renewer, RenewerContext
from monitor.world import World


class Site:
    """A renewer with a world of its own that remembers what was recorded, and when."""

    def __init__(self, server: UseapiServer, http: HttpClient) -> None:
        self.server, self.clock, self.world = server, Clock(), World()
        self.recorded: list[tuple[Outcome, int]] = []  # with the logins there were by then
        self.soon: list[str] = []
        self.store_works = True
        linked = [{"login": ANNA, "name": "anna", "password": PASSWORD}]
        values = {"name": "tools", "provider": "useapi", "key": TOKEN, "url": server.url}
        key = UseapiKey.model_validate(values | {"linked": linked, "renew_sessions": "on"})
        context = RenewerContext(
            world=self.world,
            http=http,
            record=self._record,
            written=self._written,
            renewed=self.soon.append,
            clock=self.clock,
        )
        self.renewer = Renewer({"tools": key.build()}, context)

    def _record(self, renewal: Renewal) -> None:
        self.world.renewals[renewal.key, renewal.meter] = renewal
        self.recorded.append((renewal.outcome, len(self.server.paths("POST"))))

    async def _written(self) -> bool:
        return self.store_works

    def broken(self, *, at: datetime | None = None, key: str = "tools") -> Reading:
        failure = MeterFailure(meter="kling:anna", reason=Reason.SESSION_BROKEN)
        return Reading.of(key, at or self.clock.now(), [failure])

    async def finish(self) -> None:
        for task in [*self.renewer._tasks]:
            await task


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    http = HttpClient()
    async with UseapiServer() as server:
        server.link(ANNA, BEN, broken=True, max_jobs=7)
        yield Site(server, http)
    await http.aclose()


async def test_it_is_begun_in_the_record_before_anybody_is_asked(site: Site) -> None:
    site.renewer.consider(site.broken())
    assert site.recorded == [(Outcome.BEGUN, 0)]
    await site.finish()
    assert site.recorded == [(Outcome.BEGUN, 0), (Outcome.RENEWED, 1)]
    assert site.soon == ["tools"]
    assert (site.server.accounts[ANNA].logins, site.server.accounts[ANNA].max_jobs) == (1, 7)
    assert site.server.accounts[BEN].broken


async def test_polls_that_see_the_same_meanwhile_begin_nothing(site: Site) -> None:
    for _ in range(3):
        site.renewer.consider(site.broken())
    await site.finish()
    site.renewer.consider(site.broken(at=site.clock.now() + timedelta(minutes=59)))
    await site.finish()
    assert site.server.accounts[ANNA].logins == 1


async def test_nothing_is_done_while_it_cannot_be_written_down(site: Site) -> None:
    site.store_works = False
    site.renewer.consider(site.broken())
    await site.finish()
    assert site.server.requests == []


async def test_other_keys_and_other_failures_are_none_of_its_business(site: Site) -> None:
    site.renewer.consider(site.broken(key="another"))
    timeout = MeterFailure(meter="kling:anna", reason=Reason.TIMEOUT)
    site.renewer.consider(Reading.of("tools", site.clock.now(), [timeout]))
    await site.finish()
    assert site.recorded == []


async def test_an_account_that_is_not_linked_any_more_is_not_linked_again(site: Site) -> None:
    del site.server.accounts[ANNA]
    site.renewer.consider(site.broken())
    await site.finish()
    assert [outcome for outcome, _ in site.recorded] == [Outcome.BEGUN, Outcome.FAILED]
    assert site.server.paths("POST") == []
    assert "not linked" in site.world.renewals["tools", "kling:anna"].detail


async def test_what_is_cut_off_by_a_stop_stays_begun(site: Site) -> None:
    site.server.slow["/v1/kling/accounts"] = 30
    site.renewer.consider(site.broken())
    await site.server.more_requests(0)
    await site.renewer.stop()
    assert [outcome for outcome, _ in site.recorded] == [Outcome.BEGUN]
    assert site.world.renewals["tools", "kling:anna"].failures == 1
