-- Reading checkpoints: one, a page of them, what channels are made of. And doing away with them: threads, runs, what is old.

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create type graph_memory.kept as (
    thread text, space text, id text, parent text, body text, held json, writes json
);
comment on type graph_memory.kept is 'A checkpoint: the values that it holds by channel, writes in any order.';

create function graph_memory.values_of(place bigint, named text, versions jsonb) returns json
language sql stable as $$
    select coalesce(json_object_agg(w.channel, encode(w.value, 'base64')) filter (where w.value is not null), '{}')
    from (
        select e.key as channel, (
            select v.value from channel_values as v
            where v.thread = place and v.space = named and v.channel = e.key and v.version = e.value
        ) as value
        from jsonb_each_text(versions) as e
    ) as w;
$$;

create function graph_memory.writes_of(place bigint, named text, checkpoint_id text) returns json
language sql stable as $$
    select coalesce(json_agg(encode(w.value, 'base64')), '[]')
    from channel_writes as w where w.thread = place and w.space = named and w.checkpoint = checkpoint_id;
$$;

create function graph_memory.latest(place bigint, named text) returns text
language sql stable as $$
    select id from checkpoints where thread = place and space = named order by id desc limit 1;
$$;

create function graph_memory.get_checkpoint(op jsonb) returns setof graph_memory.kept
language plpgsql stable as $$
declare
    place constant bigint := thread_of(op, op ->> 'thread');
    named constant text := op ->> 'space';
    wanted constant text := coalesce(op ->> 'id', latest(place, named));
begin
    return query
    select
        op ->> 'thread', c.space, c.id, c.parent, encode(c.body, 'base64'), values_of(place, named, c.versions),
        writes_of(place, named, c.id)
    from checkpoints as c where c.thread = place and c.space = named and c.id = wanted;
end
$$;
comment on function graph_memory.get_checkpoint is 'The checkpoint of an id, or the latest.';

create function graph_memory.list_checkpoints(op jsonb) returns json
language plpgsql stable as $$
declare
    page json;
begin
    execute
        'select coalesce(json_agg(row(
            c.name, c.space, c.id, c.parent, encode(c.body, ''base64''),
            graph_memory.values_of(c.thread, c.space, c.versions), graph_memory.writes_of(c.thread, c.space, c.id)
         )::graph_memory.kept order by c.id desc, c.name desc, c.space desc), ''[]'')
         from (
            select t.name, c.* from graph_memory.threads as t join graph_memory.checkpoints as c on c.thread = t.id
            where t.owner = $1 and (t.expires_at is null or t.expires_at > now())'
        || case when op ->> 'thread' is not null then ' and t.name = $2' else '' end
        || case when op ->> 'space' is not null then ' and c.space = $3' else '' end
        || case when op ->> 'id' is not null then ' and c.id = $4' else '' end
        || case when op ->> 'before' is not null then ' and c.id < $5' else '' end
        || case when op -> 'after' <> 'null' then ' and (c.id, t.name, c.space) < ($6[1], $6[2], $6[3])' else '' end
        || ' order by c.id desc, t.name desc, c.space desc limit $7
         ) as c'
    into page using
        thread_owner(op), op ->> 'thread', op ->> 'space', op ->> 'id', op ->> 'before',
        case when jsonb_typeof(op -> 'after') = 'array' then array(select jsonb_array_elements_text(op -> 'after')) end,
        (op ->> 'limit')::bigint;
    return page;
end
$$;
comment on function graph_memory.list_checkpoints is
    'A page of checkpoints, newest first; `after` is the id, thread and space of the last one of the page before.';

create function graph_memory.channel_history(op jsonb) returns json
language plpgsql stable as $$
declare
    place constant bigint := thread_of(op, op ->> 'thread');
    named constant text := op ->> 'space';
    wanted text[] := array(select jsonb_array_elements_text(op -> 'channels'));
    steps json[] := '{}';
    at record;
    held json;
begin
    select c.id, c.parent, c.versions into at from checkpoints as c
    where c.thread = place and c.space = named and c.id = coalesce(op ->> 'id', latest(place, named));
    while at.parent is not null and wanted <> '{}' loop
        select c.id, c.parent, c.versions into at from checkpoints as c
        where c.thread = place and c.space = named and c.id = at.parent;
        exit when at.id is null;
        held := values_of(place, named, (
            select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(at.versions) as e where e.key = any(wanted)
        ));
        steps := steps || json_build_object('writes', writes_of(place, named, at.id), 'held', held);
        wanted := array(select w.channel from unnest(wanted) as w (channel) where held -> w.channel is null);
    end loop;
    return array_to_json(steps);
end
$$;
comment on function graph_memory.channel_history is
    'What the ancestors'' tasks wrote, newest first, as far back as the values of some channels reach; and these values.';

create function graph_memory.delete_threads(op jsonb) returns void
language sql as $$
    delete from threads
    where owner = thread_owner(op) and name in (select jsonb_array_elements_text(op -> 'threads') collate "C");
$$;

create function graph_memory.drop_checkpoints(place bigint, spaces text[], ids text[]) returns void
language sql as $$
    delete from channel_writes as w using unnest(spaces, ids) as g (space, id)
    where w.thread = place and w.space = g.space and w.checkpoint = g.id;

    delete from checkpoints as c using unnest(spaces, ids) as g (space, id)
    where c.thread = place and c.space = g.space and c.id = g.id;

    update checkpoints as c set parent = null from unnest(spaces, ids) as g (space, id)
    where c.thread = place and c.space = g.space and c.parent = g.id;

    delete from channel_values as v
    where v.thread = place and (v.space, v.channel, v.version) not in (
        select c.space, e.key, e.value from checkpoints as c, jsonb_each_text(c.versions) as e where c.thread = place
    );

    delete from threads as t
    where t.id = place
        and not exists (select from checkpoints as c where c.thread = place)
        and not exists (select from channel_writes as w where w.thread = place);
$$;
comment on function graph_memory.drop_checkpoints is
    'Deletes checkpoints with what only they need. Those that stay name no parent that went.';

create function graph_memory.delete_runs(op jsonb) returns void
language plpgsql as $$
declare
    runs constant text[] := array(select jsonb_array_elements_text(op -> 'runs'));
    place bigint;
    spaces text[];
    ids text[];
begin
    for place in
        select t.id from threads as t
        where t.owner = thread_owner(op)
            and t.id in (select c.thread from checkpoints as c where c.run = any(runs))
        order by t.id for update
    loop
        select array_agg(c.space), array_agg(c.id) into spaces, ids
        from checkpoints as c where c.thread = place and c.run = any(runs);
        perform drop_checkpoints(place, spaces, ids);
    end loop;
end
$$;

create function graph_memory.prune_threads(op jsonb) returns void
language plpgsql as $$
declare
    place bigint;
    spaces text[];
    ids text[];
begin
    for place in
        select t.id from threads as t
        where t.owner = thread_owner(op) and t.name in (select jsonb_array_elements_text(op -> 'threads') collate "C")
        order by t.id for update
    loop
        with recursive needed as (
            select c.space, c.id, c.parent, lacking(place, c.space, c.versions, c.deltas) as channels
            from (
                select distinct on (space) * from checkpoints where thread = place order by space, id desc
            ) as c
            union all
            select c.space, c.id, c.parent, lacking(place, c.space, c.versions, n.channels)
            from needed as n
            join checkpoints as c on c.thread = place and c.space = n.space and c.id = n.parent
            where n.channels <> '{}'
        )
        select array_agg(c.space), array_agg(c.id) into spaces, ids
        from checkpoints as c
        where c.thread = place and (c.space, c.id) not in (select n.space, n.id from needed as n);
        perform drop_checkpoints(place, spaces, ids);
    end loop;
end
$$;
comment on function graph_memory.prune_threads is
    'Keeps the latest checkpoint of each space, and those of its ancestors that its delta channels are made of.';

create function graph_memory.lacking(place bigint, named text, versions jsonb, channels text[]) returns text[]
language sql stable as $$
    select array(
        select w.channel from unnest(channels) as w (channel)
        where not exists (
            select from channel_values as v
            where v.thread = place and v.space = named and v.channel = w.channel and v.version = versions ->> w.channel
        )
    );
$$;
comment on function graph_memory.lacking is 'Those channels that have no value of their own at a checkpoint.';

create function graph_memory.copy_thread(op jsonb) returns void
language plpgsql as $$
declare
    source constant bigint := thread_of(op, op ->> 'source');
    made bigint;
begin
    if source is null or op ->> 'source' = op ->> 'thread' then
        return;
    end if;
    perform from threads where id = source for share;
    delete from threads where owner = thread_owner(op) and name = op ->> 'thread';
    made := enter_thread(op);
    insert into checkpoints (thread, space, id, parent, run, versions, deltas, body)
    select made, space, id, parent, run, versions, deltas, body from checkpoints where thread = source;
    insert into channel_values (thread, space, channel, version, value)
    select made, space, channel, version, value from channel_values where thread = source;
    insert into channel_writes (thread, space, checkpoint, task, at, value)
    select made, space, checkpoint, task, at, value from channel_writes where thread = source;
end
$$;
comment on function graph_memory.copy_thread is 'Makes one thread what another is. A source that is not there changes nothing.';

select seal();

notify pgrst, 'reload schema';
