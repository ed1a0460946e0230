-- Reading: by key, newest first, ranked by words and by meaning, and the list of namespaces.
--
-- Every function answers one kind of operation, `op`, with rows that say at which place of the batch they stand. Expired items are
-- never seen.

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create type graph_memory.answer as (
    at integer,
    path text,
    key text,
    value text,
    created_at bigint,
    updated_at bigint,
    score double precision,
    words double precision,
    words_raw double precision,
    meaning double precision,
    meaning_raw double precision,
    statistics jsonb
);
comment on type graph_memory.answer is
    'One item, namespace (path alone) or statistics of a ranked search (statistics alone). Times in microseconds since 1970. The '
    'score of an item that was got by its key is its time to live in seconds, null for one that is kept.';

create function graph_memory.microseconds(moment timestamptz) returns bigint
language sql immutable strict parallel safe
return (extract(epoch from moment) * 1000000)::bigint;

create type graph_memory.hits as (answers graph_memory.answer[], read bigint[]);
comment on type graph_memory.hits is 'Answers, and the items whose time to live starts anew because they were read.';

create function graph_memory.touch(ids bigint[], moment timestamptz) returns void
language plpgsql as $$
begin
    if cardinality(ids) > 0 then
        update items set expires_at = moment + ttl where id = any(ids) and ttl is not null and expires_at > moment;
    end if;
end
$$;
comment on function graph_memory.touch is 'Starts the time to live of items anew. Writes nothing where there are none.';

create function graph_memory.spaces_under(op jsonb) returns bigint[]
language sql stable as $$
    select coalesce(array_agg(id), '{}') from namespaces
    where path >= (op ->> 'low') collate "C" and (op ->> 'high' is null or path < (op ->> 'high') collate "C");
$$;

create function graph_memory.lookup(source text, key text) returns text
language sql immutable strict as $$
    select case
        when strpos(key, '.') = 0 then format('(%s -> %L)', source, key)
        else format(
            '(case when %1$s ? %2$L then %1$s -> %2$L else %1$s%3$s end)', source, key,
            (select string_agg(format(' -> %L', label), '' order by at)
             from unnest(string_to_array(key, '.')) with ordinality as l (label, at))
        )
    end;
$$;

create function graph_memory.comparison(source text, operator text, operand jsonb) returns text
language plpgsql immutable as $$
declare
    symbol text := case operator when '$gt' then '>' when '$gte' then '>=' when '$lt' then '<' when '$lte' then '<=' end;
begin
    if operator = '$eq' then
        return format('coalesce(%s, ''null'') = %L::jsonb', source, operand);
    elsif operator = '$ne' then
        return format('coalesce(%s, ''null'') <> %L::jsonb', source, operand);
    elsif symbol is null then
        raise exception 'unknown filter operator' using errcode = 'invalid_parameter_value';
    elsif jsonb_typeof(operand) = 'number' then
        return format('(jsonb_typeof(%1$s) = ''number'' and %1$s %2$s %3$L::jsonb)', source, symbol, operand);
    elsif jsonb_typeof(operand) = 'string' then
        return format(
            '(jsonb_typeof(%1$s) = ''string'' and (%1$s #>> ''{}'') collate "C" %2$s %3$L)', source, symbol, operand #>> '{}'
        );
    end if;
    return 'false';
end
$$;

create function graph_memory.condition(source text, filter jsonb) returns text
language plpgsql immutable as $$
declare
    parts text[] := '{true}';
    name text;
    wanted jsonb;
    inner_source text;
begin
    for name, wanted in select * from jsonb_each(filter) loop
        inner_source := lookup(source, name);
        if jsonb_typeof(wanted) <> 'object' then
            parts := parts || comparison(inner_source, '$eq', wanted);
        elsif exists (select from jsonb_object_keys(wanted) as k where starts_with(k, '$')) then
            parts := parts || array(select comparison(inner_source, c.key, c.value) from jsonb_each(wanted) as c);
        else
            parts := parts || format('jsonb_typeof(%s) = ''object''', inner_source) || condition(inner_source, wanted);
        end if;
    end loop;
    return '(' || array_to_string(parts, ' and ') || ')';
end
$$;
comment on function graph_memory.condition is
    'A filter as SQL over an item''s `doc`; it means what `matches` in graph_memory/stores/_filters.py says.';

create function graph_memory.get(ops jsonb, moment timestamptz) returns setof graph_memory.answer
language plpgsql as $$
declare
    hits hits;
begin
    select
        array_agg(row(
            g.at, g.path, i.key, i.value, microseconds(i.created_at), microseconds(i.updated_at),
            extract(epoch from i.ttl)::double precision, null, null, null, null, null
        )::answer),
        array_agg(i.id) filter (where g.refresh and i.ttl is not null)
    into hits
    from jsonb_to_recordset(ops) as g (at integer, path text, key text, refresh boolean)
    join namespaces as n on n.path = g.path
    cross join lateral (select * from items as i where i.space = n.id and i.key = g.key offset 0) as i
    where i.expires_at is null or i.expires_at > moment;
    return query select * from unnest(hits.answers);
    perform touch(hits.read, moment);
end
$$;

create function graph_memory.listed(at integer, spaces bigint[], moment timestamptz)
returns table (id bigint, ttl interval, answer graph_memory.answer, doc jsonb)
language sql stable as $$
    select
        i.id, i.ttl,
        row(
            at, n.path, i.key, i.value, microseconds(i.created_at), microseconds(i.updated_at),
            null, null, null, null, null, null
        )::answer,
        i.doc
    from items as i join namespaces as n on n.id = i.space
    where i.space = any(spaces) and (i.expires_at is null or i.expires_at > moment)
    order by i.updated_at desc, i.key, i.id;
$$;
comment on function graph_memory.listed is 'Items, newest first. Like `ranked` it is a view with arguments: the planner puts it into the query that names it.';

create function graph_memory.newest(op jsonb, moment timestamptz) returns setof graph_memory.answer
language plpgsql as $$
declare
    place constant integer := (op ->> 'at')::integer;
    most constant bigint := (op ->> 'limit')::bigint;
    skipped constant bigint := (op ->> 'offset')::bigint;
    refresh constant boolean := (op ->> 'refresh')::boolean;
    spaces constant bigint[] := spaces_under(op);
    hits hits;
begin
    if op -> 'filter' = '{}' then
        select array_agg(h.answer), array_agg(h.id) filter (where refresh and h.ttl is not null) into hits
        from (select * from listed(place, spaces, moment) limit most offset skipped) as h;
    else
        execute format(
            'select array_agg(h.answer), array_agg(h.id) filter (where $1 and h.ttl is not null)
            from (select * from graph_memory.listed($2, $3, $4) as l where %s limit $5 offset $6) as h',
            condition('l.doc', op -> 'filter')
        ) into hits using refresh, place, spaces, moment, most, skipped;
    end if;
    return query select * from unnest(hits.answers);
    perform touch(hits.read, moment);
end
$$;

create function graph_memory.list(op jsonb, moment timestamptz) returns setof graph_memory.answer
language sql stable as $$
    select
        (op ->> 'at')::integer, cut.path, null, null, null::bigint, null::bigint, null::double precision,
        null::double precision, null::double precision, null::double precision, null::double precision, null::jsonb
    from (
        select distinct coalesce(substring(n.path from op ->> 'depth'), n.path) collate "C" as path
        from namespaces as n
        where n.id = any(spaces_under(op))
            and not exists (select from jsonb_array_elements_text(op -> 'patterns') as p (pattern) where n.path !~ p.pattern)
            and exists (select from items as i where i.space = n.id and (i.expires_at is null or i.expires_at > moment))
        order by 1
        limit (op ->> 'limit')::bigint offset (op ->> 'offset')::bigint
    ) as cut;
$$;

select plan_by_index('get', 'newest');
