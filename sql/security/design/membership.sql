-- membership: one role has another's privileges without having to ask for them
-- needs: PostgreSQL 13   placeholders: role, member, options
grant {role} to {member}{options};
