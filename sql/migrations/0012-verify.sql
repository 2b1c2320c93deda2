-- What postwardctl schema verify asks beyond checksums.

SET LOCAL ROLE postward_owner;

CREATE FUNCTION mail.schema_problems() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s may be executed by everybody', p.oid::regprocedure)
    FROM pg_proc AS p
    WHERE p.pronamespace = 'mail'::regnamespace
      AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                  WHERE a.grantee = 0)
    UNION ALL
    SELECT format('%s runs with its owner''s rights and sets no search_path', p.oid::regprocedure)
    FROM pg_proc AS p
    WHERE p.pronamespace = 'mail'::regnamespace AND p.prosecdef
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%')
    UNION ALL
    SELECT format('%s belongs to %s, not to postward_owner', c.oid::regclass, c.relowner::regrole)
    FROM pg_class AS c
    WHERE c.relnamespace = 'mail'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'S', 'p')
      AND c.relowner <> 'postward_owner'::regrole
    UNION ALL
    SELECT format('%s belongs to %s, not to postward_owner', p.oid::regprocedure, p.proowner::regrole)
    FROM pg_proc AS p
    WHERE p.pronamespace = 'mail'::regnamespace AND p.proowner <> 'postward_owner'::regrole
    UNION ALL
    SELECT format('%s is open to everybody', c.oid::regclass)
    FROM pg_class AS c
    WHERE c.relnamespace = 'mail'::regnamespace
      AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee = 0)
    UNION ALL
    SELECT format('trigger %s of %s is switched off', t.tgname, t.tgrelid::regclass)
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'mail'::regnamespace AND t.tgenabled = 'D'
    UNION ALL
    SELECT format('constraint %s of %s has not been checked', k.conname, k.conrelid::regclass)
    FROM pg_constraint AS k
    WHERE k.connamespace = 'mail'::regnamespace AND NOT k.convalidated
$$;
COMMENT ON FUNCTION mail.schema_problems() IS
    'For postwardctl schema verify: what is not as the migrations made it; no row = nothing found.';
GRANT EXECUTE ON FUNCTION mail.schema_problems() TO postward_admin;
