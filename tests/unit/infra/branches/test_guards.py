"""What is not done to the default branch and protected ones without a flag that names it."""

from __future__ import annotations

from itertools import product

import pytest

from infra.branches.errors import BranchProtectedError
from infra.branches.guards import Destruction, require_permission
from tests.support.branches import branch


class TestRequirePermission:
    @pytest.mark.parametrize("action", [Destruction.RESET, Destruction.RESTORE])
    def test_each_property_needs_its_own_flag(self, action):
        """The flags do not stand for one another."""
        for is_default, is_protected, default, protected in product([False, True], repeat=4):
            subject = branch("dev", is_default=is_default, is_protected=is_protected)
            if is_default <= default and is_protected <= protected:
                require_permission(subject, action, allow_default=default, allow_protected=protected)
                continue
            with pytest.raises(BranchProtectedError) as failure:
                require_permission(subject, action, allow_default=default, allow_protected=protected)
            hint = failure.value.hint or ""
            assert ("--allow-default" in hint) == (is_default and not default)
            assert ("--allow-protected" in hint) == (is_protected and not protected)

    def test_default_branch_is_deleted_by_no_flag(self):
        """No provider does it, so none is offered."""
        with pytest.raises(BranchProtectedError) as failure:
            require_permission(
                branch("main", None, is_default=True),
                Destruction.DELETE,
                allow_default=True,
                allow_protected=True,
            )
        assert "--allow" not in (failure.value.hint or "")

    def test_says_what_and_why(self):
        """By name and id, with the flags."""
        with pytest.raises(BranchProtectedError) as failure:
            require_permission(branch("main", None, is_default=True, is_protected=True), Destruction.RESET)
        assert str(failure.value) == "will not reset main (br-main): it is the default branch and protected"
        assert (
            failure.value.hint == "nothing was changed; if it is meant, add --allow-default --allow-protected"
        )
