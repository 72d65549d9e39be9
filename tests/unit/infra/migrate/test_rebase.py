"""Several heads become one history, whatever is applied, live, or on the main git branch."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.literals import Literal
from infra.migrate.errors import RebaseAmbiguousError, RebaseRefusedError
from infra.migrate.rebase import Known, edits_of, reorder
from infra.migrate.revision_files import RevisionFile, heads, in_order, with_ancestors

NOWHERE = Literal(None, 0, 0)


def history(text: str) -> dict[str, RevisionFile]:
    """Return revisions from `child<parent+parent …`; a name with `c` is a contract."""
    found = {}
    for each in text.split():
        name, _, parents = each.partition("<")
        above = tuple(parents.split("+")) if parents else ()
        found[name] = RevisionFile(Path(f"{name}.py"), name, above, "c" in name, NOWHERE)
    return found


def rebased(files: dict[str, RevisionFile], known: Known) -> dict[str, RevisionFile]:
    """Return the revisions as they are after the edits."""
    edits = edits_of(files, *reorder(files, known))
    changed = {edit.file.id: edit.parent for edit in edits}
    return {
        name: RevisionFile(
            file.path,
            name,
            file.parents if name not in changed else tuple(filter(None, (changed[name],))),
            file.contract,
            file.down,
        )
        for name, file in files.items()
    }


def ids(text: str) -> frozenset[str]:
    """Return the words."""
    return frozenset(text.split())


class TestReorder:
    """`reorder` and `edits_of`."""

    @pytest.mark.parametrize(
        ("text", "known", "order"),
        [
            pytest.param("a m<a o<a", Known(theirs=ids("a m")), "a m o", id="ours behind theirs"),
            pytest.param("a m<a o1<a o2<o1", Known(theirs=ids("a m")), "a m o1 o2", id="in their order"),
            pytest.param("a m<a o<a p<a", Known(theirs=ids("a m")), "a m o p", id="two of ours"),
            pytest.param("a c<a o<c", Known("db", ids("a"), theirs=ids("a c")), "a o c", id="before theirs"),
            pytest.param("a c<a o<c", Known(theirs=ids("a c")), "a c o", id="no database"),
            pytest.param("a c<a o<c", Known("db", ids("a c"), theirs=ids("a c")), "a c o", id="applied"),
            pytest.param("a c<a o<c", Known("db", ids("a"), ids("a c"), ids("a c")), "a c o", id="live"),
            pytest.param("a c1<a o<c1", Known(theirs=ids("a")), "a o c1", id="own contract"),
            pytest.param("a c<a b<c o<b", Known("db", theirs=ids("a c b")), "a c b o", id="built upon"),
            pytest.param("a m<a o<a", Known("db", ids("a m")), "a m o", id="no git"),
            pytest.param("a b<a m<a+b o<b", Known(theirs=ids("a b m")), "a b m o", id="merge on main"),
            pytest.param("c1 o<c1", Known(theirs=frozenset()), "o c1", id="nothing on main"),
        ],
    )
    def test_puts_all_in_one_line(self, text: str, known: Known, order: str) -> None:
        """Theirs, ours, and at last the contracts that wait."""
        files = history(text)
        after = rebased(files, known)
        assert heads(after, after) == (order.rsplit(maxsplit=1)[-1],)
        assert in_order(after, after) == tuple(order.split())

    def test_leaves_what_is_in_order_alone(self) -> None:
        """No file is touched."""
        files = history("a b<a c<b")
        assert edits_of(files, *reorder(files, Known(theirs=ids("a")))) == ()

    @pytest.mark.parametrize(
        ("text", "known"),
        [
            pytest.param("a m<a o<a", Known(), id="nothing is known"),
            pytest.param("a m<a o<a", Known("db", ids("a")), id="neither is applied"),
            pytest.param("a m<a o<a", Known("db", ids("a"), theirs=ids("a m o")), id="both on main"),
            pytest.param("a c<a o<c", Known("db"), id="an empty database"),
        ],
    )
    def test_asks_where_nothing_says_which_is_first(self, text: str, known: Known) -> None:
        """The hint names the option."""
        with pytest.raises(RebaseAmbiguousError) as caught:
            reorder(history(text), known)
        assert "bough migrate rebase --onto " in (caught.value.hint or "")

    def test_refuses_to_move_what_is_applied(self) -> None:
        """The database would take the other one for applied, because it follows."""
        known = Known("local of shop", ids("a o"), theirs=ids("a m"))
        with pytest.raises(RebaseRefusedError, match="o is applied in local of shop, so") as caught:
            reorder(history("a m<a o<a"), known)
        assert (caught.value.hint or "").startswith("undo it there first, with: bough migrate rollback a;")

    def test_refuses_to_move_what_the_live_code_knows(self) -> None:
        """It was built with that history."""
        with pytest.raises(RebaseRefusedError, match="o is known to the live code"):
            reorder(history("a m<a o<a"), Known("db", ids("a"), ids("a o"), ids("a m")))

    def test_refuses_a_merge_that_is_not_applied(self) -> None:
        """It would be one more revision for nothing."""
        with pytest.raises(RebaseRefusedError, match="x joins m and o") as caught:
            reorder(history("a m<a o<a x<m+o"), Known(theirs=ids("a m")))
        assert caught.value.hint == "delete x.py: rebase makes one history without it"


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, RevisionFile], Known]:
    """Any tree of revisions without merges, and what of it is applied, live and on main."""
    size = draw(st.integers(1, 9))
    names = [f"{n}{draw(st.sampled_from(['e', 'c']))}" for n in range(size)]
    parents = [draw(st.sampled_from([None, *names[:n]])) if n else None for n in range(size)]
    files = history(" ".join(f"{n}<{p}" if p else n for n, p in zip(names, parents, strict=True)))
    some = st.sets(st.sampled_from(names), max_size=2).map(lambda found: with_ancestors(files, found))
    database = draw(st.sampled_from([None, "db"]))
    applied, live = (draw(some), draw(some)) if database else (frozenset(), frozenset())
    return files, Known(database, applied, live, draw(st.none() | some))


class TestEveryHistory:
    """What holds for any of them."""

    @given(situations())
    def test_is_one_line_with_contracts_at_the_tail(
        self, situation: tuple[dict[str, RevisionFile], Known]
    ) -> None:
        """Or it is refused; what is applied or live is untouched, and everything else keeps its order."""
        files, known = situation
        try:
            last, moved = reorder(files, known)
        except (RebaseAmbiguousError, RebaseRefusedError):
            return
        after = rebased(files, known)
        line = in_order(after, after)
        assert all(after[b].parents == (a,) for a, b in itertools.pairwise(line))
        used = known.applied | known.live
        assert all(after[each].parents == files[each].parents for each in used)
        assert not used & set(moved)
        assert line[-len(moved) :] == moved or not moved
        phases = [files[each].contract for each in moved]
        assert phases == sorted(phases)
        for each in moved:
            above = with_ancestors(files, [each]) - {each}
            same = [other for other in above if files[other].contract == files[each].contract]
            assert all(line.index(other) < line.index(each) for other in same)
        assert last is None or line.index(last) == len(line) - len(moved) - 1

    @given(situations())
    def test_changes_nothing_the_second_time(self, situation: tuple[dict[str, RevisionFile], Known]) -> None:
        """What was mended stays."""
        files, known = situation
        try:
            after = rebased(files, known)
            again = edits_of(after, *reorder(after, known))
        except (RebaseAmbiguousError, RebaseRefusedError):
            return
        assert again == ()
