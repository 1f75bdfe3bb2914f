import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import pack

pack.load()
sys.path.insert(0, str(Path(__file__).resolve().parent / "core"))
