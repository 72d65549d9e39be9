"""The size of a branch's compute in Neon's terms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from infra.branches.errors import ComputeInvalidError

if TYPE_CHECKING:
    from infra.branches.provider import Compute

#: By Neon's API document: compute units, and seconds besides 0 (its default) and -1 (never).
_SMALLEST_CU: Final = 0.25
_SUSPEND_AFTER: Final = range(60, 604_800 + 1)


def endpoint_options(compute: Compute) -> dict[str, object]:
    """Return what Neon takes for a compute that reads and writes; what is `None` is left out.

    The Free plan refuses any value for the suspension, even its own default.

    Raises:
        ComputeInvalidError: A size or a time that no compute can have.
    """
    low, high, seconds = compute.min_cu, compute.max_cu, compute.suspend_after
    sizes = [size for size in (low, high) if size is not None]
    if wrong := [size for size in sizes if not _SMALLEST_CU <= size < math.inf]:
        raise ComputeInvalidError(f"a compute has at least {_SMALLEST_CU} units, not {wrong[0]:g}")
    if low is not None and high is not None and low > high:
        raise ComputeInvalidError(f"a compute cannot shrink to {low:g} units and grow to {high:g}")
    if seconds is not None and seconds not in {-1, 0} and seconds not in _SUSPEND_AFTER:
        raise ComputeInvalidError(
            f"a compute cannot be suspended after {seconds} s",
            hint=f"give {_SUSPEND_AFTER[0]} to {_SUSPEND_AFTER[-1]}, 0 for the default, -1 for never",
        )
    options = {
        "type": "read_write",
        "autoscaling_limit_min_cu": low,
        "autoscaling_limit_max_cu": high,
        "suspend_timeout_seconds": seconds,
    }
    return {name: value for name, value in options.items() if value is not None}
