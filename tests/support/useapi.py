"""A useapi.net of one's own on loopback: it remembers linked accounts, logins and every request."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import unquote, urlsplit

TOKEN = "user:1234-abcdefghijklmnop"
ANNA, BEN = "anna@studio.example", "ben@studio.example"
PASSWORD = "correct horse battery staple"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Account:
    """A linked Kling account; ``broken`` until somebody logs in with the right password."""

    email: str
    password: str = PASSWORD
    points: float = 5600
    tickets: list[Any] = field(default_factory=list)
    max_jobs: int = 5
    executing: int = 0
    session_end: datetime = NOW + timedelta(days=30)
    broken: bool = False
    logins: int = 0

    def record(self) -> dict[str, Any]:
        end = self.session_end.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        session = {"userId": "u1", "ExpireTime": 123456789, "ExpireTimeUTC": end}
        return {
            "email": self.email,
            "session": session,
            "maxJobs": self.max_jobs,
            "password": "…secured…",
        }

    def balance(self) -> dict[str, Any]:
        lot = {
            "orderId": "1",
            "type": "plan",
            "amount": 6600,
            "balance": self.points,
            "startTime": 1_793_000_000_000,
            "endTime": 1_797_000_000_000,
        }
        return {
            "points": [lot],
            "tickets": self.tickets,
            "nextApplyTime": 123456789,
            "total": self.points,
        }


@dataclass
class UseapiServer:
    """Answers as the documentation says.

    ``answers`` replaces the answer of a path (not percent-encoded) by (status, headers, text);
    ``slow`` are seconds that a path takes.  ``knows`` are the passwords of who could be linked.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    knows: dict[str, str] = field(default_factory=lambda: {ANNA: PASSWORD, BEN: PASSWORD})
    subscription: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""
    _now: int = 0
    _open: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._news = asyncio.Condition()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task, writer in self._open:
            writer.transport.abort()
            task.cancel()
        for task, writer in self._open:
            await asyncio.gather(task, writer.wait_closed(), return_exceptions=True)
        await self._server.wait_closed()

    def link(self, *emails: str, **more: Any) -> Account:
        for email in emails:
            self.accounts[email] = Account(email, **more)
        return self.accounts[emails[-1]]

    async def more_requests(self, count: int, seconds: float = 30) -> None:
        """Wait until *count* further requests have come."""
        wanted = len(self.requests) + count
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: len(self.requests) >= wanted)

    def paths(self, method: str = "GET") -> list[str]:
        return [path for how, path in self.requests if how == method]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append((asyncio.create_task(self._serve(reader, writer)), writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                length = 0
                for line in head.lower().split("\r\n"):
                    if line.startswith("content-length:"):
                        length = int(line.partition(":")[2])
                body = await reader.readexactly(length)
                self._now += 1
                self.most_at_once = max(self.most_at_once, self._now)
                await asyncio.sleep(0.001)
                answer = await self._answer(head, body)
                self._now -= 1
                async with self._news:
                    self._news.notify_all()
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def _answer(self, head: str, body: bytes) -> bytes:
        method, target, _ = head.split("\r\n", maxsplit=1)[0].split(" ")
        self.heads.append(head)
        self.requests.append((method, target))
        for path, seconds in self.slow.items():
            if unquote(target).startswith(path):
                await asyncio.sleep(seconds)
        if unquote(target) in self.answers:
            status, headers, text = self.answers[unquote(target)]
        elif f"authorization: bearer {TOKEN}" not in head.lower():
            status, headers, text = 401, {}, json.dumps({"error": "Unauthorized", "code": 401})
        else:
            status, document = self._route(method, unquote(urlsplit(target).path), body)
            headers = {}
            text = document if isinstance(document, str) else json.dumps(document)
        fields = {"Content-Type": "application/json"} | headers
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        content = text.encode()
        start = f"HTTP/1.1 {status} Any\r\nContent-Length: {len(content)}\r\n"
        return (start + "".join(lines) + "\r\n").encode() + content

    def _route(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        accounts = "/v1/kling/accounts"
        if (method, path) == ("POST", accounts):
            return self._log_in(json.loads(body))
        jobs = {"executing": [], "available": [self._jobs(a) for a in self._all()]}
        documents: dict[str, Any] = {
            "/v2/account": self._account(),
            "/v1/kling/scheduler/available": jobs,
            accounts: {a.email: a.record() for a in self._all()},
        }
        if documents.get(path):
            return 200, documents[path]
        return self._one(path.removeprefix(f"{accounts}/"))

    def _one(self, email: str) -> tuple[int, Any]:
        account = self.accounts.get(email)
        if account is None:
            return 404, "Configuration not found. To create configuration use POST /accounts."
        if account.broken:
            text = f"Account {email} in error state: refresh token rejected"
            return 596, {"error": text, "code": 596}
        return 200, account.record() | {"balance": account.balance()}

    def _all(self) -> list[Account]:
        return list(self.accounts.values())

    @staticmethod
    def _jobs(account: Account) -> dict[str, Any]:
        free = account.max_jobs - account.executing
        return {
            "email": account.email,
            "maxJobs": account.max_jobs,
            "executing": account.executing,
            "available": free,
        }

    def _account(self) -> dict[str, Any]:
        broken = sum(account.broken for account in self._all())
        total = len(self.accounts)
        counts = {"total": total, "active": total - broken, "error": broken}
        return {
            "id": 1234,
            "email": "owner@studio.example",
            "subscriptionIsActive": True,
            "subscriptions": 1,
            "maxAccountsPerAPI": 3,
            "accounts": {"Kling API": counts} if total else {},
            "sub": "261101",
        } | self.subscription

    def _log_in(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        email = wanted["email"]
        if self.knows.get(email) != wanted["password"]:
            return 400, {"error": "Account does not exist or password is incorrect"}
        account = self.accounts.setdefault(email, Account(email))
        account.broken = False
        account.logins += 1
        account.max_jobs = wanted["maxJobs"]
        account.session_end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        return 201, account.record()
