"""Finding the route by a dictionary of segments: trying 150 patterns in order costs 0.3 ms a request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

Shape = tuple[int, str]


class Dispatcher(Router):
    """A router that tries only the routes of a request's own shape: the number of segments, and the collection."""

    def __init__(self, routes: Sequence[Route]) -> None:
        super().__init__(list[BaseRoute](routes), redirect_slashes=False)
        self._by_shape: dict[Shape, list[Route]] = defaultdict(list)
        for route in routes:
            self._by_shape[_shape(route.path)].append(route)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.endswith("/") and path.startswith("/v1/workspaces/") and path.count("/") == 4:
            # A client that is rooted at the workspace asks for its root with a slash.
            scope["path"] = path[:-1]
        partial: tuple[Route, Scope] | None = None
        for route in self._by_shape.get(_shape(scope["path"]), ()):
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                scope.update(child_scope)
                await route.handle(scope, receive, send)
                return
            if match is Match.PARTIAL and partial is None:
                partial = route, child_scope
        if partial:
            route, child_scope = partial
            scope.update(child_scope)
            await route.handle(scope, receive, send)
            return
        await self.default(scope, receive, send)


def _shape(path: str) -> Shape:
    parts = path.split("/", 6)
    # /v1/workspaces/{workspace}/<collection>/…
    collection = parts[4] if len(parts) > 4 and parts[2] == "workspaces" else ""
    return len(path.split("/")), collection
