"""The demo world: a small CLIP and the pictogram scenes it was trained on, for trying the pack offline."""
