"""What ends a training before its time: Ctrl-C, and a lack of memory."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import torch


def leave_interrupts(_: int) -> None:
    """Ctrl-C reaches the processes that load as well; when they end is the training's matter."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def ending_in_order(interrupt: Callable) -> Iterator[None]:
    """Ctrl-C is left to `interrupt`, a handler; and where memory is what is lacking, a MemoryError tells what to do."""
    before = signal.getsignal(signal.SIGINT)
    caught = before is not signal.SIG_IGN and threading.current_thread() is threading.main_thread()
    if caught:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except RuntimeError as error:
        advice = _memory_advice(error)
        if advice is None:
            raise
        raise MemoryError(advice) from error
    finally:
        if caught:
            signal.signal(signal.SIGINT, before)


def _memory_advice(error: RuntimeError) -> str | None:
    """What to do, if it is PyTorch's word for a lack of memory."""
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError):
        return f"the card has too little memory ({text.splitlines()[0]}): name a smaller --batch-size, or smaller --stages"
    if "DefaultCPUAllocator" in text:
        return f"there is too little memory ({text.splitlines()[0]}): name a smaller --batch-size, or smaller --stages"
    if text.startswith("DataLoader worker"):
        return f"a process that loads images ended ({text.splitlines()[0]}), by a lack of memory most often: name fewer --workers"
    return None
