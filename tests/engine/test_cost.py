"""Invariant 8: watching costs DynamoDB nothing per second."""

from tests.engine.test_streams import percents, put, watching
from tests.support.counting_proxy import counting_proxy
from tests.support.stack import Stack


async def test_a_watcher_costs_one_read_when_it_connects_and_none_after(stack: Stack, user: str) -> None:
    stack.start_relay()
    await put(stack, "job", user, 0)
    async with counting_proxy(stack.aws["AWS_ENDPOINT_URL"]) as (url, counts):
        api = stack.start_api(AWS_ENDPOINT_URL_DYNAMODB=url)
        async with watching(api, "/jobs/job/events", user) as one, watching(api, "/jobs/events", user) as all_jobs:
            await one.until(lambda told: bool(told.states))
            await all_jobs.until(lambda told: bool(told.states))
            for done in range(1, 10):
                await put(stack, "job", user, done)
                await one.until(lambda told, done=done: 5 * done in percents(told))  # type: ignore[misc]
            await all_jobs.until(lambda told: 45 in percents(told))
        assert counts == {"GetItem": 1, "Query": 1}
