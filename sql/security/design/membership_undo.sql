-- membership_undo: takes a membership away
-- needs: PostgreSQL 13   placeholders: role, member
revoke {role} from {member};
