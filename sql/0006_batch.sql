-- A whole batch in one call, the vectors' dimension, and who may call what.
--
-- A batch is {"gets": [], "lists": [], "newest": [], "searches": [], "claims": [], "swaps": [], "writes": []}; its reads see the
-- state before its swaps, those come before its writes, and all of it is carried out or nothing. A swap is
--
--   {"at", "path", "key", "seen": JSON text, "value": JSON text, "doc"}; it has a row, with `at` alone, if it was made

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create function graph_memory.check_claims(claims jsonb, moment timestamptz) returns void
language plpgsql as $$
begin
    if exists (
        select
        from jsonb_to_recordset(claims) as c (path text, key text, holder jsonb, must_exist boolean)
        left join namespaces as n on n.path = c.path
        left join lateral (
            select * from items as i
            where i.space = n.id and i.key = c.key and (i.expires_at is null or i.expires_at > moment) offset 0
        ) as i on true
        where case
            when i.id is null then c.must_exist
            else coalesce(i.doc -> 'operation', 'null') <> coalesce(c.holder, 'null')
        end
    ) then
        raise exception 'the slot is held by another' using errcode = 'GM001';
    end if;
end
$$;

select plan_by_index('check_claims');

create function graph_memory.batch(ops jsonb) returns setof graph_memory.answer
language plpgsql as $$
declare
    moment timestamptz;
begin
    if ops -> 'writes' <> '[]' then
        perform lock(ops -> 'writes');
    end if;
    if ops -> 'swaps' <> '[]' then
        perform from namespaces where path in (select s ->> 'path' from jsonb_array_elements(ops -> 'swaps') as s) order by path for update;
    end if;
    moment := clock_timestamp();
    if ops -> 'claims' <> '[]' then
        perform check_claims(ops -> 'claims', moment);
    end if;
    if ops -> 'gets' <> '[]' then
        return query select * from get(ops -> 'gets', moment);
    end if;
    if ops -> 'lists' <> '[]' then
        return query select a.* from jsonb_array_elements(ops -> 'lists') as o (op) cross join lateral list(o.op, moment) as a;
    end if;
    if ops -> 'newest' <> '[]' then
        return query select a.* from jsonb_array_elements(ops -> 'newest') as o (op) cross join lateral newest(o.op, moment) as a;
    end if;
    if ops -> 'searches' <> '[]' then
        return query select a.* from jsonb_array_elements(ops -> 'searches') as o (op) cross join lateral search(o.op, moment) as a;
    end if;
    if ops -> 'swaps' <> '[]' then
        return query select
            s.at, null::text, null::text, null::text, null::bigint, null::bigint, null::float, null::float, null::float, null::float,
            null::float, null::jsonb
        from swap(ops -> 'swaps', moment) as s (at);
    end if;
    if ops -> 'writes' <> '[]' then
        perform write(ops -> 'writes', moment);
    end if;
end
$$;
comment on function graph_memory.batch is 'Carries out a batch; rows of one operation come in its order.';

create function graph_memory.assume(user_id text) returns void
language plpgsql as $$
begin
    perform set_config('role', 'graph_memory_user', true), set_config('graph_memory.user_id', user_id, true);
end
$$;
comment on function graph_memory.assume is 'Gives up the connection''s own rights for those of one user, until the transaction ends.';

create function graph_memory.batch_as(user_id text, ops jsonb) returns setof graph_memory.answer
language plpgsql as $$
begin
    perform assume(user_id);
    return query select * from batch(ops);
end
$$;

create function graph_memory.put_if_absent_as(user_id text, writes jsonb) returns boolean
language plpgsql as $$
begin
    perform assume(user_id);
    return put_if_absent(writes);
end
$$;

create function graph_memory.sweep_as(user_id text, most integer) returns integer
language plpgsql as $$
begin
    perform assume(user_id);
    return sweep(most);
end
$$;

create function graph_memory.missing_as(user_id text, writes jsonb) returns setof text
language plpgsql as $$
begin
    perform assume(user_id);
    return query select * from missing(writes);
end
$$;

create function graph_memory.dimension() returns integer
language sql stable as $$
    select nullif(atttypmod, -1) from pg_attribute
    where attrelid = 'graph_memory.vectors'::regclass and attname = 'embedding';
$$;
comment on function graph_memory.dimension is 'The vectors'' size as chosen when migrating; null when none was.';

create function graph_memory.vectors_beside(dims integer) returns bigint
language sql stable as $$
    select count(*) from vectors where vector_dims(embedding) <> dims;
$$;
comment on function graph_memory.vectors_beside is 'How many vectors are of another size.';

create function graph_memory.set_dimension(dims integer) returns void
language plpgsql as $$
begin
    lock table vectors in access exclusive mode;
    drop index if exists vectors_by_meaning, vectors_together;
    delete from vectors where vector_dims(embedding) <> dims;
    execute format('alter table vectors alter column embedding type vector(%s)', dims);
    execute format('alter table vectors alter column embedding set storage %s', case when dims <= 2000 then 'plain' else 'external' end);
    if dims <= 660 then -- three entries of an index must fit on a page
        create index vectors_together on vectors (space) include (item, embedding) where not graphed;
    end if;
    if dims <= 2000 then
        create index vectors_by_meaning on vectors using hnsw (embedding vector_ip_ops) where graphed;
    elsif dims <= 4000 then
        execute format(
            'create index vectors_by_meaning on vectors using hnsw ((embedding::halfvec(%s)) halfvec_ip_ops) where graphed', dims
        );
    end if;
end
$$;
comment on function graph_memory.set_dimension is
    'Chooses the vectors'' size. Vectors of another size are dropped: their items are found by words until they are put again.';

create function graph_memory.seal() returns void
language plpgsql as $$
declare
    made regprocedure;
    other name;
begin
    for made in select oid from pg_proc where pronamespace = 'graph_memory'::regnamespace loop
        execute format('revoke all on function %s from public', made);
    end loop;
    for made in
        select oid from pg_proc
        where pronamespace = 'graph_memory'::regnamespace and prosqlbody is null and proname not in ('listed', 'ranked', 'found')
    loop
        execute format('alter function %s set search_path = %s', made, current_setting('search_path'));
    end loop;
    for other in select rolname from pg_roles where rolname in ('graph_memory_user', 'authenticated', 'service_role') loop
        perform admit(other);
    end loop;
end
$$;
comment on function graph_memory.seal is
    'Says who may call the functions, and pins the search path of those that are parsed when they run; ends every migration. Not of
    the views with arguments: the planner would no longer put them into the queries that name them, which have theirs pinned.';

select seal();
