-- sessions: of about four users in ten, with the hashes of tokens that nobody has
-- form: rows
select
    uuid_send(pg_temp.derived_uuid(v.user_id::text || ':session')) as "_id:uuid",
    1 as "schemaVersion",
    sha256(uuid_send(v.user_id) || int8send(s.stream)) as "tokenHash",
    uuid_send(v.user_id) as "userId:uuid",
    v.channel as "source.channel",
    v.device as "source.device",
    v.country as "source.country",
    v.seen_at - interval '1 day' * floor(10 * pg_temp.chance(v.user_id, s.stream + 72)) as "createdAt",
    v.seen_at as "lastSeenAt",
    v.seen_at + interval '30 days' as "expiresAt"
from (
    select
        v.*,
        date_trunc('minute', s.moment - interval '1 minute' * floor(28800 * pg_temp.chance(v.user_id, s.stream + 71))) as seen_at
    from visitors v
    cross join settings s
    where pg_temp.chance(v.user_id, s.stream + 70) < 0.4
) v
cross join settings s
order by v.user_id;
