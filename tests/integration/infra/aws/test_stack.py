"""A stage's stack, on the AWS of this machine and with the real osls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.aws import osls
from infra.aws.osls import NotPackagedError, OslsFailedError, OslsMissingError, ServerlessYmlError
from infra.aws.stack import Stack, StackNotFoundError
from infra.config import load_project
from tests.support.stacks import make_artifacts, make_kit, offline_account, require_osls, shop

if TYPE_CHECKING:
    from pathlib import Path

    from infra.aws.account import Account


@pytest.fixture(autouse=True)
def _osls() -> None:
    require_osls()


def stack(folder: Path, account: Account, stage: str, parameters: dict[str, str] | None = None) -> Stack:
    return Stack(load_project(make_kit(folder / "kit", parameters)), account, shop(stage))


@pytest.mark.prove
class TestStack:
    """From the first deploy to the end; one test, because each step needs the one before."""

    def test_lives_from_its_first_deploy_until_it_is_removed(self, account: Account, tmp_path: Path) -> None:
        """What is applied is what was found, an unchanged template costs no deploy, and nothing is left."""
        dist = make_artifacts(tmp_path / "dist")
        shop_stack = stack(tmp_path, account, "whole")
        with pytest.raises(StackNotFoundError, match="stage whole is not deployed"):
            shop_stack.outputs()

        first = shop_stack.change(dist)
        assert first is not None
        assert first.creates
        assert "+ ApiLambdaFunction: AWS::Lambda::Function" in map(str, first.differences)
        said: list[str] = []
        shop_stack.apply(first, said.append)
        assert any("Service deployed to stack shop-whole" in line for line in said)

        outputs = shop_stack.outputs()
        assert ":role/shop-whole-PreviewRole" in outputs.preview_role
        account.objects.put_object(Bucket=outputs.bucket, Key="artifacts/1.zip", Body=b"a release's")
        assert shop_stack.change(make_artifacts(tmp_path / "later")) is None

        config = shop_stack.project.root / "serverless.yml"
        config.write_text(config.read_text().replace("memory: 1024", "memory: 2048"))
        second = shop_stack.change(dist)
        assert second is not None
        assert not second.creates
        assert [str(each) for each in second.differences] == ["~ ApiLambdaFunction.MemorySize: 1024 → 2048"]

        assert shop_stack.remove()
        assert not shop_stack.remove()
        buckets = [each["Name"] for each in account.objects.list_buckets()["Buckets"]]
        assert outputs.bucket not in buckets
        with pytest.raises(StackNotFoundError):
            shop_stack.outputs()


@pytest.mark.prove
class TestPackage:
    def test_keeps_its_folder_only_as_long_as_it_is_needed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither a plan that is looked at alone nor one that is applied leaves files behind."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        account, dist = offline_account(), make_artifacts(tmp_path / "dist")
        service = osls.package(make_kit(tmp_path / "kit"), account, shop(), dist)
        assert len(list(tmp_path.glob("bough-osls-*"))) == 1
        assert account.environment()["AWS_SECRET_ACCESS_KEY"] not in repr(service)
        del service
        assert list(tmp_path.glob("bough-osls-*")) == []


class TestRefusals:
    """What is refused before anything is changed."""

    def test_of_what_osls_does_not_accept(self, tmp_path: Path) -> None:
        """In osls's own words, without its lines about itself."""
        root = make_kit(tmp_path / "kit", {"memory": "much"})
        with pytest.raises(ServerlessYmlError, match=r"functions\.api\.memorySize") as raised:
            osls.package(root, offline_account(), shop(), make_artifacts(tmp_path / "dist"))
        assert "Environment:" not in str(raised.value)
        assert raised.value.exit_code == 2

    def test_of_a_region_without_the_extension(self, tmp_path: Path) -> None:
        """With the variable that names another layer."""
        account, dist = offline_account("mx-central-1"), make_artifacts(tmp_path / "dist")
        with pytest.raises(ServerlessYmlError) as raised:
            osls.package(make_kit(tmp_path / "kit"), account, shop(), dist)
        assert "in mx-central-1: set BOUGH_EXTENSION_LAYER to its ARN" in str(raised.value.hint)

    def test_of_a_missing_artifact(self, tmp_path: Path) -> None:
        """Nothing was packaged yet."""
        with pytest.raises(NotPackagedError, match=r"no api\.zip"):
            osls.package(make_kit(tmp_path / "kit"), offline_account(), shop(), tmp_path)

    def test_of_a_missing_osls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the command that installs the one that the kit is tested with."""
        monkeypatch.setenv("PATH", str(tmp_path))
        root, dist = make_kit(tmp_path / "kit"), make_artifacts(tmp_path / "dist")
        with pytest.raises(OslsMissingError, match=r"Node\.js") as raised:
            osls.package(root, offline_account(), shop(), dist)
        (root / "node_modules").unlink()
        with pytest.raises(OslsMissingError, match="no osls") as raised:
            osls.package(root, offline_account(), shop(), dist)
        assert raised.value.hint == f"npm install --save-dev osls@{osls.VERSION}"

    def test_of_an_old_node(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What osls says then is a syntax error of its own."""
        programs = tmp_path / "programs"
        programs.mkdir()
        for name, line in (("node", "echo v18.19.0"), ("osls", "exit 1")):
            (programs / name).write_text(f"#!/bin/sh\n{line}\n")
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(programs))
        root, dist = make_kit(tmp_path / "kit"), make_artifacts(tmp_path / "dist")
        (root / "node_modules").unlink()
        with pytest.raises(OslsMissingError, match=r"osls needs Node\.js 20\.19"):
            osls.package(root, offline_account(), shop(), dist)


@pytest.mark.prove
class TestApply:
    def test_says_what_osls_says_when_it_fails(self, account: Account, tmp_path: Path) -> None:
        """Here it no longer finds what was packaged."""
        failing = stack(tmp_path, account, "failing")
        dist = make_artifacts(tmp_path / "dist")
        change = failing.change(dist)
        assert change is not None
        (dist / "api.zip").unlink()
        with pytest.raises(OslsFailedError, match=r"api\.zip"):
            failing.apply(change, lambda _: None)
