"""How each rule speaks: its headline, its advice, and the clause when it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from monitor.core import wording
from monitor.core.advice import ReasonText, reason_text
from monitor.core.events import Event, Facts
from monitor.core.model import HOST, Severity

HOST_RULES = ("store", "store_replaced")
"""What is told about this host, whatever the configuration says."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the voice of a rule needs: the rule's last event, what the subject is called, when."""

    event: Event
    name: str
    now: datetime
    timezone: tzinfo

    @property
    def facts(self) -> Facts:
        """The facts of the event."""
        return self.event.facts

    @property
    def balance(self) -> str:
        """The balance with its unit; empty where it is unknown or has no cap."""
        return amount(self.facts.balance, self.facts)

    @property
    def is_network(self) -> bool:
        """Whether it is about this host's own network."""
        return self.event.subject == HOST and self.event.rule == "silent"

    @property
    def since(self) -> datetime:
        """When the trouble began."""
        return self.facts.since or self.event.opened_at

    @property
    def lasted(self) -> str:
        """How long the trouble has lasted as of now."""
        return wording.span(self.now - self.since)

    @property
    def reason(self) -> ReasonText | None:
        """The failure reason in words."""
        return reason_text(self.facts.reason, self.facts.detail) if self.facts.reason else None


@dataclass(frozen=True, slots=True)
class Voice:
    """How one rule speaks: a headline and advice while open, a clause when it is over.

    ``rank`` decides which rule leads the headline among equally severe ones, lowest first.
    ``still`` begins a reminder; ``tells_length``: the headline itself says how long it lasts.
    """

    rank: int
    headline: Callable[[Scene], str]
    over: str
    advice: Callable[[Scene], str]
    still: str = "still open"
    tells_length: bool = False


def amount(value: Decimal | None, facts: Facts) -> str:
    """*value* in the unit of *facts*; empty where it is not known."""
    return "" if value is None else wording.amount(value, facts.unit)


def renewed(scene: Scene) -> str:
    """What became of renewing a login, as a clause."""
    worked = scene.event.severity is Severity.INFO
    return "logged in again" if worked else "logging in again failed"


ONE_STORY = frozenset({"low_balance", "runway", "before_top_up"})
"""Rules that say the same of a balance: somebody should pay.  Who was told by one of them need not
be told by another that is no worse."""

SAYS_IT_ALL = frozenset({"exhausted", "spike"})
"""Rules that say the same and more: nothing is left, or it goes at an unusual rate."""

_LONGEST_HOURS = 10 * 365 * 24.0
"""Ten years: as good as for ever."""


def _low_balance(scene: Scene) -> str:
    """How much is left and for how long: the one story of a low balance and a short runway."""
    text = f"{scene.name} has {scene.balance or 'little'} left"
    ends = scene.facts.runs_out_at
    if ends is None or ends <= scene.now:
        return text
    return f"{text}, enough for about {wording.span(ends - scene.now)}"


def _before_top_up(scene: Scene) -> str:
    due = scene.facts.top_up_at
    if due is None or due <= scene.now:
        return _low_balance(scene)
    return (
        f"{_low_balance(scene)}; the next top-up usually comes in {wording.span(due - scene.now)}"
    )


def _spike(scene: Scene) -> str:
    facts = scene.facts
    if facts.burn is None:
        return f"{scene.name} uses far more than it normally does"
    times = f"{wording.amount(facts.factor)} times" if facts.factor else "far above"
    a_day = amount(wording.three_digits(facts.burn * 24), facts)
    text = f"{scene.name} uses {times} its normal: {a_day} a day at this rate"
    if not facts.burn or facts.balance is None or facts.balance <= 0:
        return text
    hours = min(float(facts.balance / facts.burn), _LONGEST_HOURS)
    return f"{text}, enough for {wording.span(timedelta(hours=hours))}"


def _expiring(scene: Scene) -> str:
    facts = scene.facts
    what = scene.name
    if facts.unused:
        what = f"{scene.name}: {amount(facts.unused, facts)}"
    if facts.expires_at is None or facts.expires_at <= scene.now:
        return f"{what} expired"
    verb = "will expire unused" if facts.unused else "expires"
    return f"{what} {verb} in {wording.span(facts.expires_at - scene.now)}"


def _overdue(scene: Scene) -> str:
    return (
        f"{scene.name} was not topped up for {scene.lasted} although it is low:"
        f" {scene.balance or 'little'} left"
    )


def _exhausted(scene: Scene) -> str:
    balance = scene.facts.balance
    if balance is not None and balance < 0:
        return f"{scene.name} is overdrawn: {scene.balance}"
    return f"{scene.name} has no {scene.facts.unit or 'credit'} left"


def _rejected(scene: Scene) -> str:
    short = scene.reason.short if scene.reason else "rejected"
    return f"{scene.name}: {short}"


def _silent(scene: Scene) -> str:
    keys = scene.facts.keys
    if scene.is_network:
        unknown = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
        return (
            f"this host cannot reach any provider for {scene.lasted}: nothing is known of {unknown}"
        )
    who = f" of any of {len(keys)} keys" if keys and not scene.event.subject.key else ""
    why = f" ({scene.reason.short})" if scene.reason else ""
    return f"{scene.name}: no reading{who} for {scene.lasted}{why}"


def _reason_action(scene: Scene) -> str:
    if scene.is_network:
        return "Check the network, DNS, proxy and clock of this host."
    if scene.facts.only_site:
        return (
            "No other provider is watched, so this may as well be the network of this host: "
            "check it first."
        )
    return scene.reason.action if scene.reason else "Check that credit-monitor itself is running."


def _says(text: str) -> Callable[[Scene], str]:
    return lambda _scene: text


def _store(scene: Scene) -> str:
    return f"{scene.name} cannot record: the store fails for {scene.lasted}"


def _store_replaced(scene: Scene) -> str:
    return f"the store of {scene.name} was corrupt and has been replaced by a new one"


VOICES: dict[str, Voice] = {
    "exhausted": Voice(
        0,
        _exhausted,
        "no longer empty",
        _says("Top up now: work is refused without credit."),
        "still empty",
    ),
    "rejected": Voice(1, _rejected, "accepted again", _reason_action, "still refused"),
    "low_balance": Voice(
        2, _low_balance, "low balance is over", _says("Top up before it runs out."), "still low"
    ),
    "runway": Voice(
        2,
        _low_balance,
        "lasts long enough again",
        _says("Top up before it runs out."),
        "still short",
    ),
    "before_top_up": Voice(
        3,
        _before_top_up,
        "lasts until the next top-up again",
        _says("Top up earlier than usual, or use less."),
        "still short",
    ),
    "overdue_top_up": Voice(
        3,
        _overdue,
        "the top-up has come",
        _says("Check the automatic top-up at the provider: its card or limit may have failed."),
        "still waiting for a top-up",
        tells_length=True,
    ),
    "spike": Voice(
        4,
        _spike,
        "uses as much as usual again",
        _says("See what uses it; if nobody knows, replace the key: it may have leaked."),
        "still far above normal",
    ),
    "expiring": Voice(
        4,
        _expiring,
        "nothing is about to expire",
        _says("Use or renew it in time."),
        "still expiring",
    ),
    "silent": Voice(3, _silent, "answers again", _reason_action, "still silent", tells_length=True),
    "store": Voice(
        4,
        _store,
        "the store works again, and all that happened meanwhile is recorded",
        _says(
            "Alerts go on from memory, but what is not recorded is lost if the process ends now:"
            " mend the cause, and do not restart before."
        ),
        "still not recording",
        tells_length=True,
    ),
    "store_replaced": Voice(
        5,
        _store_replaced,
        "",
        _says("History, silences and acknowledgements begin anew; restore a backup to have them."),
    ),
    "topped_up": Voice(6, lambda scene: f"{scene.name} topped up", "", _says("")),
    "renewal": Voice(6, lambda scene: f"{scene.name}: {renewed(scene)}", "", _says("")),
}
"""One line per rule; a test holds the table complete."""


def voice(rule: str) -> Voice:
    """The voice of *rule*; one that is no longer known (an old record) speaks by its name."""
    return VOICES.get(rule) or Voice(
        len(VOICES), lambda scene: f"{scene.name}: {rule}", f"{rule} is over", _says("")
    )
