"""What only the whole configuration shows: each check looks at parts that are valid by themselves.

Problems are noted at the path in the file; positions in ``keys`` and ``channels`` are those there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from monitor.config.channels import ChannelSettings
from monitor.config.models import ANY_GROUP, Heartbeat, Settings, Web
from monitor.config.problems import Findings, Path
from monitor.config.wording import suggestion
from monitor.core.model import Severity
from monitor.core.routing import Concern
from monitor.delivery.address import alertmanager_address, heartbeat_address
from monitor.providers.base import KeySettings
from monitor.providers.certificates import CertificatesError, serving, trusting
from monitor.providers.exchange import is_loopback

if TYPE_CHECKING:
    from monitor.core.rules import Rules

CheckUrl = Callable[[str], str | None]
"""What is wrong with a channel URL, as a sentence free of secrets; None when it is usable."""

_URL_FORMS = ("url_file", "url_credential", "url")
_BALANCE_RULES = (
    "low_balance",
    "runway",
    "before_top_up",
    "exhausted",
    "spike",
    "expiring",
    "topped_up",
    "overdue_top_up",
)


def unique_names(section: str, named: Mapping[int, str], findings: Findings) -> None:
    """Every entry of *section* has a name of its own; *named* has those that could be read."""
    first: dict[str, int] = {}
    for position, name in named.items():
        if name in first:
            findings.error((section, position, "name"), "an entry before has the same name")
        first.setdefault(name, position)


def accounts(keys: Mapping[int, KeySettings], findings: Findings) -> None:
    """Keys of one account raise one alert about their balance, so they share its rules."""
    first: dict[tuple[str, str], KeySettings] = {}
    for position, key in keys.items():
        if key.account is None:
            continue
        other = first.setdefault((key.provider, key.account), key)
        differing = [name for name in _BALANCE_RULES if _differ(name, key.rules, other.rules)]
        if differing:
            findings.error(
                ("keys", position, "rules"),
                f"{' and '.join(differing)} must be the same as for key {other.name}: both draw on"
                f" account {key.account}, which raises one alert",
            )


def _differ(name: str, one: Rules, other: Rules) -> bool:
    return one is not other and getattr(one, name) != getattr(other, name)


_EARLIEST_DAY = timedelta(hours=14)
"""A day is written as that of UTC, and begins so much earlier in the easternmost time zone."""


def by_hand(keys: Mapping[int, KeySettings], now: datetime, findings: Findings) -> None:
    """Nobody has seen a balance of the future: a slip, which would make it look fresh for long."""
    for position, key in keys.items():
        if key.manual is None:
            continue
        at = key.manual[1]
        is_day = at.time() == time.min
        if at > now + (_EARLIEST_DAY if is_day else timedelta(0)):
            findings.error(
                ("keys", position, "balance", "at"),
                "is in the future: give the day, or the time, when you looked",
            )


def polls(keys: Mapping[int, KeySettings], own: Collection[int], findings: Findings) -> None:
    """A poll should end before the next is due; *own* are the entries that set the times."""
    slow = [position for position, key in keys.items() if key.timeout > key.interval]
    paths: dict[Path, None] = {}  # many keys may have it from the same defaults: told once
    for position in slow:
        paths[("keys", position) if position in own else ("defaults",)] = None
    for path in paths:
        findings.warning(path, "timeout is longer than interval: a slow poll delays the next one")


def builds(keys: Mapping[int, KeySettings], findings: Findings) -> dict[int, str]:
    """Every key can be built; returns the limit group of each that can."""
    groups: dict[int, str] = {}
    for position, key in keys.items():
        try:
            groups[position] = key.build().limit_group
        except ValueError as error:
            missing = "no credential: give one of key, key_file and key_credential"
            findings.error(("keys", position), missing if key.key is None else str(error))
    return groups


def channels(
    entries: Mapping[int, ChannelSettings],
    key_names: Iterable[str],
    check_url: CheckUrl,
    findings: Findings,
) -> None:
    """Every channel can be used, and is there for some key."""
    names = tuple(key_names)
    for position, channel in entries.items():
        path = ("channels", position)
        source = _url_form(channel)
        if source and not any(findings.blames(each) for each in (path, (*path, source))):
            problem = check_url(channel.messages_to)
            if problem is not None:
                findings.error((*path, source), problem)
        for index, glob in enumerate(channel.keys):
            if names and not any(fnmatchcase(name, glob) for name in names):
                hint = suggestion(glob, names)
                findings.error((*path, "keys", index), f"matches no key{hint}")


def templates(entries: Mapping[int, ChannelSettings], findings: Findings) -> None:
    """Every template of a channel works on messages such as those that will come."""
    for position, channel in entries.items():
        if channel.template is None:
            continue
        from monitor.delivery import templates as language  # noqa: PLC0415 - loads Jinja2

        for part in ("title", "body"):
            problem = language.complaint(part, getattr(channel.template, part))
            if problem is not None:
                findings.error(("channels", position, "template", part), problem)


def alertmanagers(entries: Mapping[int, ChannelSettings], findings: Findings) -> None:
    """Every Alertmanager has an address that can be one."""
    for position, channel in entries.items():
        path = ("channels", position, "alertmanager")
        for index, url in enumerate(channel.alertmanager):
            _address((*path, index), path, url, alertmanager_address, findings)


def heartbeat(settings: Heartbeat | None, findings: Findings) -> None:
    """What is pinged has an address that can be one."""
    if settings is not None:
        path = ("heartbeat", _url_form(settings))
        _address(path, ("heartbeat",), settings.url, heartbeat_address, findings)


def _url_form(entry: ChannelSettings | Heartbeat) -> str:
    """The field that a URL came from; empty without one."""
    return next((name for name in _URL_FORMS if getattr(entry, name) is not None), "")


def _address(
    path: Path,
    above: Path,
    url: SecretStr,
    read: Callable[[str], object],
    findings: Findings,
) -> None:
    if not findings.secrets_needed or findings.blames(path) or findings.blames(above):
        return  # not known here, or complained about before
    try:
        read(url.get_secret_value())
    except ValueError as error:
        findings.error(path, str(error))


def told_to_nobody(settings: Settings, findings: Findings) -> None:
    """Alerts that no channel takes are only recorded."""
    if not settings.channels:
        findings.warning((), "no channels: alerts are recorded and shown, but sent to nobody")
        return
    found: defaultdict[tuple[Severity, ...], list[int]] = defaultdict(list)
    for position, key in enumerate(settings.keys):
        unheard = tuple(s for s in Severity if not _is_heard(settings.channels, key, s))
        if unheard:
            found[unheard].append(position)
    for severities, positions in found.items():
        _warn_of_unheard(settings, severities, positions, findings)


UNHEARD_EACH = 3
"""So many keys of which nobody would hear are told one by one, each at its line."""


def _warn_of_unheard(
    settings: Settings,
    severities: Sequence[Severity],
    positions: Sequence[int],
    findings: Findings,
) -> None:
    words = f"{' and '.join(severities)} " if len(severities) < len(Severity) else ""
    if len(positions) <= UNHEARD_EACH:
        for position in positions:
            findings.warning(("keys", position), f"no channel takes {words}alerts about this key")
        return
    examples = ", ".join(settings.keys[position].name for position in positions[:UNHEARD_EACH])
    findings.warning(
        ("channels",),
        f"no channel takes {words}alerts about {len(positions)} of {len(settings.keys)} keys,"
        f" such as {examples}",
    )


def report(settings: Settings, findings: Findings) -> None:
    """The report goes to channels that exist, and to one at least."""
    wanted = settings.notify.report
    if wanted is None or not settings.channels:
        return
    names = [channel.name for channel in settings.channels if not channel.alertmanager]
    mirrors = {channel.name for channel in settings.channels if channel.alertmanager}
    for index, name in enumerate(wanted.channels):
        path = ("notify", "report", "channels", index)
        if name in mirrors:
            findings.error(path, "an Alertmanager takes no reports")
        elif name not in names:
            findings.error(path, f"no channel has this name{suggestion(name, names)}")
    if not any(settings.sends_report(channel) for channel in settings.channels):
        findings.warning(("notify", "report"), "no channel takes it: none is sent info")


def _is_heard(channels: Iterable[ChannelSettings], key: KeySettings, severity: Severity) -> bool:
    """Whether every rule of *key* that is on and knows *severity* has a channel for it."""
    rules = [r for r, known in RULE_SEVERITIES.items() if severity in known]
    concerns = [
        Concern(
            rule=rule,
            provider=key.provider,
            account=key.account or "",
            sites=(key.origin or key.provider,),
            keys=(key.name,),
            tags=key.tags,
        )
        for rule in rules
        if getattr(key.rules, rule) is not None
    ]
    return all(any(not c.why_not(severity, concern) for c in channels) for concern in concerns)


def helpers(settings: Settings, findings: Findings) -> None:
    """Fallbacks and the channel of escalation exist, and no fallback leads back to itself."""
    names = [channel.name for channel in settings.channels if not channel.alertmanager]
    after = {channel.name: channel.fallback for channel in settings.channels if channel.fallback}
    for position, channel in enumerate(settings.channels):
        path = ("channels", position, "fallback")
        if channel.fallback and channel.fallback not in names:
            findings.error(path, f"is no channel{suggestion(channel.fallback, names)}")
        elif _leads_back(channel.name, after):
            findings.error(path, "leads back to this channel: fallbacks must come to an end")
    escalate = settings.notify.escalate
    if escalate and escalate.to not in names:
        path_to = ("notify", "escalate", "to")
        findings.error(path_to, f"is no channel{suggestion(escalate.to, names)}")


def _leads_back(name: str, after: Mapping[str, str]) -> bool:
    seen, at = {name}, after.get(name)
    while at is not None and at not in seen:
        seen.add(at)
        at = after.get(at)
    return at == name


RULE_SEVERITIES = {
    "low_balance": (Severity.WARNING, Severity.CRITICAL),
    "exhausted": (Severity.CRITICAL,),
    "rejected": (Severity.CRITICAL,),
    "silent": (Severity.WARNING,),
    "topped_up": (Severity.INFO,),
    "renewal": (Severity.INFO, Severity.WARNING),
}
"""Which severities each rule raises."""


def rates(
    settings: Settings, groups: Mapping[int, str], unsaid: Collection[str], findings: Findings
) -> None:
    """The keys of a limit group ask for no more polls than a configured rate lets through.

    Groups that are *unsaid* are told by their provider: their names came from the environment.
    """
    wanted: defaultdict[tuple[str, str], float] = defaultdict(float)
    for position, group in groups.items():
        key = settings.keys[position]
        wanted[key.provider, group] += 1 / key.interval.total_seconds()
    for (provider, group), rate in wanted.items():
        allowed = settings.limit(provider, group).rate
        if allowed is not None and rate > allowed:
            name = provider if group in unsaid else group
            findings.warning(
                ("limits", name if name in settings.limits else provider),
                f"the keys of {name} ask for {rate:.4g} polls per second and its rate is"
                f" {allowed:.4g}: polls will be late; raise interval or limits.{name}.rate",
            )


def limits(
    settings: Settings, groups: Mapping[int, str], unsaid: Collection[str], findings: Findings
) -> None:
    """Every entry of ``limits`` is for a provider or host in use; *unsaid* as in :func:`rates`."""
    hosts = {urlsplit(f"//{group}").hostname or group for group in groups.values()}
    known = {ANY_GROUP, *groups.values(), *hosts, *(key.provider for key in settings.keys)}
    for name in settings.limits:
        if name not in known:
            hint = suggestion(name, known.difference(unsaid))
            findings.warning(("limits", name), f"no key belongs to it{hint}", on_name=True)


def exposure(web: Web | None, findings: Findings) -> None:
    """Who reaches the web page reads balances and names, unless a password is asked."""
    if web is None or is_loopback(web.host):
        return
    path = ("web", "listen")
    if not web.users:
        findings.warning(path, "reachable from other hosts, without a password: set web.users")
    elif web.tls is None:
        findings.warning(
            path, "passwords travel readable unless a proxy in front speaks TLS: set web.tls"
        )


def shown_certificate(certificate: FilePath, key: FilePath) -> str | None:
    """What is wrong with the certificate of the web page and its key, or None."""
    try:
        serving(str(certificate), str(key))
    except CertificatesError as error:
        return str(error)
    return None


def certificates(file: FilePath) -> str | None:
    """What is wrong with a file of certificates to trust, or None."""
    try:
        trusting(str(file))
    except CertificatesError as error:
        return str(error)
    return None
