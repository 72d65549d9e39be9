"""`bough deploy`: what its options may say. What it does is tested with `infra.aws.release`."""

from __future__ import annotations

import pytest


class TestDeploy:
    """`deploy`."""

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (["--canary", "0%"], "must be a share of the requests from 1% to 99%"),
            (["--canary", "10"], "must be a share of the requests from 1% to 99%"),
            (["--canary", "100%"], "must be a share of the requests from 1% to 99%"),
            (["--canary", "10%", "--for", "5s"], "must be from 10s to 6h"),
            (["--canary", "10%", "--for", "7h"], "must be from 10s to 6h"),
            (["--canary", "10%", "--for", "soon"], "must be a length"),
            (["--for", "5m"], "only with --canary"),
        ],
    )
    def test_refuses_a_canary_that_cannot_be_meant(
        self, on_branches, options: list[str], complaint: str
    ) -> None:
        """Before anybody is asked anything."""
        code, out, err = on_branches("deploy", "--local", *options)
        assert (code, out, complaint in err) == (2, "", True)

    def test_refuses_a_stage_that_does_not_exist(self, on_branches) -> None:
        """The project's are named."""
        code, _, err = on_branches("deploy", "staging")
        assert (code, "error[STAGE_NOT_FOUND]" in err, "production" in err) == (2, True, True)
