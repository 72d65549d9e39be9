"""Labels of a lane's bars."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.migrate.report.labels import LETTER, Labels, cut_to

TEXTS = ("ACCESS EXCLUSIVE 488 ms", "AE 488 ms", "AE")


def lane(*bars):
    labels = Labels(0, 1000)
    for bar in bars:
        labels.bar(*bar)
    return labels


class TestLabels:
    def test_wide_bar_has_the_full_label_in_it(self):
        """From its left end on."""
        place = lane((100, 500)).inside(TEXTS, 100, 500)
        assert (place.text, place.x, place.beside) == (TEXTS[0], 104, False)

    def test_narrow_bar_has_it_beside(self):
        """On the right, or on the left where the chart ends."""
        assert lane((100, 103)).inside(TEXTS, 100, 103).x == 107
        at_the_end = lane((990, 1000)).inside(TEXTS, 990, 1000)
        assert at_the_end.beside
        assert at_the_end.x < 990

    def test_label_shortens_between_other_bars(self):
        """It covers none of them."""
        place = lane((0, 95), (100, 104), (140, 1000)).inside(TEXTS, 100, 104)
        assert place.text == "AE"

    def test_hidden_bar_has_none(self):
        """What is drawn over it says what counts."""
        labels = lane((100, 500), (200, 300))
        labels.inside(TEXTS, 100, 500)
        assert labels.inside(TEXTS, 200, 300) is None

    def test_label_over_a_low_bar_reaches_beyond_it(self):
        """There is room over the bar, and nothing to hide."""
        place = lane((100, 110)).above(TEXTS, 100, 110)
        assert (place.text, place.beside) == (TEXTS[0], False)

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.floats(0, 990), st.floats(3, 400), st.booleans()), max_size=12))
    def test_labels_never_meet(self, drawn):
        """Whatever bars there are; and all of them lie in the lane."""
        bars = [(start, min(start + width, 1000), low) for start, width, low in drawn]
        labels = lane(*(bar[:2] for bar in bars))
        places = [(labels.above if low else labels.inside)(TEXTS, start, end) for start, end, low in bars]
        edges = sorted((place.x, place.x + len(place.text) * LETTER) for place in places if place)
        flat = [edge for pair in edges for edge in pair]
        assert flat == sorted(flat)
        assert all(0 <= edge <= 1000 for edge in flat)


class TestCutTo:
    def test_text_is_cut_to_its_room(self):
        """With a sign that there was more; a scrap of a name says nothing."""
        assert cut_to("users", 5 * LETTER) == "users"
        assert cut_to("warehouse", 5 * LETTER) == "ware…"
        assert cut_to("warehouse", 3 * LETTER) == ""
