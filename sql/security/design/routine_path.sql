-- routine_path: where a routine looks for names
-- needs: PostgreSQL 13   placeholders: routine, path
alter routine {routine} set search_path = {path};
