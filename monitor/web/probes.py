"""``/metrics``, ``/healthz`` and ``/readyz``: what machines ask often."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from monitor.metrics import Scrape, choose_format
from monitor.store.base import StoreError
from monitor.web.context import Reader, WebContext


class Probes:
    """Endpoints that answer from memory; only ``ready`` asks the store for a sign of life."""

    def __init__(self, context: WebContext, reader: Reader) -> None:
        self._context = context
        self._reader = reader
        self._scrape = Scrape(context.metrics, context.world, context.clock)

    async def metrics(self, request: Request) -> Response:
        """Everything Prometheus wants, in the format it asked for, streamed."""
        output = choose_format(request.headers.get("accept", ""))
        headers = {"Content-Type": output.value, "Vary": "Accept"}
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(self._scrape.stream(output), headers=headers)

    async def alive(self, _request: Request) -> Response:
        """The process lives and its loop turns."""
        return PlainTextResponse("ok\n")

    async def ready(self, _request: Request) -> Response:
        """200 while the store answers and polling is on time, else 503 with the reasons."""
        problems = list(self._context.health())
        try:
            await self._reader.run(self._context.store.ping)
        except StoreError as error:
            if not any(str(error) in problem for problem in problems):
                problems.append(str(error))
        body = {"ready": not problems, "problems": problems}
        return JSONResponse(body, status_code=503 if problems else 200)
