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
    'One item, namespace (path alone) or statistics of a ranked search (statistics alone). Times in microseconds since 1970.';

create function graph_memory.microseconds(moment timestamptz) returns bigint
language sql immutable strict parallel safe
return (extract(epoch from moment) * 1000000)::bigint;

create function graph_memory.touch(ids bigint[], moment timestamptz) returns void
language sql as $$
    update items set expires_at = moment + ttl where id = any(ids) and ttl is not null and expires_at > moment;
$$;
comment on function graph_memory.touch is 'Starts the time to live of items anew, because they were read.';

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
    hit record;
    read bigint[] := '{}';
begin
    for hit in
        select g.at, g.path, i, g.refresh
        from jsonb_to_recordset(ops) as g (at integer, path text, key text, refresh boolean)
        join namespaces as n on n.path = g.path
        join items as i on i.space = n.id and i.key = g.key
        where i.expires_at is null or i.expires_at > moment
    loop
        return next row(
            hit.at, hit.path, (hit.i).key, (hit.i).value, microseconds((hit.i).created_at),
            microseconds((hit.i).updated_at), null, null, null, null, null, null
        )::answer;
        if hit.refresh and (hit.i).ttl is not null then
            read := read || (hit.i).id;
        end if;
    end loop;
    if read <> '{}' then
        perform touch(read, moment);
    end if;
end
$$;

create function graph_memory.newest(op jsonb, moment timestamptz) returns setof graph_memory.answer
language plpgsql as $$
declare
    hit record;
    read bigint[] := '{}';
begin
    for hit in execute format(
        'select n.path, i from graph_memory.items as i join graph_memory.namespaces as n on n.id = i.space
         where i.space = any($1) and (i.expires_at is null or i.expires_at > $2) and %s
         order by i.updated_at desc, i.key, i.id limit $3 offset $4',
        condition('i.doc', coalesce(op -> 'filter', '{}'))
    ) using spaces_under(op), moment, (op ->> 'limit')::bigint, (op ->> 'offset')::bigint
    loop
        return next row(
            (op ->> 'at')::integer, hit.path, (hit.i).key, (hit.i).value, microseconds((hit.i).created_at),
            microseconds((hit.i).updated_at), null, null, null, null, null, null
        )::answer;
        if (op ->> 'refresh')::boolean and (hit.i).ttl is not null then
            read := read || (hit.i).id;
        end if;
    end loop;
    if read <> '{}' then
        perform touch(read, moment);
    end if;
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

-- As in 0003: what is asked for is found by index.
alter function graph_memory.get set enable_hashjoin = off;
alter function graph_memory.get set enable_mergejoin = off;
alter function graph_memory.get set enable_seqscan = off;
