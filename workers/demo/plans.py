"""The jobs of a pretended video pipeline, as plans and the writes they come to. Pure.

A plan follows from a seed and a number alone; the clock is an argument.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import msgspec

from workers.demo.pictures import SIZES
from workers.demo.prompts import (
    AUDIO_ERRORS,
    COMPOSE_ERRORS,
    LOOKS,
    REQUESTS,
    SCENE_ERRORS,
    SCRIPT_ERRORS,
    SHOTS,
    SUBJECTS,
    Subject,
)

Attributes = dict[str, Any]
"""Attributes of an item, in plain Python."""

KEPT_SECONDS = 24 * 3600
"""The table's TTL takes what a pipeline that was killed left behind."""


class Plan(msgspec.Struct, frozen=True):
    """All that will become of one job; `fails_at` is the stage that it does not get beyond, if any."""

    job_id: str
    user_id: str
    subject: Subject
    prompt: str
    aspect_ratio: str
    duration: int
    scenes: tuple[str, ...]
    hour: int
    queued: float
    fails_at: str | None = None
    error_message: str | None = None


class Shelf(msgspec.Struct, frozen=True):
    """Where the files of a pipeline are to be had, and what kinds of file it makes."""

    url: str = "https://media.example"
    picture: str = "jpg"
    clip: str = "mp4"
    sound: str = "mp3"


class Step(msgspec.Struct, frozen=True):
    """One write to the table: how long the work before it takes, what it changes, the files that must be there first.

    `weight` is a share of the time that a mean step takes.
    """

    weight: float
    changes: Attributes
    files: tuple[str, ...] = ()


def plan_job(seed: int, number: int, users: Sequence[str], failures: float) -> Plan:
    """The job of this number; about this share of all jobs fails."""
    rng = Random(f"{seed} {number}")  # noqa: S311  # reproducible, not secret
    subject = rng.choice(SUBJECTS)
    scenes = tuple(rng.sample(SHOTS, rng.randint(1, 6)))
    duration = len(scenes) * rng.choice((4, 5, 6, 8))
    fails_at, error = failure(rng, len(scenes)) if rng.random() < failures else (None, None)
    return Plan(
        job_id=f"job_{rng.getrandbits(48):012x}",
        user_id=rng.choice(users),
        subject=subject,
        prompt=f"{rng.choice(REQUESTS).format(duration=duration, about=subject.about)}; {rng.choice(LOOKS)}",
        aspect_ratio=rng.choice(("16:9", "16:9", *SIZES)),
        duration=duration,
        scenes=scenes,
        hour=rng.randrange(10),
        queued=rng.choice((0.5, 0.5, 1, 1, 2, 5)),
        fails_at=fails_at,
        error_message=error,
    )


def failure(rng: Random, scenes: int) -> tuple[str, str]:
    """Where a job fails, and why; scenes are what fails most."""
    scene = rng.randint(1, scenes)
    stage, errors = rng.choice(
        (
            ("script_generating", SCRIPT_ERRORS),
            (f"scene_{scene}_generating", SCENE_ERRORS),
            (f"scene_{scene}_generating", SCENE_ERRORS),
            ("audio_generating", AUDIO_ERRORS),
            ("composing", COMPOSE_ERRORS),
        )
    )
    return stage, rng.choice(errors).format(scene=scene)


def first_item(plan: Plan, now: int) -> Attributes:
    """The whole item that is put when a job is asked for; times are Unix seconds."""
    return {
        "job_id": plan.job_id,
        "user_id": plan.user_id,
        "status": "pending",
        "prompt": plan.prompt,
        "title": plan.subject.title,
        "duration": plan.duration,
        "aspect_ratio": plan.aspect_ratio,
        "metadata": {"source": "simulated", "language": "en", "scenery": plan.subject.scenery},
        "created_at": now,
        "updated_at": now,
        "ttl": now + KEPT_SECONDS,
    }


def steps(plan: Plan, shelf: Shelf) -> Iterator[Step]:
    """What is written of a job after its first item, in order, up to its final state."""
    rng = Random(plan.job_id)  # noqa: S311  # reproducible, not secret
    for step in whole_pipeline(plan, shelf):
        yield msgspec.structs.replace(step, weight=step.weight * rng.uniform(0.6, 1.4))
        if step.changes["stage"] == plan.fails_at:
            yield Step(rng.uniform(0.5, 1.5), {"status": "failed", "error_message": plan.error_message})
            return


def whole_pipeline(plan: Plan, shelf: Shelf) -> Iterator[Step]:
    """Every step of a job that does not fail."""
    seconds = plan.duration // len(plan.scenes)
    scenes = [
        {"scene_number": number, "description": shot, "duration": seconds}
        for number, shot in enumerate(plan.scenes, start=1)
    ]
    yield Step(plan.queued, {"status": "processing", "stage": "script_generating"})
    yield Step(1.4, {"stage": "script_complete", "scenes": scenes, "scenes_total": len(scenes)})
    for number in range(1, len(scenes) + 1):
        yield from scene_steps(plan, shelf, number)
    yield from last_steps(plan, shelf)


def scene_steps(plan: Plan, shelf: Shelf, number: int) -> Iterator[Step]:
    """One scene begins and is there; the first one gives the job its thumbnail."""
    yield Step(0.4, {"stage": f"scene_{number}_generating"})
    clips = [f"scene_{done}.{shelf.clip}" for done in range(1, number + 1)]
    changes: Attributes = {
        "stage": f"scene_{number}_complete",
        "scenes_completed": number,
        "scene_video_urls": [url(plan, shelf, clip) for clip in clips],
    }
    thumbnail = f"thumbnail.{shelf.picture}"
    if number > 1:
        yield Step(1.6, changes, (clips[-1],))
    else:
        yield Step(1.6, changes | {"thumbnail_url": url(plan, shelf, thumbnail)}, (thumbnail, clips[-1]))


def last_steps(plan: Plan, shelf: Shelf) -> Iterator[Step]:
    """The sound, and all of it put together."""
    sound, video = f"audio.{shelf.sound}", f"video.{shelf.clip}"
    yield Step(0.4, {"stage": "audio_generating"})
    yield Step(1.4, {"stage": "audio_complete", "audio_url": url(plan, shelf, sound)}, (sound,))
    yield Step(0.4, {"stage": "composing"})
    made = {"video_key": f"{plan.job_id}/{video}", "video_url": url(plan, shelf, video)}
    yield Step(1.6, {"status": "completed", "stage": "complete", **made}, (video,))


def url(plan: Plan, shelf: Shelf, name: str) -> str:
    """Where a file of a job is to be had."""
    return f"{shelf.url}/{plan.job_id}/{name}"


def interrupted() -> Step:
    """The last write of a job whose pipeline is stopped: nobody will finish it, so nobody should wait for it."""
    return Step(0, {"status": "failed", "error_message": "The pipeline was stopped before this job was done"})


def stamped(changes: Attributes, now: int) -> Attributes:
    """Changes as they are written at this time, in Unix seconds."""
    done = {"completed_at": now} if changes.get("status") == "completed" else {}
    return {**changes, **done, "updated_at": now}
