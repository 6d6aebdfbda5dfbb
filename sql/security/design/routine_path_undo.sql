-- routine_path_undo: a routine looks for names where its caller does
-- needs: PostgreSQL 13   placeholders: routine
alter routine {routine} reset search_path;
