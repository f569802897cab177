"""Makes this folder's helpers (reference_parser, csv_corpus, fuzz_predictions) importable."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
