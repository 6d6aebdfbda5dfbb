-- price_history: buckets of at most fifty former prices, as they came to be
-- form: documents
select
    jsonb_build_object(
        '_id', pg_temp.extended_uuid(pg_temp.derived_uuid(f.product_id::text || ':prices:' || f.bucket::text)),
        'schemaVersion', 1,
        'productId', pg_temp.extended_uuid(f.product_id),
        'currency', min(f.currency),
        'validFrom', pg_temp.extended_date(min(f.valid_from)),
        'validTo', pg_temp.extended_date(max(f.valid_to)),
        'prices', jsonb_agg(
            jsonb_build_object(
                'amount', pg_temp.extended_decimal(f.amount),
                'validFrom', pg_temp.extended_date(f.valid_from),
                'validTo', pg_temp.extended_date(f.valid_to)
            )
            order by f.number
        )
    )::text as document
from (select f.*, (f.number - 1) / 50 as bucket from former_prices f) f
group by f.product_id, f.bucket
order by min(f.valid_to), f.product_id;
