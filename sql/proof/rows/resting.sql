-- resting: triggers, rules and foreign keys rest until the transaction ends; names are the system's or qualified
set local session_replication_role = replica;
set local jit = off;
set local client_min_messages = error;
set local search_path = '';
-- conditions on made values look far more selective than they are
set local enable_nestloop = off;
