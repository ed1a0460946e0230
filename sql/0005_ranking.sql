-- Ranked search: candidates from both indexes of the searched namespaces, fused as graph_memory/context/fusion.py does it.
--
-- Word statistics come from the searched namespaces alone: another tenant's texts neither change a ranking nor show through it. Up
-- to 4,000 vectors of a namespace are compared one by one, which is exact; of those beyond, the HNSW index gives the nearest.

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create type graph_memory.matches as (items bigint[], scores double precision[], frequencies jsonb);
comment on type graph_memory.matches is
    'The items that hold words of a query, once for each such word, what the word is worth there, and how many texts of their own hold
    each word.';

create type graph_memory.near as (items bigint[], cosines double precision[]);

create function graph_memory.matches(spaces bigint[], terms jsonb, documents bigint, average double precision)
returns graph_memory.matches
language plpgsql stable as $$
declare
    found matches;
begin
    with known as materialized (
        select t.term, p.*, ln(1 + (documents - p.texts + 0.5::double precision) / (p.texts + 0.5)) as rarity
        from jsonb_array_elements_text(terms) as t (term)
        cross join lateral (
            select
                count(*) as texts, count(*) filter (where p.count >= 1) as own, array_agg(p.item) as items,
                array_agg(p.count * 2.2 / (p.count + 1.2 * (0.25 + 0.75 * p.length / average))) as saturations
            from postings as p where p.space = any(spaces) and p.term = t.term
        ) as p
    )
    select array_agg(p.item), array_agg(k.rarity * p.saturation), coalesce((select jsonb_object_agg(term, own) from known), '{}')
    into found
    from known as k cross join lateral unnest(k.items, k.saturations) as p (item, saturation);
    return found;
end
$$;
comment on function graph_memory.matches is
    'BM25, word by word: how rare a word is, is known when its postings have been read, which happens once.';

create function graph_memory.position_in_range(
    cosine double precision, lowest double precision, highest double precision
) returns double precision
language sql immutable parallel safe
return case
    when highest - lowest < 1e-6 then least(1, greatest(0, cosine))
    else (cosine - lowest) / (highest - lowest)
end;

create function graph_memory.near(spaces bigint[], words graph_memory.matches, query vector, most integer) returns graph_memory.near
language plpgsql as $$
declare
    found near;
begin
    perform set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', least(1000, most)::text, true);
    execute format(
        'select array_agg(n.item), array_agg(n.cosine) from (
            select item, -(embedding <#> $2) as cosine from graph_memory.vectors
            where space = any($1) and graphed order by %s limit $3
        ) as n',
        case
            when vector_dims(query) <= 2000 then 'embedding <#> $2'
            else format('embedding::halfvec(%1$s) <#> $2::halfvec(%1$s)', vector_dims(query))
        end
    ) into found using spaces, query, most;
    if cardinality(found.items) = most then
        return (
            select row(found.items || array_agg(v.item), found.cosines || array_agg(-(v.embedding <#> query)))::near
            from (
                select p.item from unnest(words.items, words.scores) as p (item, score)
                group by p.item order by sum(p.score) desc limit most
            ) as w
            cross join lateral (select * from vectors as v where v.item = w.item and v.graphed offset 0) as v
        );
    end if;
    return (
        select row(array_agg(v.item), array_agg(-(v.embedding <#> query)))::near
        from vectors as v where v.space = any(spaces) and v.graphed
    );
end
$$;
comment on function graph_memory.near is
    'Of the items in the HNSW index the `most` nearest, and the cosines of as many that the words bring. All of them where the index
    gives up before it has found so many, or when `most` is null.';

create function graph_memory.ranked(
    spaces bigint[], words graph_memory.matches, query vector, near graph_memory.near,
    words_weight double precision, meaning_weight double precision
)
returns table (
    item bigint, relevance double precision, words_raw double precision, best double precision,
    meaning_raw double precision, lowest double precision, highest double precision
)
language sql stable as $$
    with signal as (
        select v.item, null::double precision as words, -(v.embedding <#> query) as meaning
        from vectors as v where v.space = any(spaces) and not v.graphed and query is not null
        union all
        select n.item, null, n.cosine from unnest((near).items, (near).cosines) as n (item, cosine)
        union all
        select w.item, w.score, null from unnest((words).items, (words).scores) as w (item, score)
    ),
    candidate as (
        select s.item, coalesce(sum(s.words), 0) as words, max(s.meaning) as meaning from signal as s group by s.item
    ),
    bounded as (
        select
            c.item, c.words, nullif(max(c.words) over all_of_them, 0) as best,
            c.meaning, min(c.meaning) over all_of_them as lowest, max(c.meaning) over all_of_them as highest
        from candidate as c window all_of_them as ()
    )
    select
        b.item,
        round(1e6 * coalesce(least(1, greatest(0, (
            words_weight * coalesce(b.words / b.best, 0)
            + meaning_weight * coalesce(position_in_range(b.meaning, b.lowest, b.highest), 0)
        ) / nullif(
            case when b.best is null then 0 else words_weight end + case when b.lowest is null then 0 else meaning_weight end, 0
        ))), 0)) / 1e6 as relevance,
        b.words, b.best, b.meaning, b.lowest, b.highest
    from bounded as b
    order by relevance desc;
$$;
comment on function graph_memory.ranked is
    'Candidates, best first, with their signals: BM25, 0 where no word matches, and cosine, null where there is no vector; and what
    they are scaled by.';

create function graph_memory.found(
    at integer, spaces bigint[], words graph_memory.matches, query vector, near graph_memory.near,
    words_weight double precision, meaning_weight double precision, moment timestamptz
)
returns table (id bigint, ttl interval, answer graph_memory.answer, doc jsonb)
language sql stable as $$
    select
        i.id, i.ttl,
        row(
            at, n.path, i.key, i.value, microseconds(i.created_at), microseconds(i.updated_at),
            r.relevance, coalesce(r.words_raw / r.best, 0), r.words_raw,
            position_in_range(r.meaning_raw, r.lowest, r.highest), r.meaning_raw, null
        )::answer,
        i.doc
    from ranked(spaces, words, query, near, words_weight, meaning_weight) as r
    cross join lateral (select * from items as i where i.id = r.item offset 0) as i
    cross join lateral (select * from namespaces as n where n.id = i.space offset 0) as n
    where i.expires_at is null or i.expires_at > moment
    order by r.relevance desc, i.updated_at desc, i.key, i.id;
$$;
comment on function graph_memory.found is
    'The items of the candidates, best first. They come in the order of `ranked`, so no more of them are read than are asked for.';

create function graph_memory.search(op jsonb, moment timestamptz) returns setof graph_memory.answer
language plpgsql as $$
declare
    place constant integer := (op ->> 'at')::integer;
    wanted constant bigint := (op ->> 'limit')::bigint;
    skipped constant bigint := (op ->> 'offset')::bigint;
    refresh constant boolean := (op ->> 'refresh')::boolean;
    query constant vector := (op ->> 'vector')::vector;
    words_weight constant double precision := (op ->> 'words_weight')::double precision;
    meaning_weight constant double precision := (op ->> 'meaning_weight')::double precision;
    spaces bigint[];
    most integer := least(1000, greatest(100, wanted + skipped));
    documents bigint;
    average double precision;
    spread jsonb;
    has_graph boolean;
    words matches;
    near near;
    hits hits;
begin
    select
        coalesce(array_agg(n.id), '{}'), coalesce(sum(n.documents), 0), greatest(sum(n.length) / greatest(sum(n.documents), 1), 1e-9),
        (
            array_agg(jsonb_build_array(n.spread_mean, n.spread_deviation) order by n.documents desc)
            filter (where n.spread_mean is not null)
        )[1],
        coalesce(bool_or(query is not null and exists (select from vectors as v where v.space = n.id and v.graphed)), false)
    into spaces, documents, average, spread, has_graph
    from namespaces as n where n.path >= (op ->> 'low') and (op ->> 'high' is null or n.path < op ->> 'high');
    words := matches(spaces, op -> 'terms', documents, average);
    loop
        if has_graph then
            near := near(spaces, words, query, most);
        end if;
        if op -> 'filter' = '{}' then
            select array_agg(h.answer), array_agg(h.id) filter (where refresh and h.ttl is not null) into hits
            from (
                select * from found(place, spaces, words, query, near, words_weight, meaning_weight, moment)
                limit wanted offset skipped
            ) as h;
        else
            execute format(
                'select array_agg(h.answer), array_agg(h.id) filter (where $1 and h.ttl is not null)
                from (
                    select * from graph_memory.found($2, $3, $4, $5, $6, $7, $8, $9) as f where %s limit $10 offset $11
                ) as h',
                condition('f.doc', op -> 'filter')
            ) into hits using refresh, place, spaces, words, query, near, words_weight, meaning_weight, moment, wanted, skipped;
        end if;
        exit when cardinality(hits.answers) = wanted or not has_graph or most is null;
        most := null;
    end loop;
    return query select * from unnest(hits.answers);
    return next row(
        place, null, null, null, null, null, null, null, null, null, null,
        jsonb_build_object('documents', documents, 'frequencies', words.frequencies, 'spread', spread)
    )::answer;
    perform touch(hits.read, moment);
end
$$;
comment on function graph_memory.search is
    'The best hits and then the statistics. Where a filter or the limit asks for more of a large namespace than the nearest hold, all
    of it is compared.';

select plan_by_index('near', 'search');
