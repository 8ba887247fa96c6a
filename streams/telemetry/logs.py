"""How every process of Headway logs: one line an event, JSON for machines, colours on a terminal.

What libraries log by Python's own `logging` comes out in the same form.
"""

import logging
import sys

import structlog
from structlog.stdlib import ProcessorFormatter, add_logger_name
from structlog.typing import Processor


def configure_logging(level: str, form: str | None) -> None:
    """Log from here on at a level; the form is `json` or `console`, by default console on a terminal."""
    console = form == "console" or (form is None and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[add_logger_name, *processors],
            processors=[ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
