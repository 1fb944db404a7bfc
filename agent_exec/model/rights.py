"""What a child may do: the rights that follow from what was granted."""

from __future__ import annotations

from agent_exec.named_tuple import NamedTuple


class Rights(NamedTuple):
    """Of one command and all that it runs. What is not listed is withheld.

    Paths are absolute and without links; each stands for everything beneath it, and gives
    nothing where it does not exist; but for `make` and `remove`, which are about names in a
    directory.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    """What is beneath may be created, changed, renamed, removed."""
    make: tuple[str, ...] = ()
    """May be made, changed, or replaced by another of the same name: where it is no directory,
    that is a right to the one that holds it."""
    remove: tuple[str, ...] = ()
    """Names that may be removed from the directory that holds them."""
    execute: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    """May be executed, together with what interprets and loads them, and with their helpers."""
    tmp: bool = True
    """A temp directory that nobody else uses may be written."""
    code: bool = False
    """It runs what nobody can know beforehand: what it may read, it may execute."""
    attributes: bool = False
    """Owners, modes, times and extended attributes may be changed, of whatever may be reached."""
    network: bool = False
    """Sockets of any family."""
    signal: bool = False
    """Processes of others than the call may be signalled."""

    def united(self, other: Rights) -> Rights:
        """Both together: for one process that does what several commands say."""
        return Rights(
            _both(self.read, other.read),
            _both(self.write, other.write),
            _both(self.make, other.make),
            _both(self.remove, other.remove),
            _both(self.execute, other.execute),
            _both(self.programs, other.programs),
            tmp=self.tmp or other.tmp,
            code=self.code or other.code,
            attributes=self.attributes or other.attributes,
            network=self.network or other.network,
            signal=self.signal or other.signal,
        )


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return one if one == other else tuple(dict.fromkeys((*one, *other)))
