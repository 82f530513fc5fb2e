"""``renewal``: a login was renewed by itself, or could not be; an event, not an episode."""

from __future__ import annotations

from typing import ClassVar

from monitor.core.events import Facts
from monitor.core.model import Severity
from monitor.core.renewals import Outcome, Renewal
from monitor.core.rules.base import RuleParameters, Verdict


class SessionRenewal(RuleParameters):
    """Tell, as info, that a login was renewed, and as warning that it could not be."""

    name: ClassVar[str] = "renewal"

    def judge(self, renewal: Renewal) -> Verdict:
        """A breach when the renewal has ended, unknown while it runs."""
        facts = Facts(detail=renewal.detail, since=renewal.at)
        match renewal.outcome:
            case Outcome.RENEWED:
                return Verdict.breach(Severity.INFO, facts)
            case Outcome.FAILED:
                return Verdict.breach(Severity.WARNING, facts)
            case Outcome.BEGUN:
                return Verdict.unknown()
