"""The REST endpoints: a page of jobs, one job, and the API's description."""
