"""Keys and names that every table shares."""

from __future__ import annotations

import os
import time
from uuid import RFC_4122

import pytest
from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.database.base import Base, uuid7


class TestUuid7:
    def test_layout_is_version_7(self):
        """Version and variant bits are those of RFC 9562."""
        keys = [uuid7() for _ in range(100)]
        assert {key.version for key in keys} == {7}
        assert {key.variant for key in keys} == {RFC_4122}

    def test_time_comes_first_in_milliseconds(self):
        """The first 48 bits are the wall clock, so that keys sort by age."""
        before = time.time_ns() // 1_000_000
        key = uuid7()
        after = time.time_ns() // 1_000_000
        assert before <= key.int >> 80 <= after

    def test_random_bits_come_from_the_operating_system(self, monkeypatch):
        """A snapshot restored twice must not make the same keys: nothing is seeded in the process."""
        monkeypatch.setattr(os, "urandom", lambda count: b"\xff" * count)
        assert uuid7().int & (1 << 62) - 1 == (1 << 62) - 1

    def test_keys_of_one_moment_differ(self):
        """74 random bits keep keys of the same millisecond apart."""
        assert len({uuid7() for _ in range(10_000)}) == 10_000


class TestNamingConvention:
    @pytest.fixture
    def base(self):
        class Own(DeclarativeBase):
            metadata = Base.metadata.__class__(naming_convention=Base.metadata.naming_convention)

        return Own

    def test_every_kind_of_constraint_has_a_name(self, base):
        """Names do not depend on PostgreSQL's choice, so that a migration can drop them."""

        class Parent(base):
            __tablename__ = "parent"
            id: Mapped[int] = mapped_column(primary_key=True)

        class Child(base):
            __tablename__ = "child"
            id: Mapped[int] = mapped_column(primary_key=True)
            parent_id: Mapped[int] = mapped_column(ForeignKey(Parent.id))
            size: Mapped[int]
            __table_args__ = (
                UniqueConstraint("parent_id", "size"),
                CheckConstraint("size > 0", name="size_positive"),
                Index(None, "size"),
            )

        table = Child.__table__
        assert {item.name for item in (*table.constraints, *table.indexes)} == {
            "pk_child",
            "fk_child_parent_id_parent",
            "uq_child_parent_id_size",
            "ck_child_size_positive",
            "ix_child_size",
        }
