-- money_as_floating_point: floating-point columns whose name says that they hold money
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: rate, latitude, percent, discount_rate, total_count, price_factor, average_price, cost_center,
-- tax_code, discount (a fraction as often as an amount), the cost of a graph's edge, the balance of an image,
-- numeric columns
-- the last word of the name decides, without units and times behind it (price_usd, cost_per_day,
-- sales_tax_ytd);
-- an info where the word has other meanings (amount, balance, charge, cost, tax, total) and nothing beside it
-- says money
with columns as (
  select
    c.oid as relid,
    n.nspname,
    c.relname,
    c.reltuples,
    a.attnum,
    a.attname,
    pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as type,
    pg_catalog.string_to_array(
      pg_catalog.btrim(
        pg_catalog.regexp_replace(
          pg_catalog.lower(
            pg_catalog.regexp_replace(
              pg_catalog.regexp_replace(a.attname, '([[:lower:][:digit:]])([[:upper:]])', '\1_\2', 'g'),
              '([[:upper:]]+)([[:upper:]][[:lower:]])', '\1_\2', 'g'
            )
          ),
          '[^[:alpha:]]+', '_', 'g'
        ), '_'
      ), '_'
    ) as words
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type t on t.oid = a.atttypid
  where not c.relispartition
    and pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null)
      in ('real', 'double precision')
    and not exists ( -- a child table has its parent's columns
      select
      from pg_catalog.pg_inherits i
      where i.inhrelid = c.oid
        and a.attinhcount > 0
        and not a.attislocal
    )
),
cut as (
  select
    c.*,
    case
      when 'per' = any(c.words[2:]) then c.words[:pg_catalog.array_position(c.words, 'per') - 1]
      else c.words
    end as words_before_per
  from columns c
),
heads as (
  select
    c.*,
    (
      select w.word
      from pg_catalog.unnest(c.words_before_per) with ordinality as w(word, position)
      where w.word <> all(array[
        'usd', 'eur', 'gbp', 'chf', 'jpy', 'cny', 'inr', 'cad', 'aud', 'sek', 'nok', 'dkk', 'pln', 'brl',
        'mxn', 'dollar',
        'dollars', 'euro', 'euros', 'ytd', 'mtd', 'qtd', 'year', 'month', 'quarter', 'last', 'this', 'next',
        'current',
        'previous', 'old', 'new', 'min', 'max', 'net', 'gross', 'due', 'paid', 'owed', 'in', 'local', 'base',
        'incl',
        'excl', 'including', 'excluding', 'before', 'after', 'today'
      ])
      order by w.position desc
      limit 1
    ) as head
  from cut c
),
judged as (
  select
    h.*,
    h.head in (
      'price', 'prices', 'fee', 'fees', 'salary', 'salaries', 'wage', 'wages', 'revenue', 'revenues',
      'freight', 'subtotal',
      'payout', 'payment', 'payments', 'refund', 'msrp', 'surcharge', 'budget', 'income', 'earnings', 'debt',
      'expense',
      'expenses', 'invoice', 'cashback', 'money', 'unitprice', 'listprice', 'saleprice', 'totalprice',
      'costprice',
      'taxamt', 'totalamount', 'totalcost', 'unitcost', 'freightcost', 'shippingcost'
    )
    or (
      h.head in (
        'amount', 'amounts', 'amt', 'balance', 'bonus', 'charge', 'charges', 'commission', 'cost', 'costs',
        'credit', 'debit',
        'deposit', 'due', 'discount', 'premium', 'profit', 'rent', 'spend', 'sales', 'tax', 'taxes', 'tip',
        'total', 'totals',
        'turnover', 'value'
      )
      and h.words && array[
        'account', 'bank', 'billing', 'cart', 'cash', 'chargeback', 'credit', 'debit', 'discounted', 'dollar',
        'dollars', 'due',
        'eur', 'euro', 'euros', 'gbp', 'chf', 'usd', 'invoice', 'labor', 'labour', 'list', 'loan', 'order',
        'owed', 'paid', 'payment',
        'price', 'purchase', 'refund', 'replacement', 'retail', 'salary', 'sales', 'shipping', 'standard',
        'tax', 'unit',
        'wholesale'
      ]
      and h.head not in ('discount', 'value')
      and pg_catalog.cardinality(h.words) > 1
    )
    or (h.head in ('amount', 'amt') and 'discount' = any(h.words)) as surely,
    h.head in (
      'amount', 'amounts', 'amt', 'balance', 'charge', 'charges', 'commission', 'cost', 'costs', 'premium',
      'profit', 'rent',
      'tax', 'taxes', 'total', 'totals', 'turnover', 'bonus'
    ) as perhaps
  from heads h
  where not h.words && array[
    'avg', 'average', 'mean', 'median', 'std', 'stddev', 'var', 'variance', 'zscore', 'log', 'normalized',
    'scaled', 'predicted',
    'forecast', 'model', 'feature', 'score', 'rate', 'rates', 'ratio', 'pct', 'percent', 'percentage',
    'factor', 'fraction',
    'share', 'index', 'count', 'counts', 'qty', 'quantity', 'number', 'days', 'hours', 'minutes', 'seconds',
    'ms', 'duration',
    'time', 'weight', 'distance', 'length', 'height', 'width', 'area', 'volume', 'latitude', 'longitude',
    'lat', 'lon', 'lng',
    'kg', 'km', 'ml', 'mg', 'kwh', 'bytes', 'pixels', 'white', 'color', 'colour', 'change', 'growth',
    'elasticity', 'sensitivity'
  ]
),
found as (
  select
    j.*,
    case when j.surely then 'warn' else 'info' end as severity
  from judged j
  where (j.surely or j.perhaps)
    and not (
      j.head in ('cost', 'costs') -- of an edge
      and exists (
        select
        from pg_catalog.pg_attribute a
        where a.attrelid = j.relid
          and pg_catalog.lower(a.attname)
            in ('source', 'source_id', 'from_node', 'from_id', 'start_node', 'node_from')
      )
    )
)
select
  'money_as_floating_point' as "check",
  f.severity,
  pg_catalog.format('%%I.%%I.%%I', f.nspname, f.relname, f.attname) as object,
  pg_catalog.format(
    case
      when f.surely then '%%I.%%I.%%I looks like money, by its name, and is %%s'
      else '%%I.%%I.%%I may be money, by its name, and is %%s'
    end,
    f.nspname, f.relname, f.attname, f.type
  ) as title,
  'A floating-point number is a binary fraction: 0.10 cannot be stored in it, sums depend on the '
  'order of the rows, and an amount does not equal itself after a calculation. numeric is exact. Set '
  'the scale to what your currencies need. Source: PostgreSQL manual, 8.1.2 Arbitrary Precision '
  'Numbers, 8.1.3 Floating-Point Types.' as why,
  pg_catalog.format(
    'alter table %%I.%%I alter column %%I type numeric(19, 4) using pg_catalog.round(%%I::numeric, 4);',
    f.nspname, f.relname, f.attname, f.attname
  ) as fix,
  pg_catalog.jsonb_build_object(
    'schema', f.nspname,
    'table', f.relname,
    'column', f.attname,
    'type', f.type,
    'retyped', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_array(f.nspname, f.relname, f.attname)),
    'rounded', pg_catalog.format(
      'select pg_catalog.count(*) from only %%I.%%I where %%I::numeric <> pg_catalog.round(%%I::numeric, 4)',
      f.nspname, f.relname, f.attname, f.attname
    ),
    'rows_estimated', nullif(f.reltuples, -1)
  ) as details
from found f
order by object;
