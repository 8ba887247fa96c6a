export type Status = "pending" | "processing" | "completed" | "failed" | (string & {});

/** A job as the API tells it; optional fields are left out while they are empty. Times are Unix seconds. */
export interface Job {
  job_id: string;
  status: Status;
  progress_percent: number;
  created_at: number;
  updated_at: number;
  stage?: string;
  title?: string;
  prompt?: string;
  duration?: number;
  thumbnail_url?: string;
  audio_url?: string;
  video_url?: string;
  scenes_completed?: number;
  scenes_total?: number;
  scene_video_urls?: string[];
  error_message?: string;
  completed_at?: number;
}

/** What is left of a deleted job: its id, and its last state if one was seen. */
export type DeletedJob = Pick<Job, "job_id"> & Partial<Job>;

/**
 * `stale`: connected, but the server has lost its feed, so the states may be old.
 * `closed`: nothing more will come.
 */
export type WatchState = "connecting" | "live" | "stale" | "reconnecting" | "closed";

export type JobEvent = { type: "update" | "done"; job: Job } | { type: "deleted"; job: DeletedJob };

export interface WatchOptions {
  /** A state that is not the last one. */
  onUpdate?(job: Job): void;
  /** The final state: completed or failed. `watchJob` then closes; `watchJobs` goes on. */
  onDone?(job: Job): void;
  onDeleted?(job: DeletedJob): void;
  /** The server's feed is broken; it goes on by itself, and `onState("live")` says when. */
  onStale?(): void;
  onState?(state: WatchState): void;
  /** The session or token is about to expire: renew it now, the stream reconnects. */
  onExpiring?(): void;
  /** The server refused for good (401, 403, 404 …); the watch is closed. */
  onError?(error: HeadwayError): void;
  /** Closes the watch when aborted. */
  signal?: AbortSignal;
  /** Where the API is, if not on this origin: "https://jobs.example.com". */
  baseUrl?: string;
  /** Sent as a bearer header, over fetch. A function is called for each connection, so that it can renew. */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** Send cookies to another origin. */
  withCredentials?: boolean;
  /**
   * "fetch" also where EventSource would do: it notices a connection that died silently, because it sees the server's pings.
   */
  transport?: "eventsource" | "fetch";
}

export interface WatchJobsOptions extends WatchOptions {
  /** Only jobs of this status; one that leaves it is told once more, with its new status. */
  status?: Status | Status[];
}

export interface Watch extends AsyncIterable<JobEvent> {
  readonly state: WatchState;
  close(): void;
  /** Takes a state read elsewhere, such as from the list, and hands it on unless it is known or older. */
  offer(job: Job): void;
}

export declare class HeadwayError extends Error {
  constructor(status: number, problem?: HeadwayError["problem"]);
  readonly status: number;
  /** The body of an application/problem+json answer. */
  readonly problem: { title?: string; detail?: string; [member: string]: unknown } | null;
}

/** Watches one job until it is completed, failed or deleted. */
export declare function watchJob(id: string, options?: WatchOptions): Watch;

/** Watches all the caller's jobs until it is closed. */
export declare function watchJobs(options?: WatchJobsOptions): Watch;

/** The WHATWG event stream format, however the text is cut into pieces. */
export declare class EventParser {
  constructor(to: {
    heard(event: { type: string; data: string; id: string | null }): void;
    reached?(id: string): void;
    retry?(ms: number): void;
  });
  push(text: string): void;
}
