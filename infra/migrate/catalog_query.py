"""The query that reads a schema out of PostgreSQL's catalogs, from version 15 on, as any role.

What the server can write as text itself is taken in its words, so that equal schemas give equal text:
every name is qualified and no setting of the session counts.
"""

from __future__ import annotations

from typing import Final, LiteralString

#: What the texts of definitions depend on; for the transaction only.
SETTINGS: Final[LiteralString] = """
    SET LOCAL search_path = '';
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL bytea_output = 'hex';
    SET LOCAL extra_float_digits = 1;
    SET LOCAL quote_all_identifiers = off;
"""

#: The role that migrates a database, whoever reads it; before its first revision, who reads it.
MIGRATOR: Final[LiteralString] = """(
    SELECT coalesce(min(relowner), current_user::regrole) FROM pg_class
    WHERE relname = 'alembic_version' AND relkind = 'r'
)"""

#: Whose things: schemas that the role which migrates may act for or has made tables in, and `public`, which
#: is often another's; without the server's, extensions' and the kit's own.
_OURS: Final[LiteralString] = f"""
schema AS (
    SELECT oid, nspowner, nspacl FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND (nspname = 'public' OR pg_has_role({MIGRATOR}, nspowner, 'USAGE') OR EXISTS (
            SELECT FROM pg_class
            WHERE relnamespace = pg_namespace.oid AND relkind IN ('r', 'p') AND relowner = {MIGRATOR}))
),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relation AS (
    SELECT class.*, am.amname FROM pg_class AS class
    JOIN schema ON schema.oid = relnamespace LEFT JOIN pg_am AS am ON am.oid = relam
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c')
      AND relname <> 'alembic_version' AND NOT starts_with(relname, 'bough_')
      AND ('pg_class'::regclass, class.oid) NOT IN (SELECT classid, objid FROM member)
),
sequence_owner AS (
    SELECT objid AS sequence, refobjid AS relation,
        (pg_identify_object(refclassid, refobjid, refobjsubid)).identity AS "column"
    FROM pg_depend
    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjsubid > 0
      AND deptype IN ('a', 'i') AND objid IN (SELECT oid FROM relation WHERE relkind = 'S')
),
type AS (
    SELECT type.* FROM pg_type AS type JOIN schema ON schema.oid = typnamespace
    WHERE typtype IN ('e', 'd', 'r')
      AND ('pg_type'::regclass, type.oid) NOT IN (SELECT classid, objid FROM member)
),
function AS (
    SELECT proc.* FROM pg_proc AS proc JOIN schema ON schema.oid = pronamespace
    WHERE ('pg_proc'::regclass, proc.oid) NOT IN (SELECT classid, objid FROM member)
)
"""  # noqa: S608  a constant of this module

_RELATIONS: Final[LiteralString] = """
SELECT 'pg_class'::regclass AS class, relation.oid, 0 AS sub, sequence_owner.relation AS parent,
    relowner AS owner,
    coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl,
    jsonb_build_object(
        'persistence', CASE relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
        'row level security', CASE WHEN relrowsecurity THEN 'enabled' END,
        'row level security of the owner', CASE WHEN relforcerowsecurity THEN 'forced' END,
        'partitioned by', pg_get_partkeydef(relation.oid),
        'partition', pg_get_expr(relpartbound, relation.oid),
        'inherits', (
            SELECT string_agg((pg_identify_object('pg_class'::regclass, inhparent, 0)).identity, ', '
                              ORDER BY inhseqno)
            FROM pg_inherits WHERE inhrelid = relation.oid),
        'options', (SELECT string_agg(option, ', ' ORDER BY option) FROM unnest(reloptions) AS option),
        'access method', NULLIF(amname, 'heap'),
        'tablespace', (SELECT spcname FROM pg_tablespace AS space WHERE space.oid = reltablespace),
        'replica identity', CASE relreplident WHEN 'f' THEN 'full' WHEN 'i' THEN 'index'
            WHEN 'n' THEN CASE WHEN relkind IN ('r', 'p') THEN 'nothing' END END,
        'definition', CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(relation.oid) END,
        'populated', CASE WHEN relkind = 'm' AND NOT relispopulated THEN 'no' END,
        'columns', CASE WHEN relkind = 'c' THEN (
            SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '
                              ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = relation.oid AND NOT attisdropped) END,
        'server', (SELECT srvname FROM pg_foreign_table JOIN pg_foreign_server AS server
                   ON server.oid = ftserver WHERE ftrelid = relation.oid),
        'server options', (SELECT ftoptions::text FROM pg_foreign_table WHERE ftrelid = relation.oid),
        'numbers', (
            SELECT format('%s from %s to %s, start %s, step %s, cache %s', seqtypid::regtype, seqmin, seqmax,
                          seqstart, seqincrement, seqcache) || CASE WHEN seqcycle THEN ', cycle' ELSE '' END
            FROM pg_sequence WHERE seqrelid = relation.oid),
        'owned by', sequence_owner."column"
    ) AS said
FROM relation LEFT JOIN sequence_owner ON sequence = relation.oid
"""

_COLUMNS: Final[LiteralString] = """
SELECT 'pg_class'::regclass, attrelid, attnum, attrelid, NULL, attacl,
    jsonb_build_object(
        'type', format_type(atttypid, atttypmod),
        'collation', CASE WHEN attcollation <> typcollation THEN attcollation::regcollation END,
        'not null', CASE WHEN attnotnull THEN CASE WHEN EXISTS (
            SELECT FROM pg_constraint
            WHERE conrelid = attrelid AND contype = 'n' AND conkey = ARRAY[attnum] AND NOT convalidated
        ) THEN 'not validated' ELSE 'yes' END END,
        'default', CASE WHEN attgenerated = '' THEN pg_get_expr(adbin, adrelid) END,
        'generated', CASE WHEN attgenerated <> '' THEN pg_get_expr(adbin, adrelid)
            || CASE attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END END,
        'identity', CASE attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
        'storage', CASE WHEN attstorage <> typstorage THEN attstorage END,
        'compression', NULLIF(attcompression, ''),
        'statistics', NULLIF(attstattarget, -1),
        'options', array_to_string(attoptions || attfdwoptions, ', ')
    )
FROM pg_attribute JOIN relation ON relation.oid = attrelid JOIN pg_type AS type ON type.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
"""

#: NOT NULL is told of columns: only PostgreSQL 18 has constraints for it. An index that a constraint
#: brings along is told with that; what a partition has of its parent, not at all.
_CONSTRAINTS: Final[LiteralString] = """
SELECT 'pg_constraint'::regclass, con.oid, 0, coalesce(relation.oid, 0), NULL, NULL,
    jsonb_build_object(
        'definition', pg_get_constraintdef(con.oid),
        'index', CASE WHEN contype IN ('p', 'u', 'x') THEN pg_get_indexdef(conindid) END,
        'valid', CASE WHEN NOT (indisvalid AND indisready) AND contype IN ('p', 'u', 'x') THEN 'no' END,
        'state', CASE WHEN EXISTS (
            SELECT FROM pg_trigger WHERE tgconstraint = con.oid AND tgenabled <> 'O'
        ) THEN 'disabled' END
    )
FROM pg_constraint AS con
LEFT JOIN relation ON relation.oid = conrelid LEFT JOIN type ON type.oid = contypid
LEFT JOIN pg_index AS index ON index.indexrelid = conindid
WHERE (relation.oid IS NOT NULL OR type.oid IS NOT NULL) AND contype NOT IN ('n', 't') AND conparentid = 0
"""

_INDEXES: Final[LiteralString] = """
SELECT 'pg_class'::regclass, indexrelid, 0, indrelid, NULL, NULL,
    jsonb_build_object(
        'definition', pg_get_indexdef(indexrelid),
        'valid', CASE WHEN NOT (indisvalid AND indisready) THEN 'no' END,
        'clustered', CASE WHEN indisclustered THEN 'yes' END,
        'replica identity', CASE WHEN indisreplident THEN 'yes' END,
        'part of', (SELECT (pg_identify_object('pg_class'::regclass, inhparent, 0)).identity
                    FROM pg_inherits WHERE inhrelid = indexrelid)
    )
FROM pg_index JOIN relation ON relation.oid = indrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
"""

_RULES: Final[LiteralString] = """
SELECT 'pg_trigger'::regclass, trigger.oid, 0, tgrelid, NULL, NULL,
    jsonb_build_object(
        'definition', pg_get_triggerdef(trigger.oid),
        'state', CASE tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica only'
            ELSE 'always' END
    )
FROM pg_trigger AS trigger JOIN relation ON relation.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT 'pg_policy'::regclass, policy.oid, 0, polrelid, NULL, NULL,
    jsonb_build_object(
        'command', CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
            WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        'kind', CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        'roles', (
            SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', '
                              ORDER BY pg_get_userbyid(role))
            FROM unnest(polroles) AS role),
        'using', pg_get_expr(polqual, polrelid),
        'check', pg_get_expr(polwithcheck, polrelid)
    )
FROM pg_policy AS policy JOIN relation ON relation.oid = polrelid
UNION ALL
SELECT 'pg_rewrite'::regclass, rule.oid, 0, ev_class, NULL, NULL,
    jsonb_build_object('definition', pg_get_ruledef(rule.oid),
                       'state', CASE WHEN ev_enabled <> 'O' THEN ev_enabled END)
FROM pg_rewrite AS rule JOIN relation ON relation.oid = ev_class WHERE rulename <> '_RETURN'
UNION ALL
SELECT 'pg_statistic_ext'::regclass, statistic.oid, 0, stxrelid, NULL, NULL,
    jsonb_build_object('definition', pg_get_statisticsobjdef(statistic.oid))
FROM pg_statistic_ext AS statistic JOIN relation ON relation.oid = stxrelid
"""

_TYPES_AND_FUNCTIONS: Final[LiteralString] = """
SELECT 'pg_type'::regclass, type.oid, 0, NULL, typowner, coalesce(typacl, acldefault('T', typowner)),
    jsonb_build_object(
        'labels', (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                   FROM pg_enum WHERE enumtypid = type.oid),
        'base type', CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) END,
        'not null', CASE WHEN typnotnull THEN 'yes' END,
        'default', CASE WHEN typtype = 'd' THEN coalesce(pg_get_expr(typdefaultbin, 0), typdefault) END,
        'collation', CASE WHEN typtype = 'd' AND typcollation <> 0 THEN typcollation::regcollation END,
        'range of', (SELECT concat_ws(', ', rngsubtype::regtype, NULLIF(rngcollation, 0)::regcollation,
                                      NULLIF(rngcanonical, 0)::regproc, NULLIF(rngsubdiff, 0)::regproc)
                     FROM pg_range WHERE rngtypid = type.oid)
    )
FROM type
UNION ALL
SELECT 'pg_proc'::regclass, function.oid, 0, NULL, proowner, coalesce(proacl, acldefault('f', proowner)),
    jsonb_build_object(
        'definition', CASE WHEN prokind <> 'a' THEN pg_get_functiondef(function.oid) END,
        'aggregates', (SELECT concat_ws(', ', aggtransfn, aggfinalfn, aggtranstype::regtype, agginitval)
                       FROM pg_aggregate WHERE aggfnoid = function.oid)
    )
FROM function
"""

#: Of what few schemas have, that it is there and what is easily told.
_OTHERS: Final[LiteralString] = """
SELECT 'pg_namespace'::regclass, oid, 0, NULL, nspowner, coalesce(nspacl, acldefault('n', nspowner)),
    '{}'::jsonb
FROM schema
UNION ALL
SELECT 'pg_extension'::regclass, oid, 0, NULL, NULL, NULL,
    jsonb_build_object('schema', extnamespace::regnamespace)
FROM pg_extension
UNION ALL
SELECT 'pg_collation'::regclass, oid, 0, NULL, collowner, NULL,
    -- PostgreSQL 17 has another name for the locale.
    jsonb_build_object('definition', replace(jsonb_strip_nulls(
        to_jsonb(c) - '{oid,collname,collnamespace,collowner,collversion}'::text[]
    )::text, 'colliculocale', 'colllocale'))
FROM pg_collation AS c WHERE collnamespace IN (SELECT oid FROM schema)
UNION ALL
SELECT 'pg_ts_dict'::regclass, oid, 0, NULL, dictowner, NULL,
    jsonb_build_object('options', dictinitoption)
FROM pg_ts_dict WHERE dictnamespace IN (SELECT oid FROM schema)
UNION ALL
SELECT 'pg_ts_config'::regclass, oid, 0, NULL, cfgowner, NULL,
    jsonb_build_object('dictionaries', (
        SELECT string_agg(maptokentype || ': ' || mapdict::regdictionary, ', '
                          ORDER BY maptokentype, mapseqno)
        FROM pg_ts_config_map WHERE mapcfg = config.oid))
FROM pg_ts_config AS config WHERE cfgnamespace IN (SELECT oid FROM schema)
UNION ALL
SELECT 'pg_operator'::regclass, oid, 0, NULL, oprowner, NULL, jsonb_build_object('function', oprcode)
FROM pg_operator WHERE oprnamespace IN (SELECT oid FROM schema)
UNION ALL
SELECT 'pg_opclass'::regclass, oid, 0, NULL, opcowner, NULL, '{}'::jsonb
FROM pg_opclass WHERE opcnamespace IN (SELECT oid FROM schema)
"""

_PARTS: Final = (
    _RELATIONS,
    _COLUMNS,
    _CONSTRAINTS,
    _INDEXES,
    _RULES,
    _TYPES_AND_FUNCTIONS,
    _OTHERS,
)

#: Rows of kind, name, name of the table that it belongs to, and what is said of it. Rights of an owner
#: and owners are left out where they are the usual ones; oids below 16384 are what initdb made.
QUERY: Final[LiteralString] = (
    f"WITH {_OURS}, thing AS ({' UNION ALL '.join(_PARTS)})"  # noqa: S608  constants of this module
    """
SELECT thing_is.type, thing_is.identity, parent_is.identity,
    jsonb_strip_nulls(said || coalesce(granted, '{}') || jsonb_build_object(
        'owner', CASE WHEN owner <> datdba THEN pg_get_userbyid(owner) END,
        'comment', description))
FROM thing
JOIN pg_database ON datname = current_database()
CROSS JOIN LATERAL pg_identify_object(class, thing.oid, sub) AS thing_is
LEFT JOIN LATERAL pg_identify_object('pg_class'::regclass, parent, 0) AS parent_is ON parent > 0
LEFT JOIN pg_description ON objoid = thing.oid AND classoid = class AND objsubid = sub
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg('granted to ' || who, rights) AS granted FROM (
        SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END AS who,
            string_agg(DISTINCT privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE ''
                       END, ', ') AS rights
        FROM aclexplode(acl) WHERE grantee IS DISTINCT FROM owner GROUP BY grantee
    ) AS grants
) AS rights ON true
WHERE thing.oid >= 16384 AND (class, thing.oid) NOT IN (SELECT classid, objid FROM member)
"""
)
