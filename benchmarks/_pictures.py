"""Draws the pictures of docs/forecasting.md: ``python -m benchmarks._pictures docs/pictures``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from benchmarks._comparators import predict_linear
from benchmarks._drive import Poll, polls
from benchmarks._prepaid import Account, account
from benchmarks._series import PER_DAY, PER_HOUR, Series, generated
from monitor.core.fields import Threshold
from monitor.core.forecast import Runway as RunwayLeft
from monitor.core.forecast import forecast, usual
from monitor.core.model import Sample
from monitor.core.rules import LowBalance, Rules, Runway
from monitor.drawing import svg
from monitor.replay import ForecastLine, Line, Replay, Sighting, Wanted, episodes
from monitor.replay.picture import Judged, Panel, picture
from monitor.world import WatchedKey

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 30, 34
INK, GRID, OURS, BAND, OTHER, ALARM = (
    "#24292f",
    "#d8dee4",
    "#0969da",
    "#b6d7ff",
    "#bc4c00",
    "#cf222e",
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the plane that is drawn: x in days, y in units of the axis.

    *start*: Unix seconds of day 0, where days of the week are to be shown.
    """

    begin: float
    end: float
    top: float
    start: int = 0

    def weekday(self, day: int) -> str:
        """The day of the week on which *day* begins."""
        return f"{datetime.fromtimestamp(self.start + day * 86400, UTC):%a}"

    def place(self, x: float, y: float) -> str:
        """A point in pixels."""
        across = LEFT + (x - self.begin) / (self.end - self.begin) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - min(y, self.top) / self.top * (HEIGHT - TOP - BOTTOM)
        return f"{across:.1f},{down:.1f}"

    def line(self, points: Points, color: str, *, dashes: str = "") -> str:
        """A polyline."""
        places = " ".join(self.place(x, y) for x, y in points)
        style = f'stroke-dasharray="{dashes}" ' if dashes else ""
        return (
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="1.6" {style}/>'
        )

    def band(self, low: Points, high: Points, color: str) -> str:
        """The area between two lines."""
        places = " ".join(self.place(x, y) for x, y in (*low, *reversed(high)))
        return f'<polygon points="{places}" fill="{color}" stroke="none"/>'

    def axes(self, label: str, step: float) -> list[str]:
        """Grid, numbers, days."""
        drawn = [_text(LEFT - 44, TOP - 12, label)]
        value = 0.0
        while value <= self.top:
            across, down = self.place(self.begin, value).split(",")
            ends = f'x1="{across}" y1="{down}" x2="{WIDTH - RIGHT}" y2="{down}"'
            drawn.append(f'<line {ends} stroke="{GRID}"/>')
            drawn.append(_text(LEFT - 6, float(down) + 4, f"{value:,.6g}", anchor="end"))
            value += step
        for day in range(math.ceil(self.begin), math.ceil(self.end)):
            across = self.place(day, 0).split(",")[0]
            label = self.weekday(day) if self.start else f"day {day}"
            drawn.append(_text(float(across), HEIGHT - 12, label, anchor="middle"))
        return drawn


def _text(x: float, y: float, text: str, *, color: str = INK, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}"'
        f' font-family="sans-serif" font-size="12">{text}</text>'
    )


def _legend(entries: Iterable[tuple[str, str]]) -> list[str]:
    drawn, x = [], 190.0
    for color, text in entries:
        drawn.append(f'<rect x="{x}" y="{TOP - 22}" width="14" height="8" fill="{color}"/>')
        drawn.append(_text(x + 19, TOP - 13, text))
        x += 36 + 6.6 * len(text)
    return drawn


def _written(path: Path, title: str, *groups: Sequence[str]) -> None:
    body = "\n".join(line for group in groups for line in group)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{title}</title>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


def _series(name: str) -> Series:
    return next(series for series in generated() if series.name == name)


def _runway(poll: Poll, account_: Account) -> RunwayLeft | None:
    now = datetime.fromtimestamp(account_.at(poll.index), UTC)
    return forecast(poll.state, now, float(poll.ledger.balance)).runway


def balance_picture(path: Path) -> None:
    """A fortnight of an office's balance, what was forecast three times, and the common line."""
    paid = account(_series("weekdays-2"), 5.0, "hand")
    readings = {poll.index: poll for poll in polls(paid)}
    frame = Frame(17.5, 28.5, max(paid.balances) * 1.1, paid.series.start)
    drawn = frame.axes("balance", 10 ** math.floor(math.log10(frame.top)))
    for day in (18.5, 21.75, 23.4):
        index = round(day * PER_DAY)
        poll = readings[min(readings, key=lambda at: abs(at - index))]
        drawn.extend(_fan(frame, paid, poll))
    shown = range(round(frame.begin * PER_DAY), round(frame.end * PER_DAY), 6)
    drawn.append(frame.line([(at / PER_DAY, paid.balances[at]) for at in shown], INK))
    top_up = next(at for at in paid.top_ups if at > 20 * PER_DAY)
    drawn.append(_common_line(frame, paid, top_up + 4 * PER_HOUR))
    legend = ((INK, "balance"), (BAND, "p10 to p90"), (OURS, "p50"), (OTHER, "predict_linear, 6 h"))
    _written(path, "Balance and forecasts", drawn, _legend(legend))


def _fan(frame: Frame, paid: Account, poll: Poll) -> list[str]:
    """From a balance down to where it is used up, early, in the middle and late."""
    runway = _runway(poll, paid)
    if runway is None:
        return []
    day, balance = poll.index / PER_DAY, float(poll.ledger.balance)
    ends = [min(day + hours / 24, frame.end) for hours in (runway.p10, runway.p50, runway.p90)]
    start = (day, balance)
    return [
        frame.band([start, (ends[0], 0)], [start, (ends[2], 0)], BAND),
        frame.line([start, (ends[1], 0)], OURS, dashes="5 3"),
    ]


def _common_line(frame: Frame, paid: Account, index: int) -> str:
    window = range(index - 6 * PER_HOUR + 1, index + 1)
    hours = predict_linear(
        [paid.at(at) for at in window], [paid.balances[at] for at in window], paid.at(index)
    )
    day, balance = index / PER_DAY, paid.balances[index]
    end = (frame.end, frame.top) if hours == math.inf else (day + hours / 24, 0.0)
    return frame.line([(day, balance), end], OTHER, dashes="2 3")


def runway_picture(path: Path) -> None:
    """Forecast and true time to empty over ten days of daily rhythm."""
    paid = account(_series("daily-3"), 3.0, "automatic")
    frame = Frame(7.0, 17.0, 120.0)
    low, middle, high, truth = [], [], [], []
    for poll in polls(paid):
        day = poll.index / PER_DAY
        if not frame.begin <= day <= frame.end or poll.index % PER_HOUR:
            continue
        runway, true = _runway(poll, paid), paid.hours_to_empty(poll.index)
        if runway is not None and true is not None:
            low.append((day, runway.p10))
            middle.append((day, runway.p50))
            high.append((day, runway.p90))
            truth.append((day, true))
    drawn = [frame.band(low, high, BAND), *frame.axes("hours", 24)]
    drawn.extend((frame.line(middle, OURS), frame.line(truth, INK, dashes="4 3")))
    legend = ((INK, "what came true"), (BAND, "p10 to p90"), (OURS, "p50"))
    _written(path, "Runway and truth", drawn, _legend(legend))


def spike_picture(path: Path) -> None:
    """Burn of 15 minutes, the meter's own limit, and a leak of two hours."""
    series = _series("daily-2")
    steps = list(series.steps)
    leak = round(10.55 * PER_DAY)
    for index in range(leak, leak + 2 * PER_HOUR):
        steps[index] *= 6
    paid = account(Series(series.name, series.start, steps), 5.0, "automatic")
    burn, limit = [], []
    for poll in polls(paid):
        day = poll.index / PER_DAY
        found = usual(poll.state, poll.ledger.at) if 8 <= day <= 13 else None
        if found is not None:
            burn.append((day, found.burn_per_hour))
            limit.append((day, found.limit_per_hour))
    frame = Frame(8.0, 13.0, max(value for _, value in (*burn, *limit)) * 1.05)
    step = 10 ** math.floor(math.log10(frame.top))
    drawn = [*frame.axes("per hour", step if frame.top / step > 3 else step / 2)]
    drawn.append(frame.line(limit, OTHER, dashes="4 3"))
    drawn.append(frame.line(burn, OURS))
    for (before, now), (_, most) in zip(pairwise(burn), limit[1:], strict=True):
        if now[1] >= most:
            drawn.append(frame.line([before, now], ALARM))
    legend = ((OURS, "burn of 15 minutes"), (OTHER, "limit of this meter"), (ALARM, "spike"))
    _written(path, "Burn and spike", drawn, _legend(legend))


def replay_picture(path: Path) -> None:
    """Three weeks of an office with a leak, as ``credit-monitor replay --chart`` draws them."""
    series = _series("weekdays-2")
    steps = list(series.steps[: 30 * PER_DAY])
    for index in range(round(20.5 * PER_DAY), round(20.5 * PER_DAY) + 2 * PER_HOUR):
        steps[index] *= 8
    paid = account(Series("studio", series.start, steps), 5.0, "hand")
    seen = [
        Sighting(datetime.fromtimestamp(paid.at(i), UTC), "studio", "balance", _amount(balance))
        for i, balance in enumerate(paid.balances)
        if paid.is_polled[i]
    ]
    calmer = Rules(
        low_balance=LowBalance(warning=None, critical=Threshold(amount=Decimal(2000))),
        runway=Runway(warning=timedelta(hours=24), critical=timedelta(hours=6)),
        topped_up=None,
    )
    lines, theirs = _replayed(Rules(), seen), _replayed(calmer, seen)
    shown = seen[-1].at - timedelta(days=21)
    samples = [
        Sample(key=s.key, meter=s.meter, at=s.at, until=s.at, balance=s.balance)
        for s in seen
        if s.at >= shown
    ]
    panel = Panel(
        name="studio",
        unit="credits",
        samples=samples,
        forecasts=[x for x in lines if isinstance(x, ForecastLine) and x.at >= shown],
        judged=[
            Judged(name=name, rules=rules, episodes=[e for e in episodes(said) if e.since >= shown])
            for name, rules, said in (
                ("config.yaml", Rules(), lines),
                ("calmer.yaml", calmer, theirs),
            )
        ],
        longest_gap=timedelta(hours=10),
    )
    path.write_text(svg(picture([panel])), encoding="utf-8")


def _amount(balance: float) -> Decimal:
    return Decimal(f"{balance:.2f}")


def _replayed(rules: Rules, seen: Sequence[Sighting]) -> list[Line]:
    key = WatchedKey(name="studio", provider="samples", interval=timedelta(minutes=5), rules=rules)
    replay = Replay(lambda _: (key,), Wanted())
    return [line for one in seen for line in replay.feed(one)]


def main(folder: Path) -> None:
    """All pictures into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    balance_picture(folder / "forecast-balance.svg")
    runway_picture(folder / "forecast-runway.svg")
    spike_picture(folder / "forecast-spike.svg")
    replay_picture(folder / "replay.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
