"""The files of pretended jobs: one directory for each job, under one directory for all."""

import re
import shutil
from pathlib import Path

from workers.demo.pictures import View, chord, clip, film, still
from workers.demo.plans import KEPT_SECONDS, Plan, Shelf

JOB_DIRECTORY = re.compile(r"job_[0-9a-f]{12}")


def drawn_shelf(url: str) -> Shelf:
    """A shelf with the kinds of file that are made here."""
    return Shelf(url=url, picture="svg", clip="svg", sound="wav")


def make_file(media: Path, plan: Plan, name: str) -> None:
    """Make one file of a job, whole or not at all."""
    path = media / plan.job_id / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{name}")
    unfinished.write_bytes(content(plan, name))
    unfinished.replace(path)


def content(plan: Plan, name: str) -> bytes:
    """What is in a file of a job, by the file's name."""
    kind = name.partition(".")[0]
    if kind == "audio":
        return chord(plan.job_id)
    if kind == "thumbnail":
        return still(view(plan, 1))
    if kind == "video":
        return film(view(plan, 1))
    return clip(view(plan, int(kind.removeprefix("scene_"))))


def view(plan: Plan, scene: int) -> View:
    """What a scene shows: another spot each time, an hour later."""
    return View(plan.subject.scenery, f"{plan.job_id} {scene}", plan.aspect_ratio, plan.hour + scene - 1)


def forget_files(media: Path, job_id: str) -> None:
    """Delete the files of a job, if it has any."""
    shutil.rmtree(media / job_id, ignore_errors=True)


def prepare(media: Path, now: float) -> None:
    """Make the directory, and clear it of jobs that are older than the table keeps any."""
    media.mkdir(parents=True, exist_ok=True)
    for path in media.iterdir():
        if JOB_DIRECTORY.fullmatch(path.name) and path.stat().st_mtime < now - KEPT_SECONDS:
            forget_files(media, path.name)
