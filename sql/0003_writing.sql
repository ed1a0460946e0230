-- Writing: items and their index rows, a whole batch at a time.
--
-- Whoever writes into a namespace locks its row first, in the order of the paths: writers of one namespace take turns, and no two
-- of them wait for each other. A write is
--
--   {"path", "key", "value": JSON text or null to delete, "doc", "ttl": seconds, "digest", "length",
--    "words": {term: count}, "digests": [of the texts], "vectors": {digest: "[…]"}}

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create type graph_memory.change as (
    space bigint,
    key text,
    id bigint,
    alike boolean,
    value text,
    doc jsonb,
    ttl interval,
    digest text,
    length double precision,
    words jsonb,
    digests text[],
    vectors jsonb
);
comment on type graph_memory.change is
    'A write with the item that it meets: its id, if there is one, and whether that is indexed alike.';

create function graph_memory.lock(writes jsonb) returns void
language sql as $$
    insert into namespaces (path)
    select distinct w.path collate "C" from jsonb_to_recordset(writes) as w (path text) order by 1
    on conflict (path) do update set path = excluded.path;
$$;
comment on function graph_memory.lock is 'Makes the namespaces of some writes, where they are missing, and locks them all.';

create function graph_memory.changes(writes jsonb) returns graph_memory.change[]
language sql stable as $$
    select coalesce(array_agg(row(
        n.id, w.key, i.id, coalesce(i.digest = w.digest, false), w.value, coalesce(w.doc, w.value::jsonb),
        make_interval(secs => w.ttl), w.digest, w.length, w.words, w.digests, w.vectors
    )::change), '{}')
    from jsonb_to_recordset(writes) as w (
        path text, key text, value text, doc jsonb, ttl double precision, digest text, length double precision,
        words jsonb, digests text[], vectors jsonb
    )
    join namespaces as n on n.path = w.path
    left join lateral (select * from items as i where i.space = n.id and i.key = w.key offset 0) as i on true;
$$;

create function graph_memory.unindex(ids bigint[]) returns void
language sql as $$
    delete from postings as p using items as i, unnest(i.terms) as t (term)
    where i.id = any(ids) and p.space = i.space and p.term = t.term and p.item = i.id;

    update namespaces as n set documents = n.documents - gone.documents, length = n.length - gone.length
    from (
        select space, count(*) as documents, sum(length) as length
        from items where id = any(ids) and digest <> '' group by space
    ) as gone
    where n.id = gone.space;
$$;
comment on function graph_memory.unindex is 'Takes items out of the index of words and out of the counters, before they change or go.';

create function graph_memory.remove(ids bigint[]) returns void
language sql as $$
    select unindex(ids);
    delete from vectors where item = any(ids);
    delete from items where id = any(ids);
$$;

create function graph_memory.expired(spaces bigint[], moment timestamptz, most integer) returns bigint[]
language sql stable as $$
    select coalesce(array_agg(e.id), '{}')
    from (select id from items where space = any(spaces) and expires_at <= moment limit most) as e;
$$;

create function graph_memory.check_dimensions(changes graph_memory.change[], spaces bigint[]) returns void
language plpgsql stable as $$
declare
    there integer;
    given integer;
begin
    if dimension() is not null then
        return; -- the column takes no other
    end if;
    there := (select vector_dims(embedding) from vectors where space = any(spaces) limit 1);
    given := (
        select vector_dims(v.text::vector) from unnest(changes) as c, jsonb_each_text(c.vectors) as v (digest, text)
        where vector_dims(v.text::vector) <> there limit 1
    );
    if given is not null then
        raise exception 'expected % dimensions, not %', there, given using errcode = 'data_exception';
    end if;
end
$$;

create function graph_memory.place(changes graph_memory.change[], moment timestamptz) returns graph_memory.change[]
language plpgsql as $$
declare
    placed change[];
begin
    with written as (
        insert into items (space, key, value, doc, created_at, updated_at, expires_at, ttl, digest, length, terms)
        select
            c.space, c.key, c.value, c.doc, moment, moment, moment + c.ttl, c.ttl, c.digest, c.length,
            array(select jsonb_object_keys(c.words))
        from unnest(changes) as c
        where c.value is not null
        on conflict (space, key) do update set
            value = excluded.value,
            doc = excluded.doc,
            created_at = case when items.expires_at <= moment then moment else items.created_at end,
            updated_at = moment,
            expires_at = excluded.expires_at,
            ttl = excluded.ttl,
            digest = excluded.digest,
            length = excluded.length,
            terms = excluded.terms
        returning items.id, items.space, items.key
    )
    select array_agg(row(
        w.space, w.key, w.id, c.alike, null, null, null, c.digest, c.length, c.words, c.digests, c.vectors
    )::change) into placed
    from written as w join unnest(changes) as c on c.space = w.space and c.key = w.key collate "C";
    return placed;
end
$$;
comment on function graph_memory.place is 'Puts the items themselves; their ids, with what is to be indexed of them.';

create function graph_memory.index(placed graph_memory.change[]) returns void
language plpgsql as $$
begin
    insert into postings (space, term, item, count, length)
    select p.space, w.term, p.id, w.count::real, p.length
    from unnest(placed) as p, jsonb_each_text(p.words) as w (term, count)
    where not p.alike;

    delete from vectors as v using unnest(placed) as p
    where v.item = p.id and v.digest <> all (p.digests);

    insert into vectors (item, digest, space, graphed, embedding)
    select p.id, v.digest, p.space, n.documents >= 4000, v.embedding::vector
    from unnest(placed) as p
    join namespaces as n on n.id = p.space, jsonb_each_text(p.vectors) as v (digest, embedding)
    on conflict do nothing;

    update namespaces as n set documents = n.documents + new.documents, length = n.length + new.length
    from (
        select p.space, count(*) as documents, sum(p.length) as length
        from unnest(placed) as p where not p.alike and p.digest <> '' group by p.space
    ) as new
    where n.id = new.space;
end
$$;

create function graph_memory.due_for_measuring(spaces bigint[]) returns setof bigint
language sql stable as $$
    select id from namespaces
    where id = any(spaces) and documents > 2 and documents not between spread_documents * 0.8 and spread_documents * 1.25;
$$;

create function graph_memory.measure_spread(spaces bigint[]) returns void
language sql as $$
    with sample as (
        select d.id as space, v.embedding, row_number() over (partition by d.id order by v.item, v.digest) - 1 as at,
            count(*) over (partition by d.id) as total
        from due_for_measuring(spaces) as d (id) cross join lateral (
            select item, digest, embedding from vectors where space = d.id order by item desc limit 512
        ) as v
    ),
    spread as (
        select a.space, avg(c.cosine) as mean, stddev_pop(c.cosine) as deviation
        from sample as a
        join sample as b on b.space = a.space and b.at = (a.at * 7919 + a.total / 2) % a.total,
            lateral (select -(a.embedding <#> b.embedding) as cosine) as c
        where c.cosine < 0.999
        group by a.space
    )
    update namespaces as n set
        spread_mean = s.mean,
        spread_deviation = coalesce(nullif(s.deviation, 0), 1),
        spread_documents = n.documents
    from spread as s
    where n.id = s.space;
$$;
comment on function graph_memory.measure_spread is
    'Measures anew how close two random items of a namespace are, once it has grown or shrunk by a quarter.';

create function graph_memory.write(writes jsonb, moment timestamptz) returns void
language plpgsql as $$
declare
    todo change[] := changes(writes);
    spaces bigint[] := array(select distinct c.space from unnest(todo) as c);
    changed bigint[];
    gone bigint[];
begin
    perform check_dimensions(todo, spaces);
    changed := array(select c.id from unnest(todo) as c where c.id is not null and c.value is not null and not c.alike);
    gone := array(select c.id from unnest(todo) as c where c.id is not null and c.value is null);
    if changed <> '{}' then
        perform unindex(changed);
    end if;
    if gone <> '{}' then
        perform remove(gone);
    end if;
    perform index(place(todo, moment));
    gone := expired(spaces, moment, 200);
    if gone <> '{}' then
        perform remove(gone);
    end if;
    if exists (select from due_for_measuring(spaces)) then
        perform measure_spread(spaces);
    end if;
    delete from namespaces as n where n.id = any(spaces) and not exists (select from items as i where i.space = n.id);
end
$$;

create function graph_memory.swap(swaps jsonb, moment timestamptz) returns setof integer
language sql as $$
    update items as i set value = s.value, doc = coalesce(s.doc, s.value::jsonb)
    from jsonb_to_recordset(swaps) as s (at integer, path text, key text, seen text, value text, doc jsonb)
    join namespaces as n on n.path = s.path
    where i.space = n.id and i.key = s.key and i.value in (s.seen, s.value) and (i.expires_at is null or i.expires_at > moment)
    returning s.at;
$$;
comment on function graph_memory.swap is
    'Puts values in the place of those that were seen, and leaves the index, the times and the end of an item; which were swapped.';

create function graph_memory.put_if_absent(writes jsonb) returns boolean
language plpgsql as $$
declare
    moment timestamptz;
begin
    perform lock(writes);
    moment := clock_timestamp();
    if exists (
        select from unnest(changes(writes)) as c join items as i on i.id = c.id
        where i.expires_at is null or i.expires_at > moment
    ) then
        return false;
    end if;
    perform write(writes, moment);
    return true;
end
$$;
comment on function graph_memory.put_if_absent is 'Carries out one write unless a living item is there; whether it did.';

create function graph_memory.sweep(most integer) returns integer
language plpgsql as $$
declare
    moment timestamptz := clock_timestamp();
    spaces bigint[];
    ids bigint[];
begin
    spaces := array(
        select n.id from namespaces as n
        where exists (select from items as i where i.space = n.id and i.expires_at <= moment)
        order by n.path limit 100 for update
    );
    ids := expired(spaces, moment, most);
    perform remove(ids);
    delete from namespaces as n where n.id = any(spaces) and not exists (select from items as i where i.space = n.id);
    return cardinality(ids);
end
$$;
comment on function graph_memory.sweep is 'Deletes up to `most` expired items; how many there were.';

create function graph_memory.missing(writes jsonb) returns setof text
language sql stable as $$
    select distinct d.digest
    from jsonb_to_recordset(writes) as w (path text, key text, digests text[])
    left join namespaces as n on n.path = w.path
    left join lateral (select * from items as i where i.space = n.id and i.key = w.key offset 0) as i on true,
        unnest(w.digests) as d (digest)
    where (select true from vectors as v where v.item = i.id and v.digest = d.digest limit 1) is null;
$$;
comment on function graph_memory.missing is
    'Digests of the texts of some writes that are still to be embedded. A subquery looks each up: a join would read all vectors.';

create function graph_memory.plan_by_index(variadic functions name[]) returns void
language plpgsql as $$
declare
    function name;
    setting text;
begin
    foreach function in array functions loop
        foreach setting in array array[
            'enable_hashjoin = off', 'enable_mergejoin = off', 'enable_seqscan = off', 'enable_bitmapscan = off',
            'enable_material = off', 'jit = off',
            'plan_cache_mode = force_generic_plan'
        ] loop
            execute format('alter function graph_memory.%I set %s', function, setting);
        end loop;
    end loop;
end
$$;
comment on function graph_memory.plan_by_index is
    'Has functions find by index what they are asked for, with plans that are made once for a connection. Left to itself the planner
    takes a batch for a thousand rows, reads whole tables to join them and plans each call anew, which takes longer than the call.
    That the tables may have been empty when it planned is why rows are looked up in subqueries with "offset 0".';

select plan_by_index('changes', 'unindex', 'remove', 'index', 'swap', 'missing');
