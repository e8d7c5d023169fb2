"""The command line: `requestx URL`, or `python -m requestx URL`."""

import sys

from ._utils import public


def _no_command():
    print(
        "The requestx command needs click, rich and pygments, which are not installed.\n"
        "Install them with: pip install click rich pygments"
    )
    sys.exit(1)


try:
    from ._command import make_command
except ImportError:
    _no_command.__name__ = _no_command.__qualname__ = "main"
    main = public(_no_command)
else:
    main = make_command()
    main.__module__ = "requestx"
