"""`python -m workers relay | parked | cost | simulate | demo`."""

import argparse
import os
import sys

from botocore.exceptions import BotoCoreError, ClientError

from streams.errors import HeadwayError
from streams.settings import Settings, settings_from
from streams.table.endpoint import plain_client
from streams.telemetry.logs import configure_logging
from workers import cost, parked
from workers.demo import demo, simulate
from workers.fleet import process


def main() -> None:
    """Run the process that was asked for; exit with 1 and one line where it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m workers")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("relay", help="follow the table's change stream and publish what changed")
    aside = commands.add_parser("parked", help="show the records that could not be relayed")
    aside.add_argument("--replay", action="store_true", help="try them again, and forget those that are readable now")
    bill = commands.add_parser("cost", help="what following the stream costs on AWS, idle and hot")
    bill.add_argument("--shards", type=int, default=1, metavar="N")
    bill.add_argument("--workers", type=int, default=2, metavar="N")
    commands.add_parser("demo", help="everything on this machine, with a simulated pipeline; Ctrl-C stops it")
    simulate.add_arguments(commands.add_parser("simulate", help="a stand-in pipeline that plays video jobs"))
    arguments = parser.parse_args()
    try:
        settings = settings_from(os.environ)
        configure_logging(settings.log_level, settings.log_format)
        run(arguments, settings)
    except (HeadwayError, BotoCoreError, ClientError) as error:
        sys.exit(f"{arguments.command}: {error}")


def run(arguments: argparse.Namespace, settings: Settings) -> None:
    """Run a command until it ends or is stopped."""
    match arguments.command:
        case "relay":
            process.run_until_stopped(lambda stopping: process.run_relay(settings, stopping))
        case "parked":
            parked.run(settings, replay=arguments.replay)
        case "cost":
            print(cost.report(arguments.shards, arguments.workers))
        case "simulate":
            client = plain_client("dynamodb", os.environ)
            options = simulate.options_from(arguments)
            process.run_until_stopped(lambda stopping: simulate.simulate(client, settings.table, options, stopping))
        case "demo":
            demo.run(settings)


if __name__ == "__main__":
    main()
