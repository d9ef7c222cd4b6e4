"""What a module must not leave behind."""

from __future__ import annotations

import contextlib
import gc
import weakref
from typing import TYPE_CHECKING, Any

import psutil
import slicer

from Testing.slicer_host.parameter_node_wrapper import ParameterNodeWrapper
from Testing.slicer_host.problems import child_processes

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host

_GRACE_S = 2.0

# Objects already blamed in an earlier test; each is told once.
_blamed: weakref.WeakSet[Any] = weakref.WeakSet()
_mixins: weakref.WeakSet[Any] = weakref.WeakSet()


class Checks:
    """Compares the host before and after a test."""

    def __init__(self, host: Host) -> None:
        self._host = host
        host.problems.found.clear()
        host.dialogs.reset()
        self._processes = child_processes()
        self._observers = set(host.scene_observers.alive)

    def finish(self) -> list[str]:
        """Unload the modules and say what is wrong, one sentence each."""
        self._host.app.pauseRender()  # nobody looks any more
        self._host.app.moduleManager().unload_all()
        self._host.delete_later()
        gc.collect()
        failures = [f"problem: {text}" for text in self._host.problems.found]
        return failures + self._left_processes() + self._left_observers() + _left_observations() + _left_connections()

    def _left_processes(self) -> list[str]:
        left = child_processes() - self._processes
        _, still_alive = psutil.wait_procs(list(left), timeout=_GRACE_S) if left else ([], [])
        sentences = [f"process left behind: {_command(process)}" for process in still_alive]
        for process in still_alive:
            process.kill()
        psutil.wait_procs(still_alive, timeout=_GRACE_S)
        return sentences

    def _left_observers(self) -> list[str]:
        alive = self._host.scene_observers.alive.items()
        left = [observer for tag, observer in alive if tag not in self._observers and not observer.by_widget]
        return [f"observer of the scene left behind: {observer.description}" for observer in left]


def _left_observations() -> list[str]:
    """Observers that a module's VTKObservationMixin still holds after the module was unloaded."""
    return [
        f"{type(mixin).__name__} still observes {observed.GetClassName()} with {method.__name__}"
        for mixin in _not_yet_blamed(_mixins)
        for observed, _, method, *_ in mixin.Observations
    ]


def _left_connections() -> list[str]:
    """Parameter nodes still tied to widgets after the module was unloaded; their ties to dead widgets are cut here."""
    left = [*ParameterNodeWrapper.tied]
    for wrapper in left:
        for tag in [*wrapper._connections]:
            with contextlib.suppress(RuntimeError):  # the widget is gone
                wrapper.disconnectGui(tag)
    ParameterNodeWrapper.tied.clear()
    return [
        f"{type(wrapper).__name__} is still connected to widgets: call connectParametersToGui and disconnectGui"
        for wrapper in left
    ]


def watch_observation_mixins() -> None:
    """Remember every VTKObservationMixin that is made from now on; once per process."""
    mixin: Any = slicer.util.VTKObservationMixin
    original = mixin.__init__

    def remember(self: Any) -> None:
        original(self)
        _mixins.add(self)

    mixin.__init__ = remember


def _not_yet_blamed(things: weakref.WeakSet[Any]) -> list[Any]:
    """Living objects, each only once in the life of this process."""
    found = [thing for thing in things if thing not in _blamed]
    _blamed.update(found)
    return found


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return str(process.pid)
