"""What osls makes of `serverless.yml`: the template that CloudFormation is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.metrics import NAMESPACE, SERVER_ERRORS
from infra.aws import osls
from infra.aws.stage import Stage
from infra.config_tables import StageSettings
from tests.support.iam_policies import actions, allows
from tests.support.stacks import (
    LOOPBACK_ONLY,
    ROOT,
    make_artifacts,
    make_kit,
    offline_account,
    require_osls,
    shop,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Template = dict[str, Any]

#: Everything that can be switched on.
ALL = {
    "reserved_concurrency": "20",
    "snap_start": "PublishedVersions",
    "alarm_topics": "['arn:aws:sns:eu-central-1:123456789012:alarms']",
    "schedules": "true",
    "queue": "true",
    "vpc": "true",
    "subnets": "['subnet-0a1b2c3d4e5f60718', 'subnet-1a1b2c3d4e5f60718']",
    "security_groups": "['sg-0a1b2c3d4e5f60718']",
    "http_api": "true",
    "custom_domain": "true",
    "domain_name": "api.example.com",
    "certificate": "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
}


def compiled(folder: Path, parameters: Mapping[str, str] | None = None) -> Template:
    """Package the kit where no connection leaves this machine, and where a deprecation is an error."""
    require_osls()
    root = make_kit(folder / "kit", parameters)
    refused = folder / "refused"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLS_DEPRECATION_NOTIFICATION_MODE", "error")
        patch.setenv("NODE_OPTIONS", f"--require {LOOPBACK_ONLY}")
        patch.setenv("REFUSED_CONNECTIONS", str(refused))
        patch.setenv("DATABASE_URL", "postgresql://shop:not-to-be-found@db.example.com/shop")
        stage = Stage("shop", "production", StageSettings(kms_alias="alias/shop"))
        service = osls.package(root, offline_account(), stage, make_artifacts(folder / "dist"))
    assert not refused.exists()
    return json.loads(json.dumps(service.template))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template as the kit comes."""
    return compiled(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template with everything switched on."""
    return compiled(tmp_path_factory.mktemp("full"), ALL)


def properties(template: Template, name: str) -> Template:
    return template["Resources"][name]["Properties"]


class TestFunctions:
    def test_take_from_the_package_what_it_says_of_itself(self, plain: Template) -> None:
        """Runtime, processor and handler are those of the artifact, so that they cannot disagree."""
        api, migrate = (properties(plain, f"{name}LambdaFunction") for name in ("Api", "Migrate"))
        assert (api["FunctionName"], migrate["FunctionName"]) == (shop().api, shop().migrate)
        assert (api["Handler"], migrate["Handler"]) == ("api.handler.handler", "migrate.handler.handler")
        assert api["Runtime"] == migrate["Runtime"] == "python3.13"
        assert api["Architectures"] == migrate["Architectures"] == ["arm64"]
        assert (api["Timeout"], migrate["Timeout"]) == (30, 900)

    def test_have_code_of_their_own(self, plain: Template) -> None:
        """The API's artifact never contains what migrates."""
        keys = [properties(plain, f"{name}LambdaFunction")["Code"]["S3Key"] for name in ("Api", "Migrate")]
        assert [key.rpartition("/")[2] for key in keys] == ["api.zip", "migrate.zip"]

    def test_name_parameters_and_hold_no_secret(self, plain: Template) -> None:
        """A template is readable by whoever may look at the stack."""
        variables = properties(plain, "ApiLambdaFunction")["Environment"]["Variables"]
        assert variables["DATABASE_URL_PARAMETER"] == shop().parameter("api", "DATABASE_URL")
        assert variables["AUTH_SECRET_PARAMETER"] == shop().parameter("api", "AUTH_SECRET")
        variables = properties(plain, "MigrateLambdaFunction")["Environment"]["Variables"]
        assert variables["DATABASE_URL_UNPOOLED_PARAMETER"] == shop().parameter(
            "migrate", "DATABASE_URL_UNPOOLED"
        )
        assert "not-to-be-found" not in json.dumps(plain)

    def test_have_the_extension_of_their_region_and_processor(self, plain: Template) -> None:
        """It serves the parameters over local HTTP."""
        (layer,) = properties(plain, "ApiLambdaFunction")["Layers"]
        assert layer.startswith("arn:aws:lambda:eu-central-1:")
        assert ":layer:AWS-Parameters-and-Secrets-Lambda-Extension-Arm64:" in layer

    def test_leave_versions_aliases_and_urls_to_releases(self, full: Template) -> None:
        """CloudFormation would take a minute to move what takes a second."""
        types = {resource["Type"] for resource in full["Resources"].values()}
        assert not types & {"AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::Lambda::Url"}

    def test_keep_their_log_lines_for_a_while(self, plain: Template) -> None:
        """Without a group of the stack's own Lambda makes one that keeps them for ever."""
        for name in ("Api", "Migrate"):
            group = properties(plain, f"{name}LogGroup")
            assert group["LogGroupName"] == f"/aws/lambda/shop-production-{name.lower()}"
            assert group["RetentionInDays"] == 30


class TestNetwork:
    """`vpc`."""

    @pytest.mark.parametrize("name", ["Api", "Migrate"])
    def test_puts_functions_into_it_once_their_roles_may(self, full: Template, name: str) -> None:
        """Lambda refuses a function whose role may not make network interfaces."""
        function = full["Resources"][f"{name}LambdaFunction"]
        assert function["Properties"]["VpcConfig"]["SecurityGroupIds"] == ["sg-0a1b2c3d4e5f60718"]
        assert "NetworkPolicy" in function["DependsOn"]
        assert {"Ref": f"{name}Role"} in properties(full, "NetworkPolicy")["Roles"]

    def test_is_none_by_default(self, plain: Template) -> None:
        """A function that needs no network of its own is faster to make."""
        assert "NetworkPolicy" not in plain["Resources"]
        assert "VpcConfig" not in properties(plain, "ApiLambdaFunction")


class TestRoles:
    """The roles of the compiled template, evaluated as IAM would."""

    OWNERS = pytest.mark.parametrize(
        ("role", "owner"), [("ApiRole", "api"), ("MigrateRole", "migrate"), ("PreviewRole", "preview/pr-12")]
    )

    @OWNERS
    def test_read_their_own_parameters_alone(self, full: Template, role: str, owner: str) -> None:
        """Above all the API cannot read the URL that migrations use."""
        readable = [
            other
            for other in ("api", "migrate", "preview/pr-12")
            if allows(full, role, "ssm:GetParameter", parameter_arn(other))
        ]
        assert readable == [owner]

    @OWNERS
    def test_decrypt_their_own_parameters_alone(self, full: Template, role: str, owner: str) -> None:
        """With the key of parameters, through Systems Manager, and nothing else that it encrypted."""
        key = "arn:aws:kms:eu-central-1:123456789012:key/1234"

        def decrypts(**other: Any) -> bool:
            context = {
                "kms:ViaService": "ssm.eu-central-1.amazonaws.com",
                "kms:EncryptionContext:PARAMETER_ARN": parameter_arn(owner),
                "kms:ResourceAliases": ["alias/shop"],
            }
            renamed = {"PARAMETER_ARN": "kms:EncryptionContext:PARAMETER_ARN"}
            context |= {renamed.get(name, f"kms:{name}"): value for name, value in other.items()}
            return allows(full, role, "kms:Decrypt", key, context)

        assert decrypts()
        assert not decrypts(ViaService=None)
        assert not decrypts(ResourceAliases=["alias/aws/ssm"])
        assert not decrypts(PARAMETER_ARN=parameter_arn("other"))

    @pytest.mark.parametrize(
        ("role", "function"),
        [
            ("ApiRole", "shop-production-api"),
            ("MigrateRole", "shop-production-migrate"),
            ("PreviewRole", "shop-production-pr-12"),
        ],
    )
    def test_write_their_own_logs_alone(self, full: Template, role: str, function: str) -> None:
        """Nobody can write what looks like another function's lines."""
        names = [
            "shop-production-api",
            "shop-production-migrate",
            "shop-production-pr-12",
            "shop-staging-api",
        ]
        stream = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/{}:log-stream:1"
        writable = [name for name in names if allows(full, role, "logs:PutLogEvents", stream.format(name))]
        assert writable == [function]

    def test_may_do_nothing_else(self, full: Template) -> None:
        """A new right is a decision, and this list has to be changed for it."""
        own = {"logs:CreateLogStream", "logs:PutLogEvents", "ssm:GetParameter", "kms:Decrypt"}
        for role in ("ApiRole", "MigrateRole", "PreviewRole"):
            assert actions(full, role) == own
        for role in ("HttpApiRole", "ScheduleRole"):
            assert actions(full, role) == {"lambda:InvokeFunction"}

    def test_there_is_none_that_functions_share(self, full: Template) -> None:
        """By default osls gives all functions one role."""
        roles = {name for name, each in full["Resources"].items() if each["Type"] == "AWS::IAM::Role"}
        assert roles == {"ApiRole", "MigrateRole", "PreviewRole", "HttpApiRole", "ScheduleRole"}


def parameter_arn(owner: str) -> str:
    return f"arn:aws:ssm:eu-central-1:123456789012:parameter{shop().parameter(owner, 'DATABASE_URL')}"


class TestAlarms:
    def test_watch_the_errors_that_the_handler_counts(self, plain: Template) -> None:
        """Lambda counts an exception below Mangum as a success."""
        alarm = properties(plain, "ApiServerErrorsAlarm")
        assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, SERVER_ERRORS)
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "ApiLambdaFunction"}}]
        assert (alarm["AlarmActions"], alarm["TreatMissingData"]) == ([], "notBreaching")

    def test_are_sent_where_topics_are_named(self, full: Template) -> None:
        """All of them, and again when all is well."""
        alarms = [each for each in full["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
        assert len(alarms) == 5
        for alarm in alarms:
            topics = ["arn:aws:sns:eu-central-1:123456789012:alarms"]
            assert alarm["Properties"]["AlarmActions"] == alarm["Properties"]["OKActions"] == topics


class TestOptions:
    def test_are_off_as_the_kit_comes(self, plain: Template) -> None:
        """Each costs money or needs something first."""
        types = {resource["Type"] for resource in plain["Resources"].values()}
        assert not [each for each in types if "ApiGateway" in each or "SQS" in each or "Scheduler" in each]
        api = properties(plain, "ApiLambdaFunction")
        assert "ReservedConcurrentExecutions" not in api
        assert api["SnapStart"] == {"ApplyOn": "None"}
        assert "HttpApiUrl" not in plain["Outputs"]

    def test_have_the_http_api_invoke_the_alias(self, full: Template) -> None:
        """By its own role: a permission could only be put on an alias that exists."""
        integration = properties(full, "HttpApiIntegration")
        assert integration["IntegrationUri"] == {"Fn::Sub": "${ApiLambdaFunction.Arn}:live"}
        assert integration["CredentialsArn"] == {"Fn::GetAtt": ["HttpApiRole", "Arn"]}
        assert properties(full, "DomainMapping")["Stage"] == "$default"

    def test_reach_the_function(self, full: Template) -> None:
        """Reserved concurrency and SnapStart are the API's alone."""
        api = properties(full, "ApiLambdaFunction")
        assert api["ReservedConcurrentExecutions"] == 20
        assert api["SnapStart"] == {"ApplyOn": "PublishedVersions"}
        assert "ReservedConcurrentExecutions" not in properties(full, "MigrateLambdaFunction")


@pytest.mark.prove
class TestCfnLint:
    def test_finds_nothing_to_say(self, plain: Template, full: Template, tmp_path: Path) -> None:
        """Neither as the kit comes nor with everything switched on."""
        files = []
        for name, template in (("plain", plain), ("full", full)):
            files.append(tmp_path / f"{name}.json")
            files[-1].write_text(json.dumps(template))
        program = Path(sys.executable).with_name("cfn-lint")
        done = subprocess.run(
            [program, "--regions", "eu-central-1", "--", *files], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.returncode) == ("", 0)


class TestByHand:
    @pytest.mark.prove
    def test_needs_nothing_but_the_region(self, tmp_path: Path) -> None:
        """Who runs osls without bough gets the same: the package says whose it is."""
        require_osls()
        root = make_kit(tmp_path / "kit")
        make_artifacts(root / "dist")
        done = subprocess.run(
            [root / "node_modules/.bin/osls", "print", "--format", "json"],
            cwd=root,
            env={"PATH": os.environ["PATH"], "AWS_REGION": "eu-central-1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["service"] == "shop"

    def test_versions_agree(self) -> None:
        """What is installed here is what the error about a missing osls has installed."""
        package = json.loads((ROOT / "package.json").read_text())
        assert package["devDependencies"]["osls"] == osls.VERSION
