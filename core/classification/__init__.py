"""CLIP as a classifier that does not depend on lucky phrasing, and prompts learned from one picture a class.

In reading order: ``classes`` and ``templates`` (what users type), ``zero_shot`` (prompts and images to features),
``ensembles`` (features to probabilities), ``explainability_weights`` (which template listens to the class's own
words), ``classify`` (all of it, end to end, cached), ``winning_maps`` (why), ``prompt_learning`` (CoOp with NTLB's
explainability loss) and ``class_prompts`` (what was learned, as a file).
"""

from ..lazy import lazy_submodules

__getattr__ = lazy_submodules(__name__)
