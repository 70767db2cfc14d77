"""Slots: in turn, callers who wait before others, and none for ever behind the other kind."""

from __future__ import annotations

import asyncio

import pytest

from cutline.errors import RunStopped
from cutline.slots import LocalSlots, waiting_caller


async def order_of(kinds, most=1):
    """The order in which those get a slot who ask for one while all are taken: their indices."""
    free, order = asyncio.Event(), []
    slots = LocalSlots(lambda: most)

    async def hold():
        async with slots.one():
            await free.wait()

    async def use(index):
        async with slots.one():
            order.append(index)

    async with asyncio.TaskGroup() as group:
        for _ in range(most):
            group.create_task(hold())
        await asyncio.sleep(0)
        for index, kind in enumerate(kinds):
            if kind == "caller":
                with waiting_caller():
                    group.create_task(use(index))
            else:
                group.create_task(use(index))
            await asyncio.sleep(0)
        free.set()
    assert slots.taken == 0
    return order


def test_a_caller_who_waits_comes_before_others():
    assert asyncio.run(order_of(["job"] * 3 + ["caller"] + ["job"] * 2)) == [3, 0, 1, 2, 4, 5]


def test_others_get_every_fifth_slot_however_many_callers_wait():
    assert asyncio.run(order_of(["job"] * 2 + ["caller"] * 11)) == [2, 3, 4, 5, 0, 6, 7, 8, 9, 1, 10, 11, 12]


def test_halting_ends_the_waiting_of_both():
    async def halted():
        slots = LocalSlots(lambda: 0)
        with waiting_caller():
            caller = asyncio.create_task(slots.take())
        other = asyncio.create_task(slots.take())
        await asyncio.sleep(0)
        slots.halt()
        return await asyncio.gather(caller, other, return_exceptions=True)

    found = asyncio.run(halted())
    assert [type(one) for one in found] == [RunStopped, RunStopped]


def test_a_caller_who_leaves_takes_no_slot():
    async def cancelled():
        slots = LocalSlots(lambda: 1)
        await slots.take()
        with waiting_caller():
            caller = asyncio.create_task(slots.take())
        await asyncio.sleep(0)
        slots.leave()  # hands the slot over
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        return slots.taken

    assert asyncio.run(cancelled()) == 0
