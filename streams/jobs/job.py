"""What a job is and what the public sees of it. Pure."""

from msgspec import Struct, json

STATUSES = ("pending", "processing", "completed", "failed")
FINAL_STATUSES = frozenset({"completed", "failed"})
DEFAULT_SCENES = 3  # what pipelines make that name no total


class Job(Struct, frozen=True, kw_only=True, gc=False):
    """A job as its pipeline wrote it; times are Unix seconds, `duration` is seconds of video."""

    job_id: str
    user_id: str
    status: str
    created_at: int
    updated_at: int
    stage: str | None = None
    thumbnail_url: str | None = None
    audio_url: str | None = None
    scenes_completed: int = 0
    scenes_total: int | None = None
    scenes_listed: int = 0
    scene_video_urls: tuple[str, ...] = ()
    prompt: str | None = None
    duration: int | float | None = None
    title: str | None = None
    video_url: str | None = None
    error_message: str | None = None
    completed_at: int | None = None

    @property
    def progress_percent(self) -> int:
        """How far the job is, 0 to 100; only a completed one says 100."""
        if self.status == "completed":
            return 100
        if self.status == "pending":
            return 0
        total = max(self.scenes_total or self.scenes_listed or DEFAULT_SCENES, self.scenes_completed)
        return min(100 * self.scenes_completed // total, 99)


class PublicJob(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The one JSON schema of a job, over REST and SSE alike; empty optional fields are left out."""

    job_id: str
    status: str
    stage: str | None = None
    progress_percent: int
    thumbnail_url: str | None = None
    audio_url: str | None = None
    scenes_completed: int | None = None
    scene_video_urls: tuple[str, ...] | None = None
    prompt: str | None = None
    duration: float | None = None  # an int stays one
    created_at: int
    updated_at: int
    title: str | None = None
    video_url: str | None = None
    error_message: str | None = None
    completed_at: int | None = None
    scenes_total: int | None = None


def public(job: Job) -> PublicJob:
    """What the public sees of a job: never whose it is, nor attributes that Headway does not know."""
    return PublicJob(
        job_id=job.job_id,
        status=job.status,
        stage=job.stage,
        progress_percent=job.progress_percent,
        thumbnail_url=job.thumbnail_url,
        audio_url=job.audio_url,
        scenes_completed=job.scenes_completed or None,
        scene_video_urls=job.scene_video_urls or None,
        prompt=job.prompt,
        duration=job.duration or None,
        created_at=job.created_at,
        updated_at=job.updated_at,
        title=job.title,
        video_url=job.video_url,
        error_message=job.error_message,
        completed_at=job.completed_at,
        scenes_total=job.scenes_total,
    )


_encode = json.Encoder().encode


def public_json(job: Job) -> bytes:
    """The public JSON on one line, UTF-8; the same job always gives the same bytes."""
    return _encode(public(job))
