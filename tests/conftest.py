"""How many examples property tests try: a modest fixed sample by default, the full counts with GRAPH_MEMORY_SOAK=1."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.commands import cli  # noqa: F401
from tests.outbox import make  # noqa: F401
from tests.postgres_databases import migrated_database, new_database, postgres_server, postgres_url  # noqa: F401
from tests.redis_servers import redis_cluster, redis_server  # noqa: F401
from tests.supabase_projects import supabase, supabase_project, supabase_server  # noqa: F401
from tests.two_stores import store  # noqa: F401

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

settings.register_profile("check", derandomize=True, database=None, max_examples=50, deadline=None)
settings.register_profile(
    "soak", max_examples=2000, database=None, deadline=None, suppress_health_check=SLOW, print_blob=True
)
settings.load_profile("soak" if os.environ.get("GRAPH_MEMORY_SOAK") else "check")
