"""`/docs`: the OpenAPI document to look at in a browser. All that the page loads is served from here."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent / "swagger_ui"
_FILES = {
    "swagger-ui-bundle.js": ("swagger-ui-bundle.js.gz", "text/javascript; charset=utf-8"),
    "swagger-ui.css": ("swagger-ui.css.gz", "text/css; charset=utf-8"),
    "start.js": ("start.js", "text/javascript; charset=utf-8"),
}
# Swagger UI sets styles as it draws; scripts it has in its file alone. Requests that are tried out go to this server.
_MAY_LOAD = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Relative addresses hold below any path that a proxy serves the product at.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ptolemy</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</head>
<body><div id="docs"></div></body>
</html>
"""


def docs_routes() -> list[Route]:
    return [Route("/docs", _page), Route("/docs/{file}", _file)]


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _MAY_LOAD})


async def _file(request: Request) -> Response:
    if (found := _FILES.get(request.path_params["file"])) is None:
        return Response(status_code=404)
    name, media_type = found
    headers = {"Cache-Control": "public, max-age=3600", "Content-Type": media_type}
    if name.endswith(".gz"):
        # Every browser takes it; who takes no gzip has no use for it.
        headers["Content-Encoding"] = "gzip"
    return Response((_FOLDER / name).read_bytes(), headers=headers)
