-- routine_security: as whom a routine runs
-- needs: PostgreSQL 13   placeholders: routine, security
alter routine {routine} security {security};
