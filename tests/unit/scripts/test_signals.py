"""Ctrl-C and its like, sent for real to this process."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from scripts.signals import EndingSignals


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)


class TestEndingSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_first_signal_interrupts_and_later_ones_do_not(self, number):
        """An impatient second Ctrl-C does not cut the ending short; afterwards all is as it was."""
        before = signal.getsignal(number)
        ended = False
        with EndingSignals():
            with pytest.raises(KeyboardInterrupt):
                send(number)
            send(number)
            ended = True
        assert ended
        assert signal.getsignal(number) is before

    def test_signal_that_is_held_back_interrupts_at_the_end(self):
        """What the block starts is started whole; an error that the signal caused gives way to it."""
        reached = False
        with EndingSignals() as signals, pytest.raises(KeyboardInterrupt), signals.held_back():
            send()
            reached = True
            raise RuntimeError("a child process got the Ctrl-C as well")
        assert reached

    def test_signals_after_a_held_back_block_interrupt_again(self):
        """A block that no signal met changes nothing."""
        with EndingSignals() as signals:
            with signals.held_back():
                pass
            with pytest.raises(KeyboardInterrupt):
                send()


class TestRun:
    def test_signal_cancels_the_work_and_waits_for_its_ending(self):
        """Work ends through its own `finally`, however often the user presses Ctrl-C; nothing is raised."""
        said = []

        async def work():
            try:
                send()
                await asyncio.sleep(60)
            finally:
                send()
                await asyncio.sleep(0)
                said.append("ended")

        with EndingSignals() as signals:
            signals.run(work())
            send()
        assert said == ["ended"]

    def test_error_of_the_work_is_raised(self):
        """Without a signal, what went wrong is the caller's to tell; a signal then is too late."""

        async def work():
            raise LookupError("gone")

        with EndingSignals() as signals:
            with pytest.raises(LookupError, match="gone"):
                signals.run(work())
            send()
