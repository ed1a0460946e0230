-- Ranked search: candidates from both indexes of the searched namespaces, fused as graph_memory/context/fusion.py does it.
--
-- Word statistics come from the searched namespaces alone: another tenant's texts neither change a ranking nor show through it. Up
-- to 4,000 vectors of a namespace are compared one by one, which is exact; of those beyond, the HNSW index gives the nearest.

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create type graph_memory.candidate as (item bigint, words double precision, meaning double precision);

create type graph_memory.ranking as (
    items bigint[],
    relevance double precision[],
    words double precision[],
    meaning double precision[],
    best double precision,
    lowest double precision,
    highest double precision
);
comment on type graph_memory.ranking is
    'Candidates, best first, with their raw signals: BM25, 0 where no word matches, and cosine, null where there is no vector.';

create function graph_memory.by_words(
    spaces bigint[], terms text[], documents bigint, average double precision,
    out items bigint[], out scores double precision[], out frequencies jsonb
)
language sql stable as $$
    with posting as materialized (
        select p.item, p.term, p.count, p.length from postings as p where p.space = any(spaces) and p.term = any(terms)
    ),
    frequency as (
        select term, count(*) as texts, count(*) filter (where count >= 1) as own from posting group by term
    ),
    score as (
        select p.item, sum(
            ln(1 + (documents - f.texts + 0.5::double precision) / (f.texts + 0.5))
            * p.count * 2.2 / (p.count + 1.2 * (0.25 + 0.75 * p.length / greatest(average, 1e-9)))
        ) as bm25
        from posting as p join frequency as f using (term)
        group by p.item
    )
    select
        (select array_agg(s.item order by s.item) from score as s),
        (select array_agg(s.bm25 order by s.item) from score as s),
        (select jsonb_object_agg(f.term, f.own) from frequency as f);
$$;

create function graph_memory.nearest(spaces bigint[], query vector, most integer, out items bigint[], out cosines double precision[])
language plpgsql as $$
begin
    if exists (select from namespaces where id = any(spaces) and documents > 4000) then
        perform set_config('hnsw.iterative_scan', 'strict_order', true);
        perform set_config('hnsw.ef_search', least(1000, greatest(100, most))::text, true);
        execute format(
            'select array_agg(item), array_agg(cosine) from (
                select item, -(embedding <#> $2) as cosine from graph_memory.vectors
                where graphed and space = any($1) order by %s limit $3
            ) as near',
            case
                when vector_dims(query) <= 2000 then 'embedding <#> $2'
                else format('embedding::halfvec(%1$s) <#> $2::halfvec(%1$s)', vector_dims(query))
            end
        ) into items, cosines using spaces, query, most;
    end if;
    select items || array_agg(v.item), cosines || array_agg(-(v.embedding <#> query)) into items, cosines
    from vectors as v where v.space = any(spaces) and not v.graphed;
end
$$;
comment on function graph_memory.nearest is
    'Items with a vector and its cosine: all that are compared one by one, and the `most` nearest of the others.';

create function graph_memory.candidates(spaces bigint[], items bigint[], scores double precision[], query vector, most integer)
returns setof graph_memory.candidate
language plpgsql as $$
declare
    near record;
    beyond bigint[];
begin
    if query is null then
        return query select w.item, w.score, null::double precision from unnest(items, scores) as w (item, score);
        return;
    end if;
    near := nearest(spaces, query, most);
    if exists (select from namespaces where id = any(spaces) and documents > 4000) then
        beyond := array(select w.item from unnest(items) as w (item) except select n.item from unnest(near.items) as n (item));
    end if;
    return query
    select coalesce(m.item, w.item), coalesce(w.score, 0), m.cosine
    from (
        select c.item, max(c.cosine) as cosine
        from (
            select n.item, n.cosine from unnest(near.items, near.cosines) as n (item, cosine)
            union all
            select v.item, -(v.embedding <#> query) from vectors as v where v.item = any(beyond) and v.graphed
        ) as c
        group by c.item
    ) as m
    full join unnest(items, scores) as w (item, score) on w.item = m.item;
end
$$;

create function graph_memory.position_in_range(
    cosine double precision, lowest double precision, highest double precision
) returns double precision
language sql immutable parallel safe
return case
    when highest - lowest < 1e-6 then least(1, greatest(0, cosine))
    else (cosine - lowest) / (highest - lowest)
end;

create function graph_memory.fuse(
    spaces bigint[], items bigint[], scores double precision[], query vector, most integer,
    words_weight double precision, meaning_weight double precision
)
returns graph_memory.ranking
language sql as $$
    with candidate as materialized (select * from candidates(spaces, items, scores, query, most)),
    bounds as (
        select
            max(words) as best, min(meaning) as lowest, max(meaning) as highest,
            case when max(words) > 0 then words_weight else 0 end as words_share,
            case when count(meaning) > 0 then meaning_weight else 0 end as meaning_share
        from candidate
    ),
    ranked as (
        select
            c.*, b.best, b.lowest, b.highest,
            round(1e6 * case
                when words_share + meaning_share = 0 then 0
                else least(1, greatest(0, (
                    words_share * coalesce(c.words / nullif(b.best, 0), 0)
                    + meaning_share * coalesce(position_in_range(c.meaning, b.lowest, b.highest), 0)
                ) / (words_share + meaning_share)))
            end) / 1e6 as relevance
        from candidate as c, bounds as b
        order by relevance desc
    )
    select row(
        array_agg(item), array_agg(relevance), array_agg(words), array_agg(meaning), max(best), max(lowest), max(highest)
    )::ranking
    from ranked;
$$;

create function graph_memory.spread(spaces bigint[]) returns jsonb
language sql stable as $$
    select jsonb_build_array(spread_mean, spread_deviation) from namespaces
    where id = any(spaces) and spread_mean is not null
    order by documents desc limit 1;
$$;

create function graph_memory.search(op jsonb, moment timestamptz) returns setof graph_memory.answer
language plpgsql as $$
declare
    place constant integer := (op ->> 'at')::integer;
    wanted constant bigint := (op ->> 'limit')::bigint + (op ->> 'offset')::bigint;
    query constant vector := (op ->> 'vector')::vector;
    spaces constant bigint[] := spaces_under(op);
    documents bigint;
    average double precision;
    worded record;
    ranking ranking;
    hit record;
    first integer := 1;
    last integer := 0;
    size integer := least(greatest(wanted, 32), 1000000);
    seen bigint := 0;
    read bigint[] := '{}';
begin
    select coalesce(sum(n.documents), 0), coalesce(sum(n.length), 0) / greatest(sum(n.documents), 1) into documents, average
    from namespaces as n where n.id = any(spaces);
    worded := by_words(spaces, array(select jsonb_array_elements_text(op -> 'terms')), documents, average);
    ranking := fuse(
        spaces, worded.items, worded.scores, query, least(greatest(wanted, 100), 1000)::integer,
        (op ->> 'words_weight')::double precision, (op ->> 'meaning_weight')::double precision
    );
    while last < coalesce(cardinality(ranking.items), 0) and seen < wanted loop
        first := last + 1;
        last := least(last + size, cardinality(ranking.items));
        size := size * 4;
        while ranking.relevance[last + 1] = ranking.relevance[last] loop
            last := last + 1;
        end loop;
        for hit in execute format(
            'select n.path, i, c.relevance, c.words, c.meaning
             from unnest($1, $2, $3, $4) as c (item, relevance, words, meaning)
             join graph_memory.items as i on i.id = c.item
             join graph_memory.namespaces as n on n.id = i.space
             where (i.expires_at is null or i.expires_at > $5) and %s
             order by c.relevance desc, i.updated_at desc, i.key, i.id limit $6',
            condition('i.doc', coalesce(op -> 'filter', '{}'))
        ) using
            ranking.items[first:last], ranking.relevance[first:last], ranking.words[first:last], ranking.meaning[first:last],
            moment, wanted - seen
        loop
            seen := seen + 1;
            continue when seen <= (op ->> 'offset')::bigint;
            return next row(
                place, hit.path, (hit.i).key, (hit.i).value, microseconds((hit.i).created_at),
                microseconds((hit.i).updated_at), hit.relevance, coalesce(hit.words / nullif(ranking.best, 0), 0),
                hit.words, position_in_range(hit.meaning, ranking.lowest, ranking.highest), hit.meaning, null
            )::answer;
            if (op ->> 'refresh')::boolean and (hit.i).ttl is not null then
                read := read || (hit.i).id;
            end if;
        end loop;
    end loop;
    if read <> '{}' then
        perform touch(read, moment);
    end if;
    return next row(
        place, null, null, null, null, null, null, null, null, null, null, jsonb_build_object(
            'documents', documents, 'frequencies', coalesce(worded.frequencies, '{}'), 'spread', spread(spaces)
        )
    )::answer;
end
$$;
