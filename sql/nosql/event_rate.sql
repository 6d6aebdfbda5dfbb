-- event_rate: how many events of the generated activities one source gives in an hour
select
    count(*)::float8
    / greatest(count(distinct (a.channel, a.device, a.country)), 1)
    / (extract(epoch from min(s.played_in))::float8 / 3600) as events_per_hour_per_source
from activities a
cross join settings s;
