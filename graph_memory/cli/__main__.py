"""`python -m graph_memory.cli`: the same as the `graph-memory` command."""

import sys

from graph_memory.cli import main

sys.exit(main())
