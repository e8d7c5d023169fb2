"""Runs hypercorn in this very process: `python -m support.hypercorn_main CONFIG
MODE:MODULE:ATTRIBUTE`."""

import asyncio
import importlib
import signal
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def main(config_path, name):
    config = Config.from_toml(config_path)
    mode, module, attribute = name.split(":")
    application = getattr(importlib.import_module(module), attribute)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(application, config, shutdown_trigger=stop.wait, mode=mode)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
