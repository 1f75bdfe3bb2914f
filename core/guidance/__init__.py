"""Guidance by explanations: no word of the prompt left behind, each object in its box (NTLB, sections 4 and 5).

Read ``objective.py`` first: it sums the terms (``similarity.py``, ``word_loss.py``, ``box_loss.py``) over random
windows of the picture (``cutouts.py``). ``guide.py`` applies its gradient to what a sampler predicts
(``update.py``, ``schedule.py``); ``latent_optimization.py`` descends it without a diffusion model.
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
