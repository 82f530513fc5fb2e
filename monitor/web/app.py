"""Routes and errors of the web side."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from monitor.store.base import StoreError
from monitor.web import openapi
from monitor.web.api import Api, error_body
from monitor.web.context import Reader, WebContext
from monitor.web.entry import Entry, Names, Users
from monitor.web.guard import Guard
from monitor.web.pages import Pages
from monitor.web.parameters import ParameterError
from monitor.web.probes import Probes

STATIC_FILES = {"style.css": "text/css", "icon.svg": "image/svg+xml"}


def create_app(
    context: WebContext,
    *,
    host: str = "127.0.0.1",
    entry: Entry | None = None,
    reader: Reader | None = None,
) -> Guard:
    """The application; *host* is the address it will be bound to, which decides, with *entry*,
    whose requests it takes.  *reader* is closed by whoever made it.
    """
    entry = entry or Entry()
    reader = reader or Reader()
    pages, api, probes = (
        Pages(context, reader),
        Api(context, reader),
        Probes(context, reader),
    )
    app = Starlette(
        routes=[
            Route("/", pages.dashboard),
            Route("/keys/{name}", pages.key),
            Route("/alerts", pages.alerts),
            Route("/metrics", probes.metrics),
            Route("/healthz", probes.alive),
            Route("/readyz", probes.ready),
            Route("/api/v1/keys", api.keys),
            Route("/api/v1/keys/{name}", api.key),
            Route("/api/v1/keys/{name}/history", api.history),
            Route("/api/v1/alerts", api.alerts),
            Route("/api/v1/notifications", api.notifications),
            Route("/api/v1/openapi.json", _openapi(context.version)),
            *(Route(f"/static/{name}", _static(name, kind)) for name, kind in STATIC_FILES.items()),
        ],
        exception_handlers={
            HTTPException: _refused(pages),
            ParameterError: _bad_parameter(pages),
            StoreError: _store_failed(pages),
        },
    )
    app.router.redirect_slashes = False
    names = Names(host, entry.hosts, anybody=bool(entry.users))
    return Guard(app, names, Users(entry.users) if entry.users else None)


def _openapi(version: str) -> Any:
    async def endpoint(_request: Request) -> Response:
        return JSONResponse(openapi.document(version))

    return endpoint


def _static(name: str, media_type: str) -> Any:
    content = files("monitor.web").joinpath("static", name).read_bytes()

    async def endpoint(_request: Request) -> Response:
        headers = {"Cache-Control": "max-age=3600"}
        return Response(content, media_type=media_type, headers=headers)

    return endpoint


def _is_page(request: Request) -> bool:
    path = request.url.path
    return path in ("/", "/alerts") or path.startswith("/keys/")


def _answer(
    pages: Pages, request: Request, status: int, message: str, parameter: str | None = None
) -> Response:
    """An error in the form of what was asked for: a page, JSON, or a line of text."""
    if request.url.path.startswith("/api/"):
        return JSONResponse(error_body(message, parameter), status_code=status)
    if _is_page(request):
        return pages.error(status, f"{parameter}: {message}" if parameter else message)
    return PlainTextResponse(f"{message}\n", status_code=status)


def _refused(pages: Pages) -> Any:
    async def handler(request: Request, error: HTTPException) -> Response:
        response = _answer(pages, request, error.status_code, error.detail)
        response.headers.update(error.headers or {})
        return response

    return handler


def _bad_parameter(pages: Pages) -> Any:
    async def handler(request: Request, error: ParameterError) -> Response:
        return _answer(pages, request, 400, str(error), error.parameter)

    return handler


def _store_failed(pages: Pages) -> Any:
    async def handler(request: Request, error: StoreError) -> Response:
        return _answer(pages, request, 503, str(error))

    return handler
