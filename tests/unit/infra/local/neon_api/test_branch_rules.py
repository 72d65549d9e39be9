"""What may be done to branches, in any order: the family tree stays sound."""

from __future__ import annotations

import datetime as dt

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from infra.local.neon_api import branches
from infra.local.neon_api.errors import ApiError
from infra.local.neon_api.limits import Limits
from infra.local.neon_api.requests import BranchChanges, BranchCreate, BranchOptions, BranchRestore
from infra.local.neon_api.state import (
    Action,
    Branch,
    BranchState,
    EndpointSettings,
    OperationStatus,
    Project,
    State,
    now,
)

LIMITS = Limits(branches=6, root_branches=3)
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
WHICH = st.integers(min_value=0, max_value=5)


class FamilyTree(RuleBasedStateMachine):
    """Requests and the ends of their operations, as they may come."""

    @initialize()
    def begin(self):
        self.state = State()
        self.state.projects["p"] = Project(id="p", name="p", default_endpoint_settings=EndpointSettings())
        parent_id = None
        for name in ("main", "a", "b"):
            branch_id = f"br-{name}"
            self.state.branches[branch_id] = Branch(
                id=branch_id,
                project_id="p",
                name=name,
                parent_id=parent_id,
                default=name == "main",
                current_state=BranchState.READY,
            )
            parent_id = branch_id

    def some(self, which):
        live = self.state.live_branches("p")
        return live[which % len(live)]

    @rule(name=NAMES, which=WHICH, shape=st.booleans(), protected=st.booleans(), brief=st.booleans())
    def create(self, name, which, shape, protected, brief):
        options = BranchOptions(
            name=name,
            parent_id=self.some(which).id,
            init_source="schema-only" if shape else "parent-data",
            protected=protected,
            expires_at=now() + dt.timedelta(days=1) if brief else None,
        )
        self.attempt(lambda: branches.create(self.state, "p", BranchCreate(branch=options), LIMITS))

    @rule(which=WHICH, hard=st.booleans())
    def delete(self, which, hard):
        self.attempt(lambda: branches.delete(self.state, self.some(which), hard=hard))

    @rule(which=WHICH)
    def recover(self, which):
        gone = [each for each in self.state.branches.values() if each.deleted_at]
        if gone:
            branch_id = gone[which % len(gone)].id
            self.attempt(lambda: branches.recover(self.state, "p", branch_id, LIMITS))

    @rule(which=WHICH, source=WHICH, kept=st.none() | NAMES)
    def restore(self, which, source, kept):
        wanted = BranchRestore(source_branch_id=self.some(source).id, preserve_under_name=kept)
        self.attempt(lambda: branches.restore(self.state, self.some(which), wanted, LIMITS))

    @rule(
        which=WHICH,
        protected=st.none() | st.booleans(),
        expires=st.sampled_from([{}, {"expires_at": None}, {"expires_at": "soon"}]),
    )
    def update(self, which, protected, expires):
        at = now() + dt.timedelta(days=1)
        fields = {name: value and at for name, value in expires.items()}
        changes = BranchChanges(protected=protected, **fields)
        self.attempt(lambda: branches.update(self.state, self.some(which), changes, LIMITS))

    @rule(which=WHICH)
    def set_default(self, which):
        self.attempt(lambda: branches.set_default(self.state, self.some(which)))

    @rule(well=st.booleans())
    def finish(self, well):
        """Let all operations end; of each request's, none is begun after one that failed."""
        failed = set()
        for operation in list(self.state.unfinished()):
            if operation.batch in failed:
                operation.status = OperationStatus.CANCELLED
                continue
            operation.status = OperationStatus.FINISHED if well else OperationStatus.FAILED
            self.end(operation, well=well)
            if not well:
                failed.add(operation.batch)

    def end(self, operation, *, well):
        """Do to the state what the end of the operation does."""
        branch = self.state.branches[operation.branch_id]
        if operation.action is Action.RESTORE:
            preserved_id = operation.details["preserved_id"]
            if well:
                source = self.state.branches[operation.source_id]
                branches.change_over(self.state, branch, source, preserved_id=preserved_id)
            else:
                branches.give_up_restore(self.state, branch, preserved_id=preserved_id)
        elif operation.action is Action.CREATE_BRANCH:
            if well:
                branches.become_ready(branch)
            else:
                del self.state.branches[branch.id]
        elif operation.action is Action.DELETE_TIMELINE:
            del self.state.branches[branch.id]

    def attempt(self, act):
        """Do it, or leave everything as it was."""
        before = self.state.model_copy(deep=True)
        try:
            act()
        except ApiError:
            self.state = before

    @invariant()
    def tree_is_sound(self):
        live = {each.id: each for each in self.state.live_branches("p")}
        names = [each.name for each in live.values()]
        assert len(names) == len(set(names))
        assert [each.default for each in live.values()].count(True) == 1
        assert len(live) <= LIMITS.branches
        for branch in live.values():
            seen = {branch.id}
            parent_id = branch.parent_id
            while parent_id is not None:
                assert parent_id in live, "a parent was deleted"
                assert parent_id not in seen, "a branch is its own ancestor"
                assert live[parent_id].expires_at is None, "a parent expires"
                seen.add(parent_id)
                parent_id = live[parent_id].parent_id
            assert not (branch.expires_at and (branch.protected or branch.default))


FamilyTree.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestFamilyTree = FamilyTree.TestCase
