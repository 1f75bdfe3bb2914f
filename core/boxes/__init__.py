"""Where each object should be, as boxes or masks: spatial constraints (NTLB, section 5.3).

``geometry`` (boxes, masks), ``constraint`` (an object and its place), ``editor_state`` (what the box editor saves) and
``sources`` (constraints from every source a user has).
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
