"""What the commands share: numbers in options, and one line at the end where something is wrong."""

import argparse
import io
import sys
from collections.abc import Callable

from .files import locked

INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)


def whole(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return int(text)


def alone(run: Callable[..., None], options: argparse.Namespace, *more) -> None:
    """run(options, *more), while no other command is at work in --work."""
    with locked(options.work):
        run(options, *more)


def told(name: str, command: Callable[[], None]) -> int:
    """0; 2, and in one line on stderr what is wrong with the input or the machine; or 130 after Ctrl-C."""
    code = 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text
    try:
        command()
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (ValueError, FloatingPointError) as error:
        problem = str(error)
    except MemoryError as error:
        problem = str(error) or "there is not enough memory"
    except KeyboardInterrupt as error:
        problem, code = str(error) or "interrupted", INTERRUPTED
    else:
        return 0
    print(f"{name}: " + " ".join(problem.split()), file=sys.stderr)
    return code
