"""Redis between relay and api: publishing the newest state of each job, and listening to it."""
