"""Nobody reaches the operator's network through a webhook: not by any way of writing or hiding an address."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ptolemy.settings import SettingsProblem, load_settings
from ptolemy.webhooks.addresses import Guard, Refused, is_public
from ptolemy.webhooks.sending import Sender, Unreachable
from ptolemy.webhooks.web_address import WebAddress, parse_web_address
from tests.product import Workspace, refused_fields
from tests.webhooks.receiver import Receiver, Reply, receiving

WRITTEN = {
    "loopback": "http://127.0.0.1:{port}/",
    "loopback, https": "https://127.0.0.1:{port}/",
    "another loopback": "http://127.8.9.10:{port}/",
    "localhost": "http://localhost:{port}/",
    "localhost in capitals": "http://LOCALHOST:{port}/",
    "localhost with a dot at its end": "http://localhost.:{port}/",
    "an address with a dot at its end": "http://127.0.0.1.:{port}/",
    "short": "http://127.1:{port}/",
    "decimal": "http://2130706433:{port}/",
    "octal": "http://0177.0.0.1:{port}/",
    "octal in one": "http://017700000001:{port}/",
    "hexadecimal": "http://0x7f.0.0.1:{port}/",
    "hexadecimal in one": "http://0x7f000001:{port}/",
    "mixed": "http://0x7f.1:{port}/",
    "zeros in front": "http://127.000.000.001:{port}/",
    "unspecified": "http://0.0.0.0:{port}/",
    "zero": "http://0:{port}/",
    "IPv6 loopback": "http://[::1]:{port}/",
    "IPv6 loopback at length": "http://[0:0:0:0:0:0:0:1]:{port}/",
    "IPv6 unspecified": "http://[::]:{port}/",
    "IPv4-mapped": "http://[::ffff:127.0.0.1]:{port}/",
    "IPv4-mapped in hexadecimal": "http://[::ffff:7f00:1]:{port}/",
    "IPv4-compatible": "http://[::127.0.0.1]:{port}/",
    "NAT64": "http://[64:ff9b::7f00:1]:{port}/",
    "local NAT64": "http://[64:ff9b:1::7f00:1]:{port}/",
    "6to4": "http://[2002:7f00:1::]:{port}/",
    "Teredo": "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/",
    "IPv6 link-local": "http://[fe80::1]:{port}/",
    "with a zone": "http://[fe80::1%25lo]:{port}/",
    "IPv6 unique local": "http://[fd00::1]:{port}/",
    "IPv6 multicast": "http://[ff02::1]:{port}/",
    "a cloud's metadata": "http://169.254.169.254/latest/meta-data/",
    "a cloud's metadata by IPv6": "http://[fd00:ec2::254]/latest/",
    "another cloud's metadata": "http://100.100.100.200/latest/",
    "Azure's host": "https://168.63.129.16/machine",
    "private, 10": "https://10.0.0.1/",
    "private, 172": "https://172.31.255.254/",
    "private, 192": "https://192.168.1.1/",
    "carrier's NAT": "https://100.64.0.1/",
    "multicast": "https://224.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "a user in front": "http://example.com@127.0.0.1:{port}/",
    "a user and a password": "http://a:b@127.0.0.1:{port}/",
    "a backslash": "http://example.com\\@127.0.0.1:{port}/",
    "a fragment": "http://127.0.0.1:{port}#@example.com/",
    "full-width digits": "http://\uff11\uff12\uff17.0.0.1:{port}/",
    "full-width dots": "http://127\u30020\u30020\u30021:{port}/",
    "circled digits": "http://\u2460\u2461\u2466.0.0.1:{port}/",
    "a soft hyphen": "http://local\u00adhost:{port}/",
    "a tab": "http://127.0.0\t.1:{port}/",
    "a line's end": "http://127.0.0.1:{port}/\r\nX-Evil: 1",
    "percent signs": "http://%31%32%37.0.0.1:{port}/",
    "no slashes": "http:127.0.0.1:{port}/",
    "three slashes": "http:///127.0.0.1:{port}/",
    "a file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{port}/",
    "a scheme in front": "jar:http://127.0.0.1:{port}/",
    "two ports": "http://127.0.0.1:{port}:80/",
}
"""By what they are; every one leads to this machine, or into somebody's network, for some reader of addresses."""

NAMES: dict[str, Sequence[str]] = {
    "a name of loopback": ["127.0.0.1"],
    "a name of IPv6 loopback": ["::1"],
    "a name of a private address": ["10.1.2.3"],
    "a name of an IPv4-mapped address": ["::ffff:127.0.0.1"],
    "a public address, then loopback": ["93.184.215.14", "127.0.0.1"],
    "loopback, then a public address": ["127.0.0.1", "93.184.215.14"],
    "a name of a link-local address with its zone": ["fe80::1%lo"],
    "a name of NAT64": ["64:ff9b::7f00:1"],
}


async def get_through(url: str, guard: Guard, tls: ssl.SSLContext | None = None) -> str | None:
    """Why nothing is sent there; None where it is."""
    sender = Sender(guard, tls=tls)
    try:
        await sender.post(parse_web_address(url), [], b"{}", 2)
    except (ValueError, Unreachable) as refused:
        return str(refused)
    finally:
        await sender.close()
    return None


REFUSALS = ("no public address", "must be", "must have", "can't be resolved: no such name")
"""Another reason, like an answer that doesn't come or that isn't TLS, is none of the guard's: something was sent."""


class Attempts:
    """Ways that were tried while a receiver listened: those that led nowhere, each with the reason, and the others."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.refused: dict[str, str] = {}
        self.through: list[str] = []

    async def make(self, way: str, url: str, guard: Guard) -> str:
        reason = await get_through(url.format(port=self.receiver.port), guard) or "nothing refused it"
        if self.receiver.received or not any(refusal in reason for refusal in REFUSALS):
            self.through.append(f"{way}: {reason}")
        else:
            self.refused[way] = reason
        return reason


@pytest.fixture
def attempts(receiver: Receiver) -> Attempts:
    return Attempts(receiver)


async def test_none_of_more_than_forty_ways_leads_to_a_private_address(
    attempts: Attempts,
    receivers: Callable[..., Receiver],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await by_another_writing(attempts)
    await by_a_name(attempts)
    await by_a_name_that_changes(attempts)
    await by_a_proxy_of_the_environment(attempts, monkeypatch)
    # Whoever is let in is received: it has listened all the while.
    assert await get_through(attempts.receiver.url, Guard([ip_network("127.0.0.1/32")])) is None
    assert len(attempts.receiver.received) == 1
    await by_a_redirect(attempts, receivers())
    assert attempts.through == []
    with capsys.disabled():
        sys.stdout.write(f"\nways to a private address tried: {len(attempts.refused)}, none of which got through\n")
    assert len(attempts.refused) >= 40


async def by_another_writing(attempts: Attempts) -> None:
    for way, written in WRITTEN.items():
        await attempts.make(way, written, Guard())
        if written.startswith("http:"):
            # Without TLS it is refused whatever the address: this one looks at the address.
            await attempts.make(f"{way}, by https", f"https:{written.removeprefix('http:')}", Guard())


async def by_a_name(attempts: Attempts) -> None:
    for way, addresses in NAMES.items():

        async def resolve(_: str, __: int, addresses: Sequence[str] = addresses) -> Sequence[str]:
            return addresses

        for scheme in ("http", "https"):
            url = f"{scheme}://hooks.example.com:{{port}}/"
            reason = await attempts.make(f"{way}, by {scheme}", url, Guard(resolve=resolve))
            assert "no public address" in reason or (scheme == "http" and "must be https" in reason)
            assert not [address for address in addresses if address in reason], "the network behind is not told of"


async def by_a_name_that_changes(attempts: Attempts) -> None:
    """Rebinding: what was looked at is what is connected to, so the second answer is looked at too, or never asked."""
    answers = ["93.184.215.14", "127.0.0.1", "127.0.0.1"]

    async def resolve(_: str, __: int) -> Sequence[str]:
        return [answers.pop(0)]

    guard = Guard(resolve=resolve)
    where = WebAddress("https", "rebinding.example.com", attempts.receiver.port, "/")
    assert await guard.addresses(where) == [ip_address("93.184.215.14")]
    assert "no public address" in await attempts.make(
        "a name that changes its address between two looks", "https://rebinding.example.com:{port}/", guard
    )
    assert len(answers) == 1, "one look a connection"


async def by_a_proxy_of_the_environment(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_: str, __: int) -> Sequence[str]:
        raise socket.gaierror("no such name")

    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        with monkeypatch.context() as environment:
            environment.setenv(name, f"http://127.0.0.1:{attempts.receiver.port}")
            reason = await attempts.make(name, "https://hooks.example.com/", Guard(resolve=resolve))
        assert reason == "the name hooks.example.com can't be resolved: no such name"


async def by_a_redirect(attempts: Attempts, inner: Receiver) -> None:
    """Even to where the operator allows: the address that was set is the only one that is asked."""
    outer = attempts.receiver
    for status in (301, 302, 303, 307, 308):
        outer.received.clear()
        outer.answer = lambda _, status=status: Reply(status, b"", {"Location": f"http://localhost:{inner.port}/"})  # type: ignore[misc]
        assert await get_through(outer.url, Guard([ip_network("127.0.0.1/32")])) is None
        assert len(outer.received) == 1
        way = f"a redirect by {status}"
        if inner.received:
            attempts.through.append(way)
        else:
            attempts.refused[way] = "it isn't followed"


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


async def test_what_the_operator_allows_may_be_reached_by_http(receiver: Receiver) -> None:
    assert await get_through(receiver.url, Guard([ip_network("127.0.0.1/32")])) is None
    assert len(receiver.received) == 1


async def test_a_public_address_takes_https_alone_on_a_port_of_the_web() -> None:
    for url, code in (
        ("http://93.184.215.14/", "https_required"),
        ("https://93.184.215.14:25/", "forbidden_port"),
        ("https://93.184.215.14:22/", "forbidden_port"),
    ):
        with pytest.raises(Refused) as refused:
            await Guard().addresses(parse_web_address(url))
        assert refused.value.code == code
    assert await Guard().addresses(parse_web_address("https://93.184.215.14:8443/"))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://10.0.0.1/", "forbidden_address"),
        ("https://127.0.0.2/", "forbidden_address"),
        ("https://[::1]/", "forbidden_address"),
        ("http://93.184.215.14/", "https_required"),
        ("http://name-of-nothing.invalid/", "https_required"),
        ("https://93.184.215.14:25/", "forbidden_port"),
        ("https://a:b@example.com/", "invalid_web_address"),
        ("http://2130706433/", "invalid_web_address"),
        ("ftp://example.com/", "invalid_web_address"),
        ("https://example.com:99999/", "invalid_web_address"),
        ("https://", "invalid_web_address"),
        ("https://bücher.example/", "invalid_web_address"),
        ("https://" + "a" * 300 + ".com/", "invalid_web_address"),
        (7, "invalid_web_address"),
    ],
)
def test_a_forbidden_address_is_refused_as_it_is_set(workspace: Workspace, url: Any, code: str) -> None:
    assert refused_fields(workspace.admin.post("/webhooks", json={"url": url})) == {"url": code}
    webhook = workspace.create("webhooks", url="http://127.0.0.1:9/")
    assert refused_fields(workspace.admin.patch(f"/webhooks/{webhook['id']}", json={"url": url})) == {"url": code}


def test_a_setting_that_names_no_network_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTOLEMY_WEBHOOK_ALLOW", "10.0.0.0/8, 127.0.0.1")
    assert load_settings().webhook_allow == (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"))
    monkeypatch.setenv("PTOLEMY_WEBHOOK_ALLOW", "localhost")
    with pytest.raises(SettingsProblem, match="PTOLEMY_WEBHOOK_ALLOW must be networks like"):
        load_settings()


async def test_the_certificate_must_be_that_of_the_name(tmp_path: Path) -> None:
    """The address is connected to, the name is what TLS is asked for."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        return ["127.0.0.1"]

    guard = Guard([ip_network("127.0.0.1/32")], resolve)
    serving, trusting = certified("hooks.example.com", tmp_path)
    with receiving(tls=serving) as receiver:
        assert await get_through(f"https://hooks.example.com:{receiver.port}/", guard, trusting) is None
        assert receiver.received[-1].headers["Host"] == f"hooks.example.com:{receiver.port}"
        for name, tls, fault in (("other", trusting, "Hostname mismatch"), ("hooks", None, "self-signed certificate")):
            reason = await get_through(f"https://{name}.example.com:{receiver.port}/", guard, tls)
            assert reason is not None and fault in reason
        assert len(receiver.received) == 1


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server with a certificate of its own making for the name, and for a client that trusts it."""
    key, issued = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) - timedelta(hours=1)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(issued)
        .not_valid_after(issued + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    return serving, ssl.create_default_context(cafile=str(file))
