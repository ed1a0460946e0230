-- For a client that reaches the database by PostgREST's remote procedure calls alone.
--
-- On Supabase such a client is `authenticated` or `service_role`; 0006 lets both use the store, where they exist. The schema
-- graph_memory must be among the exposed ones (Settings, Data API). PostgREST cuts off what a function returns after 1,000 rows
-- (db-max-rows), so whatever may be longer is one JSON value here.

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create function graph_memory.about(out version integer, out dimension integer)
language sql stable as $$
    select (select coalesce(max(m.version), 0) from migrations as m), dimension();
$$;
comment on function graph_memory.about is 'The newest migration, and the vectors'' size; null when none was chosen.';

create function graph_memory.batch_json(ops jsonb) returns json
language sql as $$
    select coalesce(json_agg(a), '[]') from batch(ops) as a;
$$;

create function graph_memory.missing_json(writes jsonb) returns json
language sql stable as $$
    select coalesce(json_agg(m.digest), '[]') from missing(writes) as m (digest);
$$;

select seal();

notify pgrst, 'reload schema'; -- PostgREST, if it listens, looks up the functions anew
