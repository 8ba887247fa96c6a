"""How every process of Headway logs: one line an event, JSON for machines, colours on a terminal."""

import logging
import sys

import structlog


def configure_logging(level: str, form: str | None) -> None:
    """Log from here on at a level; the form is `json` or `console`, by default console on a terminal."""
    console = form == "console" or (form is None and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
