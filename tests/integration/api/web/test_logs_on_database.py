"""Tracebacks of real database errors, which quote values, in the log, which must not."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Integer, literal, select, text

from api.database.engine import make_engine
from api.database.session import read
from api.web.logs import configure_logs

if TYPE_CHECKING:
    from sqlalchemy import Executable

    from infra.testing.databases import Database

FAILING = """
CREATE FUNCTION fail() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused' USING DETAIL = 'hunter2'; END $$
"""


class TestTracebacks:
    """What a logged exception shows of the driver's own."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            (text("SELECT fail()"), "refused"),
            (text("SELECT CAST(concat('hunter', 2) AS int)"), "does not fit"),
            (select(literal("hunter2", Integer)), "does not fit"),
            (text("SELECT nowhere"), 'column "nowhere" does not exist'),
        ],
        ids=["detail", "server", "driver", "mistake"],
    )
    async def test_values_are_withheld_and_the_reason_is_not(
        self,
        empty_database: Database,
        capsys: pytest.CaptureFixture[str],
        statement: Executable,
        said: str,
    ) -> None:
        """A DETAIL, a refused value and a parameter stay out of the chain that explains a failure."""
        owner = make_engine(empty_database.direct)
        async with owner.begin() as connection:
            await connection.execute(text(FAILING))
        configure_logs()
        try:
            async with read(owner) as session:
                await session.execute(statement)
        except Exception:
            logging.getLogger("api.somewhere").exception("failed")
        await owner.dispose()
        exception = json.loads(capsys.readouterr().out)["exception"]
        assert "hunter2" not in exception
        assert said in exception
