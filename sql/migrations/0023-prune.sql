-- Thousands of mailboxes made in one transaction: each one had the feed of changed logins
-- searched, all of it, for rows older than a day (max(generation) walks the index of
-- generations until one fits, and none does). Asked by age, the first look tells.

SET LOCAL ROLE postward_owner;

-- A plan made while the table is small would read all of it, and stay while it grows.
CREATE OR REPLACE FUNCTION mail.prune_login_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, mail, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    upto bigint;
BEGIN
    IF mail.is_rehash() THEN -- holds a mailbox and must not wait for mail.state
        RETURN NULL;
    END IF;
    SELECT c.generation INTO upto FROM mail.login_changes AS c
    WHERE c.at < now() - interval '1 day' ORDER BY c.at DESC LIMIT 1;
    IF upto IS NOT NULL THEN
        DELETE FROM mail.login_changes AS c WHERE c.generation <= upto;
        UPDATE mail.state SET logins_since = greatest(logins_since, upto);
    END IF;
    RETURN NULL;
END $$;
