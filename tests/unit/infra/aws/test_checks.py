"""What packages are refused for, with real files."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import greenlet._greenlet
import pytest

from infra.aws.checks import (
    LIMIT,
    PackageTooLargeError,
    SecretInPackageError,
    WrongTargetError,
    check_secrets,
    check_size,
    check_target,
)
from infra.aws.target import Target

HERE = Target.this_machine()
#: Put together here, so that this file holds nothing that looks like one.
KEY = "-----BEGIN " + "PRIVATE KEY-----"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"
SERVICE_ROLE = [
    base64.urlsafe_b64encode(b'{"iss":"supabase",' + b" " * shift + b'"role":"service_role"}')
    .decode()
    .rstrip("=")
    for shift in range(3)
]
SECRETS = [
    (f"{KEY}\n{BODY}", "a private key"),
    (f'key = "{KEY}\\n{BODY}"', "a private key"),
    ("id = 'AKIA" + "Q" * 16 + "'", "an access key of AWS"),
    ('aws_secret_access_key = "' + "wJalrXUtnF" * 4 + '"', "a secret key of AWS"),
    (f"{KEY}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{BODY}", "a private key"),
    ("NEON_API_KEY=napi_" + "a1b2c3d4" * 8, "an API key of Neon"),
    ("token: sbp_" + "0123456789" * 4, "an access token of Supabase"),
    ("sb_secret_" + "N7UND0Ug" * 4, "a secret key of Supabase"),
    *[(f"eyJhbGciOiJIUzI1NiJ9.{each}.{'s' * 43}", "a secret key of Supabase") for each in SERVICE_ROLE],
    ("ghp_" + "a1B2c3D4e5F6" * 3, "a token of GitHub"),
    ("sk_live_" + "a1B2c3D4e5F6g7H8", "a live key of Stripe"),
    ("xoxb-" + "123456789012-abcdef" * 2, "a token of Slack"),
    ("postgresql://app:s3cr3t-w0rd" + "@ep-a-1.eu-central-1.aws.neon.tech/db", "a connection string"),
    ("postgresql://postgres:Pa$$w:0r*d[1]" + "@db.abc.supabase.co:5432/postgres", "a connection string"),
    (
        "postgresql+asyncpg://u.ref:s3cr3t" + "@aws-0-eu.pooler.supabase.com:6543/postgres",
        "a connection string",
    ),
]
HARMLESS = [
    "postgresql://app:$PASSWORD@db.internal.net/app",
    "postgresql://app:%s@db.internal.net/app",
    "postgresql://app:***@ep-a.aws.neon.tech/app",
    f"if text.startswith('{KEY}'):",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "postgresql://postgres:postgres@localhost:5432/postgres",
    "postgresql://app:s3cr3t@127.0.0.1/db",
    "postgresql://user:password@db.internal.net/app",
    "postgresql://user:<password>@ep-a.aws.neon.tech/app",
    "postgresql://user:[YOUR-PASSWORD]@aws-0-eu.pooler.supabase.com/postgres",
    'f"postgresql://{user}:{password}@{host}.neon.tech/db"',
    "postgresql://u:p@db.example.com/x",
    "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9." + "s" * 43,
    "napi_key",
]


class TestCheckSecrets:
    """`check_secrets`."""

    @pytest.mark.parametrize(("text", "what"), SECRETS)
    def test_refuses_a_secret_and_says_where(self, tmp_path: Path, text: str, what: str) -> None:
        """File and line are named, the secret is not."""
        file = tmp_path / "settings.py"
        file.write_text(f"import os\n\n{text}\n")
        with pytest.raises(
            SecretInPackageError, match=f"settings.py, line 3: this looks like {what}"
        ) as caught:
            check_secrets({"shop/settings.py": file})
        said = f"{caught.value} {caught.value.hint}"
        assert not [word for word in text.split() if len(word) > 16 and word in said]

    @pytest.mark.parametrize("text", HARMLESS)
    def test_lets_examples_pass(self, tmp_path: Path, text: str) -> None:
        """What documentation, templates and local worlds are full of is no secret."""
        (tmp_path / "it.py").write_text(text)
        check_secrets({"it.py": tmp_path / "it.py"})

    def test_lets_pass_what_somebody_has_looked_at(self, tmp_path: Path) -> None:
        """A comment in the line says that it opens nothing; the next one is found all the same."""
        file = tmp_path / "it.py"
        secret = SECRETS[2][0]
        file.write_text(f"{secret}  # bough: not a secret\n")
        check_secrets({"it.py": file})
        file.write_text(f"{secret}  # bough: not a secret\n{secret}\n")
        with pytest.raises(SecretInPackageError, match="line 2"):
            check_secrets({"it.py": file})

    @pytest.mark.parametrize("name", [".env", ".env.production", "prod.env"])
    def test_refuses_files_of_variables(self, tmp_path: Path, name: str) -> None:
        """Whatever is in it."""
        (tmp_path / name).write_text("")
        with pytest.raises(SecretInPackageError, match="would ship"):
            check_secrets({f"shop/{name}": tmp_path / name})

    @pytest.mark.parametrize("name", [".env.example", "env.py", "environment.json"])
    def test_takes_files_that_are_named_alike(self, tmp_path: Path, name: str) -> None:
        """An example of variables is documentation, and Alembic's env.py is code."""
        (tmp_path / name).write_text("")
        check_secrets({name: tmp_path / name})


@pytest.mark.skipif(sys.platform != "linux", reason="shared objects of Linux")
class TestCheckTarget:
    """`check_target`."""

    @pytest.fixture
    def content(self) -> bytes:
        """Return a shared object of this machine."""
        return Path(greenlet._greenlet.__file__).read_bytes()

    def check(self, folder: Path, name: str, content: bytes, target: Target = HERE) -> None:
        """Check a tree that holds one file."""
        (folder / name).write_bytes(content)
        check_target({f"shop/{name}": folder / name}, target)

    def test_takes_what_the_target_can_load(self, tmp_path: Path, content: bytes) -> None:
        """Modules of its own version, of any version, and libraries."""
        tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
        for name in (f"fast.{tag}-x86_64-linux-gnu.so", "fast.abi3.so", "fast.so", "libfast-1a2b.so.1.2"):
            self.check(tmp_path, name, content)

    def test_refuses_another_processor(self, tmp_path: Path, content: bytes) -> None:
        """What a developer's machine compiled does not run on Graviton."""
        other = Target(HERE.runtime, "arm64" if HERE.architecture == "x86_64" else "x86_64")
        with pytest.raises(
            WrongTargetError, match=f"fast.so is for {HERE.architecture}, and the package for"
        ):
            self.check(tmp_path, "fast.so", content, other)

    def test_refuses_another_python(self, tmp_path: Path, content: bytes) -> None:
        """Its name says for which version it was built; the others would not even find it."""
        with pytest.raises(WrongTargetError, match=r"is for Python 3\.10, and"):
            self.check(tmp_path, "fast.cpython-310-x86_64-linux-gnu.so", content)

    def test_refuses_what_calls_a_newer_c_library(self, tmp_path: Path, content: bytes) -> None:
        """Lambda's image of Python 3.11 is Amazon Linux 2; wheels for glibc 2.28 may need what it lacks."""
        other, machine = ("arm64", 183) if HERE.architecture == "x86_64" else ("x86_64", 62)
        newer = content[:18] + machine.to_bytes(2, "little") + content[20:] + b"\0GLIBC_2.3.4\0GLIBC_2.28\0"
        self.check(tmp_path, "fast.so", newer, Target("python3.12", other))
        with pytest.raises(
            WrongTargetError, match=r"needs glibc 2\.28, and Lambda has 2\.26 for python3\.11"
        ):
            self.check(tmp_path, "fast.so", newer, Target("python3.11", other))

    def test_takes_what_only_has_such_a_name(self, tmp_path: Path) -> None:
        """The checksum of a library is none."""
        self.check(tmp_path, "libfast.so.md5", b"0a1b")

    def test_refuses_what_was_cut_short(self, tmp_path: Path, content: bytes) -> None:
        """It says too little to be loaded."""
        with pytest.raises(WrongTargetError, match=r"fast\.so is for no 64-bit processor"):
            self.check(tmp_path, "fast.so", content[:20])

    def test_refuses_another_system(self, tmp_path: Path) -> None:
        """A Mac's shared objects are named .so as well."""
        with pytest.raises(WrongTargetError, match="another system than Linux"):
            self.check(tmp_path, "fast.so", b"\xcf\xfa\xed\xfe" + bytes(60))


class TestCheckSize:
    """`check_size`."""

    def test_refuses_one_byte_too_many(self, tmp_path: Path) -> None:
        """The largest packages are named; the limit itself is no obstacle."""
        for name, size in (("large", LIMIT - 10), ("small", 10)):
            (tmp_path / name).touch()
            os.truncate(tmp_path / name, size)
        entries = {"numbers/large": tmp_path / "large", "shop/small": tmp_path / "small"}
        check_size(entries)
        os.truncate(tmp_path / "small", 11)
        with pytest.raises(PackageTooLargeError, match=r"262\.1 MB unzipped.*: numbers 262 MB, shop 0 MB"):
            check_size(entries)
