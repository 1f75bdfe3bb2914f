"""``clip-explain``: the library from a shell.

``main`` reads the command, ``arguments`` what all commands share, ``pictures`` names what to look at and what to
write; ``maps``, ``words`` and ``classes`` are the commands. They call what the nodes call.
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
