-- migrate:up

-- The statements of the function have one good plan, by their indexes, whatever the arrays hold: planning them anew in every call costs as
-- much as deciding a dozen reservations.
ALTER FUNCTION reserve_stock (uuid [], uuid [], integer [], bytea []) SET plan_cache_mode = 'force_generic_plan';

-- migrate:down

ALTER FUNCTION reserve_stock (uuid [], uuid [], integer [], bytea []) RESET plan_cache_mode;
