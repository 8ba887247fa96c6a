import asyncio

from workers.relay.interest import Interest


async def sleeping(interest: Interest, stopping: asyncio.Event) -> asyncio.Task[None]:
    """Return a sleep of a day that has begun."""
    sleep = asyncio.ensure_future(interest.sleep(86400, stopping))
    await asyncio.sleep(0)
    assert not sleep.done()
    return sleep


async def test_whoever_sleeps_because_nobody_watches_wakes_when_somebody_does() -> None:
    interest = Interest()
    interest.note(is_there=False)
    sleep = await sleeping(interest, asyncio.Event())
    interest.note(is_there=False)
    interest.note(is_there=True)
    await sleep
    await sleeping(interest, asyncio.Event())  # That somebody still watches wakes nobody.


async def test_whoever_is_asked_to_stop_wakes() -> None:
    stopping = asyncio.Event()
    sleep = await sleeping(Interest(), stopping)
    stopping.set()
    await sleep
    await Interest().sleep(86400, stopping)


async def test_until_it_is_known_somebody_may_be_watching() -> None:
    assert Interest().is_there
