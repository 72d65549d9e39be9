"""The AWS of this machine as a process: started once, found again, ended without a trace."""

from __future__ import annotations

import base64
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest
from botocore.exceptions import BotoCoreError

from infra.aws.account import connect
from infra.config_tables import AwsSettings
from infra.local.aws import server
from infra.local.ports import free_port
from tests.support.deployed_functions import Deployer, code
from tests.support.local_aws import local_aws


class TestEnsureRunning:
    def test_starts_one_process_for_commands_that_come_at_once(self, tmp_path: Path) -> None:
        """Two commands that need it at once share one; it is found until it is stopped."""
        said: list[str] = []
        try:
            with ThreadPoolExecutor() as threads:
                found = [threads.submit(server.ensure_running, tmp_path, announce=said.append) for _ in "ab"]
            first, second = (each.result() for each in found)
            assert first == second == server.find(tmp_path)
            assert len(said) == 1
            assert "memory" in said[0]
            assert connect(AwsSettings(), first).id == "123456789012"
            # A page in a browser would run what it likes here: AWS's own names of origins do not help it.
            for header in ({"Origin": "https://example.com"}, {"Sec-Fetch-Site": "cross-site"}):
                assert httpx2.get(first.endpoint, headers=header).status_code == 403
        finally:
            ended = server.stop(tmp_path)
        assert ended == ["AWS of this machine"]
        assert server.find(tmp_path) is None
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", urlsplit(first.endpoint).port)) != 0

    @pytest.mark.prove
    def test_ends_at_once_whatever_runs(self, tmp_path: Path) -> None:
        """Code that was replaced while it ran is ended as well, and nothing is left of it."""
        with local_aws(tmp_path) as access, ThreadPoolExecutor() as threads:
            deployer = Deployer.of(access)
            handler = f"def handler(e, c): Path({str(tmp_path / 'begun')!r}).touch(); time.sleep(60)"
            deployer.function("slow", f"import time\nfrom pathlib import Path\n{handler}", Timeout=90)
            running = threads.submit(deployer.invoke, "slow")
            while not (tmp_path / "begun").exists():
                time.sleep(0.05)
            found = _processes_in(tmp_path)
            deployer.client.update_function_code(FunctionName="slow", ZipFile=code("handler = print"))
            start = time.monotonic()
            server.stop(tmp_path)
            assert time.monotonic() - start < 10
            assert found
            # Its end is answered, unless the server's own comes first.
            lost = isinstance(running.exception(), BotoCoreError)
            assert lost or running.result()["FunctionError"] == "Unhandled"
        assert not [each for each in found if each.is_running()]
        assert not (tmp_path / ".bough" / "aws" / "code").exists()

    @pytest.mark.prove
    def test_nothing_is_left_of_one_that_was_killed(self, tmp_path: Path) -> None:
        """Replaced code is deleted before; functions end with it, and the next one starts with nothing."""
        with local_aws(tmp_path) as access:
            deployer = Deployer.of(access)
            made = deployer.function("frozen", "def handler(e, c): return 1")
            deployer.invoke("frozen")
            (frozen,) = _processes_in(tmp_path)
            deployer.client.update_function_code(FunctionName="frozen", ZipFile=code("handler = print"))
            frozen.wait(5)
            while (tmp_path / ".bough/aws/code" / _folder(made)).exists():
                time.sleep(0.05)
            deployer.invoke("frozen")
            (frozen,) = _processes_in(tmp_path)
            psutil.Process(json.loads((tmp_path / ".bough/aws/address.json").read_text())["pid"]).kill()
            frozen.wait(5)
            assert server.find(tmp_path) is None
            again = server.ensure_running(tmp_path, announce=lambda _: None)
            assert Deployer.of(again).client.list_functions()["Functions"] == []

    @pytest.mark.prove
    def test_the_live_url_has_the_port_that_is_asked_for(self, tmp_path: Path) -> None:
        """As long as it is free; another function's takes any."""
        port = free_port()
        try:
            access = server.ensure_running(tmp_path, announce=lambda _: None, url_port=port)
            deployer, urls = Deployer.of(access), []
            for name in ("first", "second"):
                deployer.function(name, "def handler(e, c): return 1")
                deployer.client.publish_version(FunctionName=name)
                deployer.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
                made = deployer.client.create_function_url_config(
                    FunctionName=name, Qualifier="live", AuthType="NONE"
                )
                urls.append(made["FunctionUrl"])
        finally:
            server.stop(tmp_path)
        assert urls[0] == f"http://127.0.0.1:{port}/"
        assert urls[1] != urls[0]

    def test_nothing_is_stopped_where_none_runs(self, tmp_path: Path) -> None:
        """A folder in which nothing was ever started stays empty."""
        assert server.stop(tmp_path) == []
        assert server.find(tmp_path) is None
        assert list(tmp_path.iterdir()) == []


def _folder(made: dict[str, str]) -> str:
    return base64.b64decode(made["CodeSha256"]).hex()


def _processes_in(root: Path) -> list[psutil.Process]:
    """Return the processes of functions."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(root / ".bough" / "aws" / "code"):
                found.append(process)
    return found
