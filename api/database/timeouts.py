"""How long a statement, a lock or an idle transaction may last, and how PostgreSQL is told.

Three lines of defence, from the outside in:

1. The role's defaults (`role_settings`), set at provisioning: they hold for every statement of the
   application role, through any pooler, without a round trip.
2. A transaction that wants other values carries them in the message of its `BEGIN` (`begin`): no
   round trip of its own, and `SET LOCAL` ends with the transaction, so no other client of the
   pooler ever sees them. Startup parameters and session `SET` are never used: poolers drop, reject
   or leak them (`docs/decisions/0003-timeouts.md`).
3. The client's deadline (`deadline`): the invocation's end less a margin. What is still running
   then is cancelled on the server.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

#: Seconds kept back from the invocation's remaining time: enough to cancel a statement on the
#: server, write the problem document and return it.
DEADLINE_MARGIN: Final = 1.0

#: Bounds of a limit, in seconds: PostgreSQL counts milliseconds in 32 bits, and reads 0 as "no limit".
SHORTEST: Final = 0.001
LONGEST: Final = 2_147_483.0

#: When the running invocation's statements must have ended, on the event loop's clock, in seconds.
#: `None` outside an invocation. The loop's clock suffices: an environment is never frozen while it
#: serves a request.
deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits on the server, in seconds.

    Args:
        statement: `statement_timeout`: one statement's run time, its waits for locks included.
        lock: `lock_timeout`: one wait for a lock.
        idle_in_transaction: `idle_in_transaction_session_timeout`: silence inside a transaction.

    Raises:
        ValueError: A limit is not between `SHORTEST` and `LONGEST`.
    """

    statement: float = 30.0
    lock: float = 5.0
    idle_in_transaction: float = 30.0

    def __post_init__(self) -> None:
        """Refuse what PostgreSQL would refuse or take for "no limit"."""
        for name in self.__slots__:
            if not SHORTEST <= getattr(self, name) <= LONGEST:
                raise ValueError(
                    f"{name} timeout must be {SHORTEST} to {LONGEST:.0f} s, not {getattr(self, name)}"
                )

    def settings(self) -> dict[str, str]:
        """Return PostgreSQL's names and values, in milliseconds: what `SHOW` and `ALTER ROLE` take."""
        return {
            "statement_timeout": f"{round(self.statement * 1000)}ms",
            "lock_timeout": f"{round(self.lock * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{round(self.idle_in_transaction * 1000)}ms",
        }


def remaining() -> float | None:
    """Return the seconds left until the deadline, possibly negative; `None` without a deadline."""
    end = deadline.get()
    return None if end is None else end - asyncio.get_running_loop().time()
