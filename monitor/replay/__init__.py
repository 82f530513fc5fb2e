"""What the rules would have said of recorded balances: the daemon's pipeline over the past."""

from monitor.replay.engine import AlertLine, ForecastLine, Line, Replay, Sighting, Wanted, polls
from monitor.replay.episodes import Episode, alerts_told, episodes
from monitor.replay.history import recorded
from monitor.replay.samples import SampleError, SampleReader

__all__ = [
    "AlertLine",
    "Episode",
    "ForecastLine",
    "Line",
    "Replay",
    "SampleError",
    "SampleReader",
    "Sighting",
    "Wanted",
    "alerts_told",
    "episodes",
    "polls",
    "recorded",
]
