"""From consumption to burn rate and runway, incrementally, with a bounded state per meter.

``advance`` is fed one ``Step`` per reading entered in the ledger; ``forecast`` and ``usual`` ask
the state at any time.  ``encode`` and ``decode`` carry the state over a restart.
"""

from monitor.core.forecast.anomaly import usual
from monitor.core.forecast.codec import decode, encode
from monitor.core.forecast.runway import forecast
from monitor.core.forecast.state import ForecastState, advance
from monitor.core.forecast.values import Forecast, Runway, Step, Usual

__all__ = [
    "Forecast",
    "ForecastState",
    "Runway",
    "Step",
    "Usual",
    "advance",
    "decode",
    "encode",
    "forecast",
    "usual",
]
