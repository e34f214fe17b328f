"""No spelling, redirect or name server makes us call a machine of our own.

Everything here listens on this machine: what may be called does so because the test allows its
very address, and the canary on the loopback counts every connection that reaches it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address

import pytest

from hamyon.kit.guarded import GuardedClient, UrlRefused, is_public
from hamyon.kit.http import FailureKind, HttpFailure

PUBLIC = "127.0.0.77"
"""Stands for a public server; each test's client allows this one address."""


@dataclass
class Scene:
    """A canary on every loopback address, an allowed server beside it, and a name server."""

    port: int = 0
    canary_hits: int = 0
    asked: list[str] = field(default_factory=list)
    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    replies: dict[str, bytes] = field(default_factory=dict)

    async def lookup(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        planned = self.answers.get(host)
        if planned is None:
            infos = await asyncio.get_running_loop().getaddrinfo(host, None)
            return [str(info[4][0]) for info in infos]
        return planned.pop(0) if len(planned) > 1 else planned[0]

    async def canary(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.canary_hits += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()

    async def public(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        rest = await reader.readuntil(b"\r\n\r\n")
        path = line.split()[1].decode()
        reply = self.replies.get(path, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.write(reply if path != "/echo" else _ok(rest))
        await writer.drain()
        writer.close()

    def redirect(self, path: str, location: str, status: int = 302) -> None:
        self.replies[path] = (
            f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
        )

    def client(self) -> GuardedClient:
        return GuardedClient(
            ports=(80, 443, self.port),
            allowed=(IPv4Network(f"{PUBLIC}/32"),),
            lookup=self.lookup,
        )


def _ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


CANARIES = (
    ("127.0.0.1", socket.AF_INET),
    ("127.0.0.2", socket.AF_INET),
    ("::1", socket.AF_INET6),
)


async def _opened(made: Scene) -> list[asyncio.Server]:
    """The public server, and a canary at its port on every address of this machine's own.

    Raises OSError when somebody has the port on one of them.
    """
    servers = [await asyncio.start_server(made.public, PUBLIC, 0)]
    made.port = servers[0].sockets[0].getsockname()[1]
    try:
        for host, family in CANARIES:
            servers.append(await asyncio.start_server(made.canary, host, made.port, family=family))
    except OSError:
        for server in servers:
            server.close()
        raise
    return servers


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene(answers={"public.example": [[PUBLIC]]})
    for left in reversed(range(20)):
        try:
            servers = await _opened(made)
            break
        except OSError:
            if not left:
                raise
    yield made
    for server in servers:
        server.close()


async def _fetch(client: GuardedClient, url: str) -> bytes:
    try:
        return (await client.get(url, timeout_s=5, limit_bytes=10_000)).body
    finally:
        await client.close()


FORMS = [
    # the loopback, spelled by people who know
    "http://127.0.0.1:{port}/", "http://127.0.0.2:{port}/", "http://127.1:{port}/",
    "http://127.0.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/", "http://0x7f.1:{port}/", "http://0177.0.0.1:{port}/",
    "http://0177.0.0.01:{port}/", "http://017700000001:{port}/", "http://127.0.0.1.:{port}/",
    "http://127.000.000.001:{port}/", "http://0X7F.0X0.0X0.0X1:{port}/",
    "http://00000177.0.0.1:{port}/", "http://127.0x0.0.1:{port}/", "http://4294967297:{port}/",
    "http://localhost:{port}/", "http://LOCALHOST:{port}/", "http://localhost.:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/", "http://127。0。0。1:{port}/", "http://１２７.０.０.１:{port}/",
    "http://%31%32%37.0.0.1:{port}/", "http://127.0.0.1%00.example:{port}/",
    # nobody's address, which Linux takes for the loopback
    "http://0.0.0.0:{port}/", "http://0:{port}/", "http://0.0:{port}/", "http://0x0:{port}/",
    "http://[::]:{port}/",
    # IPv6 and what carries IPv4 within
    "http://[::1]:{port}/", "http://[0:0:0:0:0:0:0:1]:{port}/", "http://[0000::0001]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/", "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/", "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/", "http://[2002:7f00:1::1]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/", "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/", "http://[::1%25lo]:{port}/", "http://[::1%lo]:{port}/",
    "http://[fe80::1]:{port}/", "http://[fe80::1%25eth0]:{port}/", "http://[fc00::1]:{port}/",
    "http://[fd12:3456::1]:{port}/", "http://[fec0::1]:{port}/", "http://[ff02::1]:{port}/",
    "http://[2001:db8::1]:{port}/", "http://[100::1]:{port}/", "http://[5f00::1]:{port}/",
    "http://[2a00:1450:4001::5efe:7f00:1]:{port}/",
    # private, shared, link-local, multicast and reserved IPv4
    "http://10.0.0.1:{port}/", "http://172.16.0.1:{port}/", "http://172.31.255.254:{port}/",
    "http://192.168.1.1:{port}/", "http://100.64.0.1:{port}/", "http://100.127.255.255:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/", "http://[fd00:ec2::254]:{port}/",
    "http://2852039166:{port}/", "http://0xa9fea9fe:{port}/", "http://192.0.0.170:{port}/",
    "http://198.18.0.1:{port}/", "http://192.0.2.1:{port}/", "http://203.0.113.9:{port}/",
    "http://224.0.0.1:{port}/", "http://239.255.255.250:{port}/", "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/", "http://192.88.99.1:{port}/",
    # tricks around the host
    "http://public.example@127.0.0.1:{port}/", "http://user:pass@127.0.0.1:{port}/",
    "http://user:pass@public.example:{port}/", "http://127.0.0.1:{port}\\@public.example/",
    "http://public.example\\@127.0.0.1:{port}/", "http://public.example @127.0.0.1:{port}/",
    "http://public.example\t@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@public.example/",
    "http://127.0.0.1:{port}?@public.example/", "http:127.0.0.1:{port}/", "//127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/", "\nhttp://127.0.0.1:{port}/", "http://127.0.0.1\n:{port}/",
    "http://\u200b127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}/", "http://[127.0.0.1]:{port}/",
    "http://127.0.0.1,public.example:{port}/", "http://[::1]public.example:{port}/",
    # schemes and ports
    "file:///etc/passwd", "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/_x",
    "unix:///var/run/docker.sock", "data:text/plain,hello", "ws://127.0.0.1:{port}/",
    "http://public.example:22/", "http://public.example:6379/", "http://public.example:99999/",
    "", "http://", "x",
]  # fmt: skip


def test_there_are_enough_forms() -> None:
    assert len(set(FORMS)) >= 100


@pytest.mark.parametrize("form", FORMS)
async def test_no_form_reaches_us(scene: Scene, form: str) -> None:
    url = form.replace("{port}", str(scene.port))
    with pytest.raises((UrlRefused, HttpFailure)) as caught:
        await _fetch(scene.client(), url)
    if isinstance(caught.value, HttpFailure):
        assert caught.value.kind is not FailureKind.TOO_LARGE
    assert scene.canary_hits == 0


@pytest.mark.parametrize("form", FORMS)
async def test_no_redirect_reaches_us(scene: Scene, form: str) -> None:
    if form.isascii() and form.isprintable() and form not in {"", "x", "http://"}:
        scene.redirect("/go", form.replace("{port}", str(scene.port)))
    else:
        scene.redirect("/go", f"http://127.0.0.1:{scene.port}/")
    try:
        body = await _fetch(scene.client(), f"http://public.example:{scene.port}/go")
    except (UrlRefused, HttpFailure):
        pass
    else:
        # Two forms are mere paths when they stand in a redirect, and stay with the public server.
        assert form in {"http:127.0.0.1:{port}/", "http:///127.0.0.1:{port}/"}
        assert body == b"hello"
    assert scene.canary_hits == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["::1"], ["10.1.2.3"], ["169.254.169.254"], ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"], ["0.0.0.0"], ["fe80::1"], ["100.64.1.1"], ["127.0.0.77", "127.0.0.1"],
        ["8.8.8.8", "::1"], ["127.0.0.1", "127.0.0.77"],
    ],
)  # fmt: skip
async def test_no_name_leads_to_us(scene: Scene, addresses: list[str]) -> None:
    scene.answers["evil.example"] = [addresses]
    with pytest.raises(UrlRefused) as caught:
        await _fetch(scene.client(), f"http://evil.example:{scene.port}/")
    assert caught.value.facts["reason"] == "address"
    assert scene.canary_hits == 0


async def test_a_name_that_changes_its_answer(scene: Scene) -> None:
    """The address that was checked is the one connected to, and every hop asks anew."""
    scene.answers["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    client = scene.client()
    url = f"http://rebind.example:{scene.port}/"
    assert (await client.get(url, timeout_s=5, limit_bytes=100)).body == b"hello"
    assert scene.asked == ["rebind.example"]
    with pytest.raises(UrlRefused):
        await client.get(url, timeout_s=5, limit_bytes=100)
    await client.close()

    scene.answers["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    scene.redirect("/self", url)
    with pytest.raises(UrlRefused):
        await _fetch(scene.client(), url + "self")
    assert scene.canary_hits == 0


async def test_the_socket_gate_holds_alone(scene: Scene) -> None:
    """With both gates before it taken out, nothing connects to a closed address."""
    client = scene.client()
    with pytest.raises(OSError, match="not a public address"):
        client._socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", scene.port)))
    client.check = lambda url: __import__("yarl").URL(url)  # type: ignore[method-assign]  # the first gate, open
    with pytest.raises(UrlRefused):
        await _fetch(client, f"http://127.0.0.1:{scene.port}/")
    assert scene.canary_hits == 0


async def test_proxy_variables_are_not_believed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{scene.port}")
    assert await _fetch(scene.client(), f"http://public.example:{scene.port}/") == b"hello"
    assert scene.canary_hits == 0


async def test_good_redirects_are_followed_and_bounded(scene: Scene) -> None:
    scene.redirect("/a", "/b", 301)
    scene.redirect("/b", f"http://public.example:{scene.port}/c", 307)
    assert await _fetch(scene.client(), f"http://public.example:{scene.port}/a") == b"hello"
    scene.redirect("/loop", "/loop")
    with pytest.raises(UrlRefused) as caught:
        await _fetch(scene.client(), f"http://public.example:{scene.port}/loop")
    assert caught.value.facts["reason"] == "redirects"


async def test_headers_stay_with_their_server(scene: Scene) -> None:
    scene.answers["other.example"] = [[PUBLIC]]
    scene.redirect("/near", "/echo")
    scene.redirect("/far", f"http://other.example:{scene.port}/echo")
    client = scene.client()
    base, headers = f"http://public.example:{scene.port}", {"X-Token": "mine"}
    near = await client.get(base + "/near", headers=headers, timeout_s=5, limit_bytes=1000)
    far = await client.get(base + "/far", headers=headers, timeout_s=5, limit_bytes=1000)
    await client.close()
    assert b"mine" in near.body
    assert b"mine" not in far.body


async def test_bytes_and_time_are_capped(scene: Scene) -> None:
    scene.replies["/big"] = _ok(bytes(200_000))
    scene.replies["/slow"] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"
    client = scene.client()
    base = f"http://public.example:{scene.port}"
    with pytest.raises(HttpFailure) as caught:
        await client.get(base + "/big", timeout_s=5, limit_bytes=1000)
    assert caught.value.kind is FailureKind.TOO_LARGE
    with pytest.raises(HttpFailure):
        await client.get(base + "/slow", timeout_s=5, limit_bytes=1000)
    await client.close()

    async def never(_host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    slow = GuardedClient(lookup=never)
    with pytest.raises(HttpFailure):
        await slow.get("http://public.example/", timeout_s=0.2, limit_bytes=10)
    await slow.close()


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::1"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.9.9.9", "169.254.169.254", "172.31.0.1",
        "192.0.0.9", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1",
        "192.175.48.1", "198.19.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "100::1", "fc00::1",
        "fe80::1", "fec0::1", "ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::1",
        "2620:4f:8000::1", "3fff::1", "2a00:1450:4001::5efe:7f00:1", "2a00:1450:4001::1%1",
    ],
)  # fmt: skip
def test_all_others_are_not(address: str) -> None:
    """Where this machine has no route, only this shows that the gate is shut."""
    assert not is_public(ip_address(address))


async def test_a_name_nobody_knows_is_a_failure(scene: Scene) -> None:
    with pytest.raises(HttpFailure) as caught:
        await _fetch(scene.client(), "http://no-such-host.invalid/")
    assert caught.value.kind is FailureKind.NOT_SENT
