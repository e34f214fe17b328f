"""The documentation's pages work without the internet: everything they load is our own."""

from __future__ import annotations

import re

import pytest

from tests.doors.scene import Scene
from tests.fixtures.service import Launch


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_a_page_loads_nothing_from_elsewhere(launch: Launch, page: str) -> None:
    scene = Scene(await launch(worker=False))
    status, body, headers = await scene.call("GET", page)
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "://" not in policy
    wanted = re.findall(r'(?:src|href|spec-url)="([^"]+)"', body.decode())
    assert len(wanted) >= 3
    assert "<script>" not in body.decode()
    for address in wanted:
        assert address.startswith("/"), address
        assert not address.startswith("//"), address
        status, content, headers = await scene.call("GET", address)
        assert (status, len(content) > 100) == (200, True), address
        if "/assets/" in address:
            assert "immutable" in headers["Cache-Control"]
            assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["absent.js", "..%2f__init__.py", "%2e%2e", "core.py", "%00"])
async def test_only_the_pages_files_are_given_out(launch: Launch, name: str) -> None:
    scene = Scene(await launch(worker=False))
    assert (await scene.call("GET", f"/docs/assets/{name}"))[0] == 404
