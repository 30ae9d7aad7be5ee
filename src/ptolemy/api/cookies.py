"""The cookie of a browser's session, and the refusal of what other sites make a browser send with it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from ptolemy.kernel.problems import Forbidden

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def session_cookie(request: Request, public_url: str | None) -> str | None:
    """What the request carries as its session, if anything."""
    return request.cookies.get(_name(request, public_url))


def setting_cookie(request: Request, public_url: str | None, secret: str, lifetime_seconds: int) -> dict[str, str]:
    """The header that gives a browser its session. Scripts can't read it; other sites' requests don't carry it."""
    secure = "; Secure" if _is_https(request, public_url) else ""
    return {
        "Set-Cookie": f"{_name(request, public_url)}={secret}; Path={_path(public_url)}; Max-Age={lifetime_seconds};"
        f" HttpOnly; SameSite=Lax{secure}"
    }


def clearing_cookie(request: Request, public_url: str | None) -> dict[str, str]:
    return setting_cookie(request, public_url, "", 0)


def refuse_cross_site(request: Request, public_url: str | None) -> None:
    """A write that carries a cookie must come from our own pages, which the browser tells and no page can feign.

    `Sec-Fetch-Site` decides where it is sent (W3C Fetch Metadata), else `Origin`; a request with neither isn't a
    browser's of today, and is refused.
    """
    if request.method in _SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_own_origin = origin is not None and _is_own(request, origin, public_url)
    if not (is_own_origin if site is None else site == "same-origin"):
        detail = "a change by the session of a browser must come from this server's own pages"
        raise Forbidden("cross_site", f"{detail}: programs send a bearer token")


def _is_own(request: Request, origin: str, public_url: str | None) -> bool:
    found = urlsplit(origin)
    if public_url is None:
        # Behind a proxy that speaks TLS for us we know our host, but not our scheme.
        return found.netloc == request.headers.get("host")
    own = urlsplit(public_url)
    return (found.scheme, found.netloc.lower()) == (own.scheme, own.netloc.lower())


def _name(request: Request, public_url: str | None) -> str:
    if not _is_https(request, public_url):
        return "ptolemy_session"
    # The prefixes keep what came without TLS from setting it, the first one also other hosts of the same domain
    # (RFC 6265bis, section 4.1.3), but that one is for the whole host.
    return "__Host-ptolemy_session" if _path(public_url) == "/" else "__Secure-ptolemy_session"


def _path(public_url: str | None) -> str:
    return (urlsplit(public_url).path if public_url else "") or "/"


def _is_https(request: Request, public_url: str | None) -> bool:
    return (urlsplit(public_url).scheme if public_url else request.url.scheme) == "https"
